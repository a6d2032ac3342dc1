// Package fetcher copies the logs of leaders into the partitions that this broker follows (Kafka:
// AbstractFetcherThread.scala, ReplicaFetcherThread.scala, RemoteLeaderEndPoint.scala, FetchSessionHandler.java).
package fetcher

import (
	"go.uber.org/zap"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/peer"
	"github.com/kbroker/kbroker/broker/replica"
)

// Options are what Fetchers are made of.
type Options struct {
	BrokerID int32
	// BrokerEpoch is the czxid of this broker's registration now.
	BrokerEpoch func() int64
	Config      *config.Store
	Metadata    *metadata.Cache // where leaders listen
	Dial        peer.Dial
	Registerer  prometheus.Registerer // may be nil
	Logger      *zap.Logger
}

// Fetchers run one loop per leader broker and fetcher id. Safe for concurrent use.
type Fetchers struct{}

// New makes Fetchers that fetch nothing yet.
func New(o Options) *Fetchers { return &Fetchers{} }

var _ replica.Fetchers = (*Fetchers)(nil)

// Follow implements replica.Fetchers.
func (f *Fetchers) Follow(partitions []replica.Followed) {}

// Unfollow implements replica.Fetchers.
func (f *Fetchers) Unfollow(partitions []*replica.Partition) {}

// Close ends all loops and waits for them.
func (f *Fetchers) Close() {}
