package api

import (
	"context"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group"
	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
	"github.com/kbroker/kbroker/storage/vfs"
)

// broker is Handlers over real rooms: logs on a file system in memory, partitions, metadata. Its id is 1.
type broker struct {
	*Handlers
	t         testing.TB
	overrides map[string]map[string]string
	epoch     int32
}

func newBroker(t testing.TB, more ...func(map[string]config.Setting)) *broker {
	t.Helper()
	settings := map[string]config.Setting{
		"broker.id":         {Value: "1"},
		"zookeeper.connect": {Value: "127.0.0.1:1"},
		"log.dirs":          {Value: "/logs"},

		"group.initial.rebalance.delay.ms": {Value: "0"},
	}
	for _, change := range more {
		change(settings)
	}
	store, _, err := config.NewStore(settings)
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{t: t, overrides: make(map[string]map[string]string)}
	logs, err := storage.Open(storage.Options{
		FS: vfs.NewMem(), Dirs: []string{"/logs"}, BrokerID: 1, ClusterID: "test",
		ConfigFor:       func(topic string) *storage.Config { return store.Topic(b.overrides[topic]).Log },
		RecoveryThreads: 1, MaxOpenFiles: 100, Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	cache := metadata.NewCache("test")
	var groups *group.Groups
	replicas := replica.New(replica.Options{
		LeadershipChanged: func(topic string, partition, leaderEpoch int32, leading bool) {
			if topic == groupTopic {
				groups.LeadershipChanged(partition, leaderEpoch, leading)
			}
		},
		BrokerID: 1, Logs: logs, Config: store, Metadata: cache, Logger: zap.NewNop(),
		TopicOverrides: func(_ context.Context, topic string) (map[string]string, error) { return b.overrides[topic], nil },
	})
	groups = newGroups(store, cache, replicas)
	b.Handlers = New(Options{BrokerID: 1, Config: store, Metadata: cache, Replicas: replicas, Groups: groups, Logger: zap.NewNop()})
	t.Cleanup(func() {
		groups.Close()
		replicas.Close()
		if err := logs.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// newGroups makes a group coordinator over the partitions of groupTopic.
func newGroups(store *config.Store, cache *metadata.Cache, replicas *replica.Manager) *group.Groups {
	ids := 0
	return group.New(group.Options{
		Journal: replica.NewJournal(replicas, replica.JournalOptions{
			Topic: groupTopic, Codec: func() record.Codec { return record.None }, LoadBufferSize: func() int { return 1 << 16 }, Logger: zap.NewNop(),
		}),
		Partitions: func() int32 {
			t, ok := cache.Load().Topic(groupTopic)
			if !ok {
				return 0
			}
			return int32(len(t.Partitions))
		},
		Config: func() group.Config {
			c := store.Broker().Groups
			return group.Config{
				Classic: classic.Config{
					MinSessionTimeout: c.MinSessionTimeout, MaxSessionTimeout: c.MaxSessionTimeout, MaxSize: c.MaxSize,
					NewID: func() string { ids++; return strconv.Itoa(ids) },
				},
				Offsets:       offsets.Config{MetadataMaxBytes: c.OffsetMetadataMaxBytes, Retention: c.OffsetsRetention},
				CommitTimeout: c.CommitTimeout, RetentionCheck: c.OffsetsRetentionCheck, ConsumerProtocol: true,
			}
		},
		Consumer: func(string) *consumer.Config {
			return &consumer.Config{
				SessionTimeout: time.Minute, HeartbeatInterval: time.Second, MaxSize: 10, Upgrade: true, Downgrade: true,
				Assignors: []assign.Assignor{assign.Uniform()}, NewID: func() string { return "new" },
			}
		},
		Image:     func() consumer.Image { return noTopics{} },
		EndOffset: func(string, int32) (int64, bool) { return 0, false },
		Logger:    zap.NewNop(),
	})
}

// noTopics is an image without topics.
type noTopics struct{}

func (noTopics) Version() uint64                         { return 1 }
func (noTopics) Topic([16]byte) (assign.Topic, bool)     { return assign.Topic{}, false }
func (noTopics) TopicByName(string) (assign.Topic, bool) { return assign.Topic{}, false }
func (noTopics) Name([16]byte) (string, bool)            { return "", false }
func (noTopics) Names() []string                         { return nil }

func topicID(name string) (id [16]byte) {
	copy(id[:], "id of "+name)
	return id
}

// lead makes this broker the leader of a topic's partitions, with these in-sync replicas.
func (b *broker) lead(topic string, partitions int32, isr ...int32) {
	b.apply(topic, partitions, 1, isr, isr)
}

// apply tells replicas and metadata of a topic, under a new leader epoch.
func (b *broker) apply(topic string, partitions, leader int32, replicas, isr []int32) {
	b.t.Helper()
	b.epoch++
	update := metadata.Update{ControllerID: 1, Topics: []metadata.Topic{{Name: topic, ID: topicID(topic)}}}
	for _, id := range []int32{1, 2} {
		update.Brokers = append(update.Brokers, metadata.Broker{ID: id, Endpoints: []metadata.Endpoint{
			{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: "host", Port: 9090 + id},
		}})
	}
	var states []replica.State
	for i := range partitions {
		update.Topics[0].Partitions = append(update.Topics[0].Partitions, metadata.Partition{
			Index: i, Leader: leader, LeaderEpoch: b.epoch, ISR: isr, Replicas: replicas, PartitionEpoch: b.epoch,
		})
		states = append(states, replica.State{
			Topic: topic, TopicID: topicID(topic), Partition: i, ControllerEpoch: 1,
			Leader: leader, LeaderEpoch: b.epoch, ISR: isr, Replicas: replicas, PartitionEpoch: b.epoch, IsNew: true,
		})
	}
	b.rooms.Metadata.Apply(update)
	for _, err := range b.rooms.Replicas.Apply(b.t.Context(), 1, 1, states) {
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// answer handles a call as a connection would, waiting included, and returns the bytes of the answer.
func (b *broker) answer(c *server.Call) ([]byte, server.Response) {
	b.t.Helper()
	reply := b.Handle(b.t.Context(), c)
	r := reply.Response
	if reply.Await != nil {
		r = reply.Await(b.t.Context())
	}
	return b.collect(r), r
}

// collect reads what a response sends and lets go of it.
func (b *broker) collect(r server.Response) []byte {
	b.t.Helper()
	var out []byte
	for _, c := range r.Chunks {
		out = append(out, c.Bytes...)
		if c.Piece == nil {
			continue
		}
		at := len(out)
		out = append(out, make([]byte, c.Piece.Len())...)
		if n, err := c.Piece.(io.ReaderAt).ReadAt(out[at:], 0); n < len(out)-at {
			b.t.Errorf("piece gives %d of %d bytes: %v", n, len(out)-at, err)
		}
		c.Piece.Release()
	}
	if r.Done != nil {
		r.Done()
	}
	return out
}

// ask handles a request and decodes the answer.
func (b *broker) ask(q kmsg.Request) kmsg.Response {
	b.t.Helper()
	out, r := b.answer(call(q))
	if r.Silent {
		b.t.Fatalf("no answer: %s", r.Reason)
	}
	k := q.ResponseKind()
	k.SetVersion(q.GetVersion())
	if err := k.ReadFrom(out); err != nil {
		b.t.Fatalf("answer to %s v%d does not decode: %v", kmsg.NameForKey(q.Key()), q.GetVersion(), err)
	}
	if again := k.AppendTo(nil); string(again) != string(out) {
		b.t.Errorf("answer to %s v%d has %d bytes, and %d when encoded again:\n%x\n%x", kmsg.NameForKey(q.Key()), q.GetVersion(), len(out), len(again), out, again)
	}
	return k
}

// batch builds a batch of records with these values.
func batch(t testing.TB, o record.BatchOptions, values ...string) []byte {
	t.Helper()
	n := record.NewBuilder(o)
	for _, v := range values {
		n.Append(time.Now().UnixMilli(), []byte("k"), []byte(v))
	}
	b, err := n.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func produceRequest(version, acks int16, topic string, records map[int32][]byte) *kmsg.ProduceRequest {
	q := kmsg.NewPtrProduceRequest()
	q.Version, q.Acks, q.TimeoutMillis = version, acks, 1000
	tp := kmsg.NewProduceRequestTopic()
	tp.Topic = topic
	for i := range int32(100) {
		if r, ok := records[i]; ok {
			p := kmsg.NewProduceRequestTopicPartition()
			p.Partition, p.Records = i, r
			tp.Partitions = append(tp.Partitions, p)
		}
	}
	q.Topics = append(q.Topics, tp)
	return q
}

// produceOne appends values to partition 0 and returns the partition's answer.
func (b *broker) produceOne(version, acks int16, topic string, records []byte) kmsg.ProduceResponseTopicPartition {
	b.t.Helper()
	r := b.ask(produceRequest(version, acks, topic, map[int32][]byte{0: records})).(*kmsg.ProduceResponse)
	return r.Topics[0].Partitions[0]
}

type fetchOptions func(*kmsg.FetchRequest)

func fetchRequest(version int16, topic string, offsets map[int32]int64, options ...fetchOptions) *kmsg.FetchRequest {
	q := kmsg.NewPtrFetchRequest()
	q.Version = version
	q.ReplicaID, q.MaxWaitMillis, q.MinBytes, q.MaxBytes = -1, 0, 1, 50<<20
	if len(offsets) > 0 {
		tp := kmsg.NewFetchRequestTopic()
		if version >= 13 {
			tp.TopicID = topicID(topic)
		} else {
			tp.Topic = topic
		}
		for i := range int32(100) {
			if o, ok := offsets[i]; ok {
				p := kmsg.NewFetchRequestTopicPartition()
				p.Partition, p.FetchOffset, p.PartitionMaxBytes = i, o, 1<<20
				tp.Partitions = append(tp.Partitions, p)
			}
		}
		q.Topics = append(q.Topics, tp)
	}
	for _, o := range options {
		o(q)
	}
	return q
}

func (b *broker) fetchOne(version int16, topic string, offset int64, options ...fetchOptions) kmsg.FetchResponseTopicPartition {
	b.t.Helper()
	r := b.ask(fetchRequest(version, topic, map[int32]int64{0: offset}, options...)).(*kmsg.FetchResponse)
	if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
		b.t.Fatalf("answer %+v", r)
	}
	return r.Topics[0].Partitions[0]
}

// values reads the values of all entries of a fetch's records.
func values(t *testing.T, records []byte) []string {
	t.Helper()
	var out []string
	for len(records) > 0 {
		size, _, err := record.EntrySize(records)
		if err != nil || size == 0 || size > len(records) {
			t.Fatalf("records end within an entry: %d of %d, %v", size, len(records), err)
		}
		it, err := record.IterateEntry(records[:size])
		if err != nil {
			t.Fatal(err)
		}
		for it.Next() {
			out = append(out, string(it.Record().Value))
		}
		if it.Err() != nil {
			t.Fatal(it.Err())
		}
		it.Close()
		records = records[size:]
	}
	return out
}
