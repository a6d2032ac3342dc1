package replica

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
	"github.com/kbroker/kbroker/storage/vfs"
)

// me is the broker under test; others are 2, 3, ...
const me int32 = 1

// host is a Manager over real storage in memory.
type host struct {
	*Manager
	t        testing.TB
	fs       vfs.FS
	logs     *storage.Manager
	store    *config.Store
	metadata *metadata.Cache
	registry *prometheus.Registry

	directed  []string // what the fetchers were told
	proposals []proposal

	mu        sync.Mutex
	overrides map[string]map[string]string
	readError error
	announced []string
}

func newHost(t testing.TB, fs vfs.FS, dirs ...string) *host {
	t.Helper()
	return newBroker(t, me, fs, dirs...)
}

// newBroker is newHost for a broker of another id.
func newBroker(t testing.TB, id int32, fs vfs.FS, dirs ...string) *host {
	t.Helper()
	if len(dirs) == 0 {
		dirs = []string{"/a"}
	}
	store, _, err := config.NewStore(map[string]config.Setting{
		"broker.id":               {Value: fmt.Sprint(id)},
		"log.dirs":                {Value: "/a"},
		"zookeeper.connect":       {Value: "localhost:2181"},
		"min.insync.replicas":     {Value: "1"},
		"log.retention.hours":     {Value: "-1"},
		"replica.lag.time.max.ms": {Value: "30000"},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &host{
		t: t, fs: fs, store: store, metadata: metadata.NewCache("cluster"), registry: prometheus.NewRegistry(),
		overrides: map[string]map[string]string{},
	}
	h.live(1, 2, 3)
	h.logs, err = storage.Open(storage.Options{
		FS: fs, Dirs: dirs, BrokerID: id, ClusterID: "cluster",
		ConfigFor:       func(string) *storage.Config { return store.Topic(nil).Log },
		RecoveryThreads: 1,
		MaxOpenFiles:    100,
		Logger:          zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Manager = New(Options{
		BrokerID: id, Logs: h.logs, Config: store, Metadata: h.metadata,
		TopicOverrides: h.read,
		LeadershipChanged: func(topic string, partition, epoch int32, leading bool) {
			h.announced = append(h.announced, fmt.Sprint(topic, " ", partition, " ", epoch, " ", leading))
		},
		Fetchers: (*directions)(h),
		ProposeISR: func(c ISRChange, answer func(ISRAnswer, error)) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.proposals = append(h.proposals, proposal{c, answer})
		},
		Registerer: h.registry, Logger: zap.NewNop(),
	})
	t.Cleanup(h.close)
	return h
}

// proposal is a change of in-sync replicas that the broker asked the controller for.
type proposal struct {
	ISRChange
	answer func(ISRAnswer, error)
}

// directions are the fetchers of a host: they note what they are told.
type directions host

func (d *directions) Follow(partitions []Followed) {
	told := "follow"
	for _, f := range partitions {
		told += fmt.Sprintf(" %s-%d of %d in %d", f.Partition.Topic(), f.Partition.Index(), f.LeaderID, f.LeaderEpoch)
	}
	d.directed = append(d.directed, told)
}

func (d *directions) Unfollow(partitions []*Partition) {
	told := "unfollow"
	for _, p := range partitions {
		told += fmt.Sprintf(" %s-%d", p.Topic(), p.Index())
	}
	d.directed = append(d.directed, told)
}

// wantDirected compares with what the fetchers were told since the last time.
func (h *host) wantDirected(want ...string) {
	h.t.Helper()
	if !slices.Equal(h.directed, want) {
		h.t.Errorf("fetchers were told %q, want %q", h.directed, want)
	}
	h.directed = nil
}

// proposed takes the one change that the controller was asked for since the last time.
func (h *host) proposed() proposal {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.proposals) != 1 {
		h.t.Fatalf("%d proposals, want 1: %+v", len(h.proposals), h.proposals)
	}
	p := h.proposals[0]
	h.proposals = nil
	return p
}

func (h *host) wantNoProposal() {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.proposals) != 0 {
		h.t.Fatalf("proposed %+v", h.proposals)
	}
}

// accept answers as a controller that made the change.
func (p *proposal) accept(leader int32) {
	p.answer(ISRAnswer{LeaderID: leader, LeaderEpoch: p.LeaderEpoch, ISR: p.ISR, PartitionEpoch: p.PartitionEpoch + 1}, nil)
}

// close is safe to call before the test's end.
func (h *host) close() {
	if h.logs == nil {
		return
	}
	h.Close()
	if err := h.logs.Close(); err != nil {
		h.t.Log(err)
	}
	h.logs = nil
}

func (h *host) read(_ context.Context, topic string) (map[string]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.overrides[topic], h.readError
}

// live makes these the live brokers.
func (h *host) live(ids ...int32) {
	var u metadata.Update
	for _, id := range ids {
		u.Brokers = append(u.Brokers, metadata.Broker{ID: id})
	}
	h.metadata.Apply(u)
}

// leading is a state in which this broker leads topic t, partition 0.
func leading(epoch int32, isr, replicas []int32) State {
	return State{
		Topic: "t", TopicID: [16]byte{1}, Leader: me, LeaderEpoch: epoch, PartitionEpoch: epoch,
		ISR: isr, Replicas: replicas, IsNew: epoch == 0,
	}
}

func following(epoch, leader int32) State {
	s := leading(epoch, []int32{leader, me}, []int32{leader, me})
	s.Leader = leader
	return s
}

// apply applies one state, which must work, and returns the partition.
func (h *host) apply(s State) *Partition {
	h.t.Helper()
	if err := h.applyErr(s); err != nil {
		h.t.Fatalf("apply %+v: %v", s, err)
	}
	p, err := h.Partition(s.Topic, s.Partition)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func (h *host) applyErr(s State) error {
	h.t.Helper()
	return h.Apply(h.t.Context(), 9, 0, []State{s})[0]
}

func batch(t testing.TB, count int, timestamp int64) record.Checked {
	t.Helper()
	b := record.NewBuilder(record.BatchOptions{})
	for i := range count {
		b.Append(timestamp, []byte("key"), fmt.Appendf(nil, "value %d", i))
	}
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return record.Trust(built)
}

// appendTo appends count records, which must work, and returns the next offset.
func appendTo(t testing.TB, p *Partition, count int) int64 {
	t.Helper()
	a, err := p.AppendAsLeader(batch(t, count, 1000), 1, storage.FromClient)
	if err != nil {
		t.Fatal(err)
	}
	return a.LastOffset + 1
}

// fetchAs fetches as a follower does, which must work.
func fetchAs(t testing.TB, p *Partition, replica int32, offset int64) ReadResult {
	t.Helper()
	r, err := p.Read(followerFetch(p, replica, offset))
	if err != nil {
		t.Fatalf("broker %d fetches at %d: %v", replica, offset, err)
	}
	r.Slice.Release()
	return r
}

func followerFetch(p *Partition, replica int32, offset int64) ReadRequest {
	_, epoch := p.Leader()
	return ReadRequest{
		Offset: offset, MaxBytes: 1 << 20, Isolation: ReadLogEnd,
		CurrentEpoch: epoch, LastFetchedEpoch: -1, ReplicaID: replica,
	}
}

func consumerFetch(offset int64) ReadRequest {
	return ReadRequest{Offset: offset, MaxBytes: 1 << 20, MinOne: true, CurrentEpoch: -1, LastFetchedEpoch: -1, ReplicaID: -1}
}

func wantHighWatermark(t testing.TB, p *Partition, want int64) {
	t.Helper()
	if got := p.HighWatermark(); got != want {
		t.Fatalf("high watermark %d, want %d", got, want)
	}
}
