package server

import (
	"math"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Limits are read anew where they apply, so that dynamic configuration takes effect.
type Limits struct {
	RequestMaxBytes           int32 // socket.request.max.bytes
	QueuedMaxBytes            int64 // queued.max.request.bytes; 0 or less: no bound
	MaxConnections            int32 // max.connections, of all listeners together
	MaxPerIP                  int32 // max.connections.per.ip
	MaxPerIPOverrides         map[string]int32
	MaxCreationRate           int32         // max.connection.creation.rate, per second, of all listeners together
	MaxIdle                   time.Duration // connections.max.idle.ms; negative: never
	SendBuffer, ReceiveBuffer int32         // -1: the system's
	// MaxPending and MaxPendingBytes bound the pipelined calls of one connection that are not answered yet:
	// their number, and the size of their frames in bytes.
	MaxPending      int
	MaxPendingBytes int64
}

// DefaultLimits returns Kafka's defaults, and ours for what Kafka has not.
func DefaultLimits() *Limits {
	return &Limits{
		RequestMaxBytes: 100 << 20,
		QueuedMaxBytes:  -1,
		MaxConnections:  math.MaxInt32,
		MaxPerIP:        math.MaxInt32,
		MaxCreationRate: math.MaxInt32,
		MaxIdle:         10 * time.Minute,
		SendBuffer:      100 << 10,
		ReceiveBuffer:   100 << 10,
		// Producers have 5 requests in flight (max.in.flight.requests.per.connection); others have more,
		// and 32 of 1 MiB are the 32 MiB below.
		MaxPending:      32,
		MaxPendingBytes: 32 << 20,
	}
}

// perIP returns how many connections the host may have.
func (l *Limits) perIP(host string) int32 {
	if n, ok := l.MaxPerIPOverrides[host]; ok {
		return n
	}
	return l.MaxPerIP
}

// Listener is a bound socket with its name.
type Listener struct {
	Name string
	net.Listener
}

// Options are what a Server is made of.
type Options struct {
	Listeners  []Listener // bound already; clients may connect, nobody is served before Serve
	Handler    Handler
	Limits     func() *Limits // must be cheap: it is called for every frame; what it returned is never changed
	Registerer prometheus.Registerer
	Logger     *zap.Logger
}
