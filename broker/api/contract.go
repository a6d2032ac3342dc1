// Package api is one file per Kafka API: the only place that sees both kmsg structs and domain types.
package api

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
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
	Registerer  prometheus.Registerer
	Logger      *zap.Logger
}

// Handlers is the table of API key to handler. It implements server.Handler.
type Handlers struct{}

func New(o Options) *Handlers                                               { panic("unwritten") }
func (h *Handlers) Handle(ctx context.Context, c *server.Call) server.Reply { panic("unwritten") }
func (h *Handlers) Pipelines(header protocol.RequestHeader) bool            { panic("unwritten") }

var _ server.Handler = (*Handlers)(nil)
