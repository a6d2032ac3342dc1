package fetcher

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/peer"
)

const (
	// frameKept is how large a lane's memory may be for good, and frameRounds the number of rounds in a row that
	// used less than a quarter of what is above it before it is given back.
	frameKept   = 1 << 20
	frameRounds = 16
)

var errNotLive = errors.New("the leader is not among the live brokers")

// lane is a connection to the leader with at most one piece of work under way. The loop owns all fields while it is not
// busy, and run owns them while it is.
type lane struct {
	connection *peer.Connection
	start      chan struct{} // capacity 1
	done       chan struct{} // capacity 1

	busy     bool
	failures int       // in a row
	retryAt  time.Time // not before; zero: at once

	fetch    kmsg.FetchRequest
	response kmsg.FetchResponse
	repair   *repair // done instead of a fetch, where there is one
	err      error

	frame []byte // the response aliases it
	small int    // rounds in a row that needed little of frame
}

func (l *loop) newLane() lane {
	c := l.options.Config.Broker()
	first, most := c.ConnectWithin(c.ReplicaSocketTimeout)
	return lane{
		connection: peer.New(peer.Options{
			Address:           "broker " + strconv.Itoa(int(l.key.leader)),
			ClientID:          l.clientID,
			Dial:              l.dial,
			ConnectTimeout:    first,
			ConnectTimeoutMax: most,
			RequestTimeout:    c.ReplicaSocketTimeout,
		}),
		start: make(chan struct{}, 1), done: make(chan struct{}, 1),
	}
}

// dial finds the leader anew every time: one that restarted may listen elsewhere.
func (l *loop) dial(ctx context.Context, _ string) (net.Conn, error) {
	broker, ok := l.options.Metadata.Load().Broker(l.key.leader)
	if !ok {
		return nil, errNotLive
	}
	listener := l.options.Config.Broker().InterBrokerListener
	endpoint, ok := broker.Endpoint(listener)
	if !ok {
		return nil, fmt.Errorf("the leader does not listen on %s", listener)
	}
	return l.options.Dial(ctx, net.JoinHostPort(endpoint.Host, strconv.Itoa(int(endpoint.Port))))
}

// run does the work that is begun, until ctx ends.
func (a *lane) run(ctx context.Context) {
	for {
		select {
		case <-a.start:
		case <-ctx.Done():
			return
		}
		if a.repair != nil {
			a.err = a.repair.ask(ctx, a.connection)
		} else {
			a.exchange(ctx)
		}
		a.done <- struct{}{} // there is room: the loop takes it before it begins anew
	}
}

// begin starts the work that was put into the lane.
func (a *lane) begin() {
	a.busy, a.err = true, nil
	a.start <- struct{}{}
}

func (a *lane) exchange(ctx context.Context) {
	// Answers are large under load and tiny else; the memory of the large ones is not kept for ever.
	if a.small > frameRounds {
		a.frame, a.small = nil, 0
	}
	a.frame, a.err = a.connection.RequestInto(ctx, &a.fetch, &a.response, a.frame)
	if cap(a.frame) > frameKept && len(a.frame) < cap(a.frame)/4 {
		a.small++
	} else {
		a.small = 0
	}
}

// failed notes a failure of the lane as a whole.
func (a *lane) failed(backoff time.Duration) {
	a.retryAt = time.Now().Add(backoff)
}

// worked notes that the lane is fine.
func (a *lane) worked() { a.failures, a.retryAt = 0, time.Time{} }
