package broker

import (
	"syscall"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/server"
)

// Bounds on pipelined calls of one connection. Java producers keep at most five requests in
// flight, librdkafka's default is a million; beyond these figures reading stops until answers
// have left. Large batches are bounded by bytes, small ones by count.
const (
	maxPending      = 256
	maxPendingBytes = 64 << 20
)

// limitsOf picks what the server needs of the effective configuration.
func limitsOf(c *config.Broker) server.Limits {
	return server.Limits{
		RequestMaxBytes:   c.SocketRequestMaxBytes,
		QueuedMaxBytes:    c.QueuedMaxRequestBytes,
		MaxConnections:    c.MaxConnections,
		MaxPerIP:          c.MaxConnectionsPerIP,
		MaxPerIPOverrides: c.MaxConnectionsPerIPOverrides,
		MaxCreationRate:   c.MaxConnectionCreationRate,
		MaxIdle:           c.ConnectionsMaxIdle,
		SendBuffer:        c.SocketSendBuffer,
		ReceiveBuffer:     c.SocketReceiveBuffer,
		MaxPending:        maxPending,
		MaxPendingBytes:   maxPendingBytes,
	}
}

// maxOpenSegments gives storage half of the file descriptors that the process may open; the
// rest is for connections. Go has raised the soft limit to the hard one already.
func maxOpenSegments() int {
	const leastUseful = 64
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return leastUseful
	}
	return max(leastUseful, int(min(limit.Cur/2, 1<<20)))
}
