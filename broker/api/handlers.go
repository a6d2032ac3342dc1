package api

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group"
	"github.com/kbroker/kbroker/coordinator/txn"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/zkmeta"
)

// Options are what Handlers are made of.
type Options struct {
	BrokerID    int32
	Config      *config.Store
	Metadata    *metadata.Cache
	Replicas    *replica.Manager
	Controller  *controller.Controller
	ZooKeeper   *zkmeta.Client
	ProducerIDs *txn.ProducerIDs
	Groups      *group.Groups
	// MetadataChanged is told after the picture of the cluster changed, of the partitions that are gone from it.
	MetadataChanged func(deleted map[string][]int32)
	// Ready is closed when the broker knows the cluster and its own partitions: until then only the controller's
	// requests are handled and clients' calls wait, so that no client is told that its topic does not exist. nil: ready.
	Ready      <-chan struct{}
	Registerer prometheus.Registerer
	Logger     *zap.Logger
}

// Handlers is the table of API key to handler. It implements server.Handler.
type Handlers struct {
	rooms Options // what the handlers call; never changed
	log   *zap.Logger

	rows     [protocol.KeyLimit]*row // by key; nil: not handled
	answers  answerPool
	produces producePool
	fetches  fetchPool
	sessions *sessionCache
	creation creation // of __consumer_offsets
}

// New makes Handlers of the rooms below.
func New(o Options) *Handlers {
	h := &Handlers{rooms: o, log: o.Logger.Named("api")}
	h.sessions = newSessionCache(func() int32 { return o.Config.Broker().FetchSessionSlots }, o.Registerer)
	for _, r := range table() {
		h.rows[r.key] = &r
	}
	return h
}

// Handle decodes a call and answers it, or starts to.
func (h *Handlers) Handle(ctx context.Context, c *server.Call) server.Reply {
	r := h.rows[c.Header.Key] // protocol.ParseHeader lets only keys of the table through
	if r == nil {
		return refuse("%s is not handled", apiName(c))
	}
	if !h.ready() && !fromController(c.Header.Key) {
		return server.Reply{Await: func(ctx context.Context) server.Response {
			select {
			case <-h.rooms.Ready:
				return await(ctx, h.begin(ctx, r, c))
			case <-ctx.Done():
				return server.Response{Silent: true, Close: true, Reason: "the broker is not ready"}
			}
		}}
	}
	return h.begin(ctx, r, c)
}

func (h *Handlers) begin(ctx context.Context, r *row, c *server.Call) server.Reply {
	reply, err := r.start(h, ctx, c)
	if err != nil {
		return refuse("malformed %s v%d: %w", apiName(c), c.Header.Version, err)
	}
	return reply
}

func await(ctx context.Context, r server.Reply) server.Response {
	if r.Await != nil {
		return r.Await(ctx)
	}
	return r.Response
}

func (h *Handlers) ready() bool {
	if h.rooms.Ready == nil {
		return true
	}
	select {
	case <-h.rooms.Ready:
		return true
	default:
		return false
	}
}

// fromController tells the requests by which the controller makes a broker ready.
func fromController(key int16) bool {
	return key == protocol.KeyLeaderAndISR || key == protocol.KeyStopReplica || key == protocol.KeyUpdateMetadata
}

// Pipelines lets produce calls follow each other without waiting for their answers: each is appended, in order, before the
// next is looked at, and only then waits for followers.
func (h *Handlers) Pipelines(header protocol.RequestHeader) bool {
	return header.Key == protocol.KeyProduce
}

var _ server.Handler = (*Handlers)(nil)

// refuse closes the connection without an answer.
func refuse(format string, args ...any) server.Reply {
	return server.Reply{Response: server.Response{Silent: true, Close: true, Reason: fmt.Errorf(format, args...).Error()}}
}

func apiName(c *server.Call) string {
	a, _ := protocol.Lookup(c.Header.Key)
	return a.Name
}
