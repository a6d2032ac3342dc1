package integration

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
)

// effect is what a key changes in the answer to a request.
type effect struct {
	key, value string
	also       map[string]string
	ask        func(t *testing.T, c *kgo.Client) string
	want       string
}

// effects are those that one request shows; the answer with the default is another.
func effects() []effect {
	create := func(partitions int32, factor int16) func(*testing.T, *kgo.Client) string {
		return func(t *testing.T, c *kgo.Client) string {
			q := kmsg.NewPtrCreateTopicsRequest()
			q.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: "new", NumPartitions: partitions, ReplicationFactor: factor}}
			answer := ask(t, c, q).(*kmsg.CreateTopicsResponse).Topics[0]
			return fmt.Sprintf("%d partitions, %v", answer.NumPartitions, kerr.ErrorForCode(answer.ErrorCode))
		}
	}
	return []effect{
		{"num.partitions", "3", nil, create(-1, 1), "3 partitions, <nil>"},
		{"default.replication.factor", "2", nil, create(1, -1), "-1 partitions, " + kerr.InvalidReplicationFactor.Error()},
		{"auto.create.topics.enable", "false", nil, func(t *testing.T, c *kgo.Client) string {
			q := kmsg.NewPtrMetadataRequest()
			q.Topics, q.AllowAutoTopicCreation = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("new")}}, true
			return codeText(ask(t, c, q).(*kmsg.MetadataResponse).Topics[0].ErrorCode)
		}, "UNKNOWN_TOPIC_OR_PARTITION"},
		{"delete.topic.enable", "false", nil, func(t *testing.T, c *kgo.Client) string {
			q := kmsg.NewPtrDeleteTopicsRequest()
			q.TopicNames, q.Topics = []string{"there"}, []kmsg.DeleteTopicsRequestTopic{{Topic: kmsg.StringPtr("there")}}
			return codeText(ask(t, c, q).(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode)
		}, "TOPIC_DELETION_DISABLED"},
		{"broker.rack", "a", nil, func(t *testing.T, c *kgo.Client) string {
			rack := ask(t, c, kmsg.NewPtrMetadataRequest()).(*kmsg.MetadataResponse).Brokers[0].Rack
			if rack == nil {
				return "none"
			}
			return *rack
		}, "a"},
		{"reserved.broker.max.id", "5000", map[string]string{"broker.id": "-1"}, brokerID, "5001"},
		{"node.id", "7", map[string]string{"broker.id": "7"}, brokerID, "7"},
		{"fetch.max.bytes", "1024", nil, fetchThere, "1 of 3 records, a session: true"},
		{"max.incremental.fetch.session.cache.slots", "0", nil, fetchThere, "3 of 3 records, a session: false"},
		{"group.min.session.timeout.ms", "20000", nil, join(10_000), "INVALID_SESSION_TIMEOUT"},
		{"group.max.session.timeout.ms", "20000", nil, join(30_000), "INVALID_SESSION_TIMEOUT"},
		{"group.max.size", "1", map[string]string{"group.initial.rebalance.delay.ms": "0"}, func(t *testing.T, c *kgo.Client) string {
			join(10_000)(t, c)
			return join(10_000)(t, c)
		}, "GROUP_MAX_SIZE_REACHED"},
		{"offset.metadata.max.bytes", "10", nil, func(t *testing.T, c *kgo.Client) string {
			q := kmsg.NewPtrOffsetCommitRequest()
			q.Group = "g"
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Metadata = kmsg.StringPtr("12345678901")
			q.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "there", Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
			return codeText(ask(t, c, q).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
		}, "OFFSET_METADATA_TOO_LARGE"},
	}
}

// TestConfigEffects asks a broker with one key changed, and one without: the answers are what the key says.
func TestConfigEffects(t *testing.T) {
	t.Parallel()
	plain := startWithRecords(t, nil)
	for _, e := range effects() {
		t.Run(e.key, func(t *testing.T) {
			if e.also == nil { // else the plain broker would have to be another
				if got := e.ask(t, plain); got == e.want {
					t.Errorf("without %s the answer is %s too", e.key, got)
				}
			}
			config := map[string]string{e.key: e.value}
			maps.Copy(config, e.also)
			if got := e.ask(t, startWithRecords(t, config)); got != e.want {
				t.Errorf("with %s=%s the answer is %s, want %s", e.key, e.value, got, e.want)
			}
		})
	}
}

// startWithRecords starts a broker with a topic of three batches, and a group coordinator that is ready.
func startWithRecords(t *testing.T, config map[string]string) *kgo.Client {
	t.Helper()
	all := map[string]string{"offsets.topic.num.partitions": "1"}
	maps.Copy(all, config)
	b := harness.StartBroker(t, harness.Options{Plain: true, Config: all})
	c := harness.NewClient(t, b.Address(), kgo.ProducerBatchCompression(kgo.NoCompression()))
	harness.CreateTopic(t, c, "there", 1, nil)
	for range 3 {
		harness.Produce(t, c, &kgo.Record{Topic: "there", Value: make([]byte, 1000)})
	}
	harness.Eventually(t, clientDeadline, func() error {
		q := kmsg.NewPtrHeartbeatRequest()
		q.Group, q.MemberID = "g", "nobody"
		r, err := q.RequestWith(harness.Context(t), c)
		if err == nil && r.ErrorCode != kerr.UnknownMemberID.Code {
			err = fmt.Errorf("the coordinator is not ready: %w", kerr.ErrorForCode(r.ErrorCode))
		}
		return err
	})
	return c
}

func ask(t *testing.T, c *kgo.Client, q kmsg.Request) kmsg.Response {
	t.Helper()
	r, err := c.Request(harness.Context(t), q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// codeText is the name of an error code.
func codeText(code int16) string {
	if err := kerr.TypedErrorForCode(code); err != nil {
		return err.Message
	}
	return "NONE"
}

func brokerID(t *testing.T, c *kgo.Client) string {
	return fmt.Sprint(ask(t, c, kmsg.NewPtrMetadataRequest()).(*kmsg.MetadataResponse).Brokers[0].NodeID)
}

// fetchThere fetches all that there is and asks for a session.
func fetchThere(t *testing.T, c *kgo.Client) string {
	meta := kmsg.NewPtrMetadataRequest()
	meta.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("there")}}
	topic := ask(t, c, meta).(*kmsg.MetadataResponse).Topics[0]
	q := kmsg.NewPtrFetchRequest()
	q.MaxBytes, q.ReplicaID, q.SessionEpoch = 1<<20, -1, 0
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes, p.CurrentLeaderEpoch = 1<<20, -1
	q.Topics = []kmsg.FetchRequestTopic{{Topic: "there", TopicID: topic.TopicID, Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	r := ask(t, c, q).(*kmsg.FetchResponse)
	return fmt.Sprintf("%d of 3 records, a session: %v", len(r.Topics[0].Partitions[0].RecordBatches)/1000, r.SessionID != 0)
}

// join asks to become a member of the group, twice where the first answer gives the id.
func join(sessionMillis int32) func(*testing.T, *kgo.Client) string {
	return func(t *testing.T, c *kgo.Client) string {
		q := kmsg.NewPtrJoinGroupRequest()
		q.Group, q.ProtocolType, q.SessionTimeoutMillis, q.RebalanceTimeoutMillis = "g", "consumer", sessionMillis, 5000
		q.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
		r := ask(t, c, q).(*kmsg.JoinGroupResponse)
		if r.ErrorCode == kerr.MemberIDRequired.Code {
			q.MemberID = r.MemberID
			r = ask(t, c, q).(*kmsg.JoinGroupResponse)
		}
		return codeText(r.ErrorCode)
	}
}

// TestListenersOfBrokers has the controller and the brokers talk over listeners of their own.
func TestListenersOfBrokers(t *testing.T) {
	t.Parallel()
	for key, listener := range map[string]string{"inter.broker.listener.name": "INSIDE", "control.plane.listener.name": "CONTROL"} {
		t.Run(key, func(t *testing.T) {
			port := harness.FreePort(t)
			b := harness.NewBroker(t, harness.Options{
				Plain: true,
				Listeners: fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,INSIDE://127.0.0.1:%d,CONTROL://127.0.0.1:%d",
					port, harness.FreePort(t), harness.FreePort(t)),
				Config: map[string]string{"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROL:PLAINTEXT", key: listener},
			})
			b.Port = port
			b.Restart(t)
			harness.Eventually(t, clientDeadline, func() error {
				if n := b.Metric(t, fmt.Sprintf("kbroker_connections{listener=%q}", listener)); n < 1 {
					return fmt.Errorf("nobody is connected to %s", listener)
				}
				return nil
			})
			harness.CreateTopic(t, harness.NewClient(t, b.Address()), "t", 1, nil)
		})
	}
}

// TestAdvertisedListeners has a broker tell another address than the one that it is bound to.
func TestAdvertisedListeners(t *testing.T) {
	t.Parallel()
	b := harness.NewBroker(t, harness.Options{Plain: true})
	b.Advertise(fmt.Sprintf("localhost:%d", b.Port))
	b.Restart(t)
	brokers := ask(t, harness.NewClient(t, b.Address()), kmsg.NewPtrMetadataRequest()).(*kmsg.MetadataResponse).Brokers
	if len(brokers) != 1 || brokers[0].Host != "localhost" || int(brokers[0].Port) != b.Port {
		t.Errorf("advertised %+v", brokers)
	}
}

// TestControlledShutdown stops a broker that leads what no other can lead: it asks as often as it shall, or not at all.
func TestControlledShutdown(t *testing.T) {
	t.Parallel()
	const refused = "the controller found no other leader for some partitions"
	for name, test := range map[string]struct {
		config map[string]string
		tries  int
	}{
		"twice":  {map[string]string{"controlled.shutdown.max.retries": "2", "controlled.shutdown.retry.backoff.ms": "700"}, 2},
		"thrice": {map[string]string{"controlled.shutdown.max.retries": "3", "controlled.shutdown.retry.backoff.ms": "1"}, 3},
		"never":  {map[string]string{"controlled.shutdown.enable": "false"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			z := harness.StartZooKeeper(t)
			first := harness.StartBroker(t, harness.Options{Plain: true, ZooKeeper: z.Address(), ID: 1}) // the controller
			b := harness.StartBroker(t, harness.Options{Plain: true, ZooKeeper: z.Address(), ID: 2, Config: test.config})
			other := harness.StartBroker(t, harness.Options{Plain: true, ZooKeeper: z.Address(), ID: 3})
			q := kmsg.NewPtrCreateTopicsRequest()
			topic := kmsg.NewCreateTopicsRequestTopic()
			topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "alone", -1, -1
			topic.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Replicas: []int32{2, 3}}}
			q.Topics = append(q.Topics, topic)
			if r := ask(t, harness.NewClient(t, first.Address()), q).(*kmsg.CreateTopicsResponse); r.Topics[0].ErrorCode != 0 {
				t.Fatal(kerr.ErrorForCode(r.Topics[0].ErrorCode))
			}
			b.AwaitOutput(t, "became leader", clientDeadline)
			other.Stop(t) // leaves the replicas in sync, of which only b is left
			began := time.Now()
			b.Stop(t)
			if got := strings.Count(b.Output(), refused); got != test.tries {
				t.Errorf("asked %d times, want %d", got, test.tries)
			}
			if took := time.Since(began); name == "twice" && took < 700*time.Millisecond {
				t.Errorf("stopped within %s, without a pause", took)
			}
		})
	}
}
