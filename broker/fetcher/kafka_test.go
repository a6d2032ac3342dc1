//go:build compat

package fetcher

import (
	"context"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/replica"
)

// TestKafkaIsFollowed follows a topic that Apache Kafka leads: broker 1, alone in its cluster, listening at
// $KBROKER_KAFKA_LEADER. The topic is assigned to broker 2 too, which is this test.
func TestKafkaIsFollowed(t *testing.T) {
	address := os.Getenv("KBROKER_KAFKA_LEADER")
	if address == "" {
		t.Fatal("KBROKER_KAFKA_LEADER is not set: host:port of a broker of Apache Kafka")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	name := "followed-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	state := createAt(ctx, t, client, name)
	host, number := split(t, address)
	b := newBroker(t, &network{tcp: true}, 2)
	b.metadata.Apply(metadata.Update{Brokers: []metadata.Broker{
		{ID: 1, Endpoints: []metadata.Endpoint{{Listener: "PLAINTEXT", Host: host, Port: number}}}, {ID: 2},
	}})
	for _, err := range b.replicas.Apply(ctx, 1, 1, []replica.State{state}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	large := make([]byte, 100_000)
	const records = 200
	for i := range records {
		r := &kgo.Record{Topic: name, Value: append([]byte(strconv.Itoa(i)), large...)}
		if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	p := b.partition(name, 0)
	for p.HighWatermark() < records && ctx.Err() == nil {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	position, err := p.Position(state.LeaderEpoch)
	if err != nil || position.Offset != records || position.LastEpoch != state.LeaderEpoch {
		t.Fatalf("ends at %+v: %v", position, err)
	}
	values, _ := b.log(name, 0)
	for i, v := range values {
		if want := strconv.Itoa(i); v[:len(want)] != want {
			t.Fatalf("record %d is %.10q", i, v)
		}
	}
	for _, l := range b.fetchers.mu.loops {
		l.stop()
	}
	b.fetchers.group.Wait()
	for _, l := range b.fetchers.mu.loops {
		if l.session.id == 0 || l.session.epoch < 2 {
			t.Errorf("session %d has epoch %d", l.session.id, l.session.epoch)
		}
	}
	for _, m := range []string{"kbroker_replication_failed_partitions", "kbroker_replication_fetch_errors_total"} {
		if got := b.metric(m); got != 0 {
			t.Errorf("%s is %v", m, got)
		}
	}
}

// createAt creates a topic on brokers 1 and 2, and returns the state of its partition for broker 2.
func createAt(ctx context.Context, t *testing.T, client *kgo.Client, name string) replica.State {
	t.Helper()
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	assignment := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
	assignment.Replicas = []int32{1, 2}
	topic.ReplicaAssignment = append(topic.ReplicaAssignment, assignment)
	create.Topics, create.TimeoutMillis = append(create.Topics, topic), 30_000
	if r, err := create.RequestWith(ctx, client); err != nil || r.Topics[0].ErrorCode != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	ask := kmsg.NewPtrMetadataRequest()
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = &name
	ask.Topics = append(ask.Topics, asked)
	for ctx.Err() == nil {
		r, err := ask.RequestWith(ctx, client)
		if err != nil {
			t.Fatal(err)
		}
		if p := r.Topics[0].Partitions; len(p) == 1 && p[0].Leader == 1 {
			return replica.State{
				Topic: name, TopicID: r.Topics[0].TopicID, ControllerEpoch: 1, Leader: 1, LeaderEpoch: p[0].LeaderEpoch,
				ISR: []int32{1}, Replicas: []int32{1, 2}, IsNew: true,
			}
		}
	}
	t.Fatal("the topic has no leader")
	return replica.State{}
}

func split(t *testing.T, address string) (host string, port int32) {
	t.Helper()
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return host, int32(number)
}
