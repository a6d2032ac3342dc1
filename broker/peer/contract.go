// Package peer is the outgoing side between brokers: connections that send one kmsg request at a time.
package peer

import (
	"context"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Dial opens a connection to host:port.
type Dial func(ctx context.Context, address string) (net.Conn, error)

// Options are what a Connection is made of.
type Options struct {
	Address        string
	ClientID       string
	Dial           Dial
	ConnectTimeout time.Duration
	RequestTimeout time.Duration
}

// Connection is the way to one broker: it dials when needed, has one request in flight at a time, and closes on any error,
// as Kafka's channels between brokers do. Safe for concurrent use; callers queue.
type Connection struct{}

func New(o Options) *Connection { panic("unwritten") }

// Request sends r with the version set in it (r.SetVersion) and returns the answer.
func (c *Connection) Request(ctx context.Context, r kmsg.Request) (kmsg.Response, error) {
	panic("unwritten")
}
func (c *Connection) Close() { panic("unwritten") }
