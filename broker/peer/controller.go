package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/protocol"
)

const (
	// controllerRetry is the pause between two tries to reach a controller (Kafka: NodeToControllerRequestThread).
	controllerRetry = 100 * time.Millisecond
	// complainEvery keeps the log readable: the first failure, and then one in ten seconds.
	complainEvery = 100

	apiVersionsVersion = 3
)

// ControllerOptions are what a ToController is made of.
type ControllerOptions struct {
	Options // without an address
	// Find tells where the controller takes requests, as far as this broker knows; ok is false while it knows none.
	// changed is closed when it is worth asking again.
	Find   func() (address string, ok bool, changed <-chan struct{})
	Logger *zap.Logger
}

// ToController is the way to whichever broker is controller now (Kafka: NodeToControllerChannelManager.scala). Unlike
// other connections between brokers it asks for the versions that the other side takes. Safe for concurrent use;
// callers queue.
type ToController struct {
	options ControllerOptions
	turn    chan struct{} // capacity 1: who put something in it owns the fields below

	connection *Connection // nil: none yet
	address    string      // of connection
	versions   map[int16]int16

	closing context.Context // ends with Close
	close   context.CancelCauseFunc
	mu      sync.Mutex // guards the pointer connection, for Close
}

// NewToController makes a ToController without dialling.
func NewToController(o ControllerOptions) *ToController {
	c := &ToController{options: o, turn: make(chan struct{}, 1)}
	c.closing, c.close = context.WithCancelCause(context.Background())
	return c
}

// Request sends r, in the version that is set in it or the newest that the controller takes, until a broker that is
// controller has answered, or ctx ends. A request may so arrive more than once; it must be one that may.
func (c *ToController) Request(ctx context.Context, r kmsg.Request) (kmsg.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.closing, func() { cancel(ErrClosed) })()
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-c.turn }()

	newest := r.GetVersion()
	for failures := 0; ; {
		address, ok, changed := c.options.Find()
		err := errNoController
		if ok {
			var response kmsg.Response
			r.SetVersion(newest)
			if response, err = c.ask(ctx, address, r); err == nil {
				return response, nil
			}
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if failures++; failures%complainEvery == 1 {
			c.options.Logger.Warn("request to the controller failed, will be repeated", zap.Int("failures", failures),
				zap.String("request", kmsg.NameForKey(r.Key())), zap.Error(err))
		}
		select {
		case <-changed:
		case <-time.After(controllerRetry):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Close ends the request in flight and all that wait with ErrClosed. It does not wait for them.
func (c *ToController) Close() {
	c.close(ErrClosed)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.connection != nil {
		c.connection.Close()
	}
}

var (
	errNoController  = errors.New("no controller is known")
	errNotController = errors.New("the broker is not the controller")
)

// ask makes one try.
func (c *ToController) ask(ctx context.Context, address string, r kmsg.Request) (kmsg.Response, error) {
	if err := c.reach(ctx, address); err != nil {
		return nil, err
	}
	newest, ok := c.versions[r.Key()]
	if !ok {
		return nil, fmt.Errorf("the controller at %s does not take %s", address, kmsg.NameForKey(r.Key()))
	}
	r.SetVersion(min(r.GetVersion(), newest))
	response, err := c.connection.Request(ctx, r)
	if err != nil {
		c.versions = nil // whoever listens there next may be another release
		return nil, err
	}
	if notController(response) {
		return nil, fmt.Errorf("%s: %w", address, errNotController)
	}
	return response, nil
}

// reach makes sure of a connection to address whose versions are known.
func (c *ToController) reach(ctx context.Context, address string) error {
	if c.connection == nil || c.address != address {
		c.mu.Lock()
		if c.connection != nil {
			c.connection.Close()
		}
		o := c.options.Options
		o.Address = address
		c.connection, c.address, c.versions = New(o), address, nil
		c.mu.Unlock()
	}
	if c.versions != nil {
		return nil
	}
	r := kmsg.NewPtrApiVersionsRequest()
	r.SetVersion(apiVersionsVersion)
	r.ClientSoftwareName, r.ClientSoftwareVersion = "kbroker", "1"
	response, err := c.connection.Request(ctx, r)
	if err != nil {
		return err
	}
	answer := response.(*kmsg.ApiVersionsResponse)
	if answer.ErrorCode != 0 {
		return fmt.Errorf("ApiVersions to %s: error code %d", address, answer.ErrorCode)
	}
	c.versions = make(map[int16]int16, len(answer.ApiKeys))
	for _, k := range answer.ApiKeys {
		c.versions[k.ApiKey] = k.MaxVersion
	}
	return nil
}

// notController reports whether a broker answered that it is not the controller. ControlledShutdown says so with the
// code of a controller that has moved.
func notController(r kmsg.Response) bool {
	switch r := r.(type) {
	case *kmsg.AlterPartitionResponse:
		return r.ErrorCode == int16(protocol.NotController)
	case *kmsg.AllocateProducerIDsResponse:
		return r.ErrorCode == int16(protocol.NotController)
	case *kmsg.ControlledShutdownResponse:
		return r.ErrorCode == int16(protocol.StaleControllerEpoch)
	default:
		return false
	}
}
