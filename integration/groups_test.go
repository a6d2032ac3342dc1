package integration

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
)

// withoutDelay lets the first member of a group start at once.
var withoutDelay = map[string]string{"group.initial.rebalance.delay.ms": "0"}

// groupClient is a family of group consumers: consume joins a group and gives every value that it reads to got, committing
// as it goes, until ctx ends; then it leaves.
type groupClient struct {
	name    string
	consume func(ctx context.Context, address, group, topic string, got func(value string)) error
}

func groupClients() []groupClient {
	return []groupClient{
		{"franz-go", franzGroup()},
		{"franz-go of the new protocol", franzGroup(newProtocol()...)},
		{"sarama", saramaGroup},
		{"kafka-go", kafkaGoGroup},
	}
}

// newProtocol makes franz-go consume by KIP-848: the broker assigns.
func newProtocol() []kgo.Opt {
	return []kgo.Opt{kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer())}
}

func franzGroup(options ...kgo.Opt) func(ctx context.Context, address, group, topic string, got func(string)) error {
	return func(ctx context.Context, address, group, topic string, got func(string)) error {
		c, err := kgo.NewClient(append([]kgo.Opt{
			kgo.SeedBrokers(address), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
			kgo.BlockRebalanceOnPoll(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		}, options...)...)
		if err != nil {
			return err
		}
		defer c.CloseAllowingRebalance()
		for {
			fetches := c.PollFetches(ctx)
			if ctx.Err() != nil {
				return nil
			}
			if err := fetches.Err(); err != nil {
				return err
			}
			fetches.EachRecord(func(r *kgo.Record) { got(string(r.Value)) })
			// Not ctx: what was read must be committed also when the test has seen enough.
			if err := c.CommitUncommittedOffsets(context.WithoutCancel(ctx)); err != nil {
				return fmt.Errorf("commit: %w", err)
			}
			c.AllowRebalance()
		}
	}
}

type saramaHandler func(string)

func (saramaHandler) Setup(sarama.ConsumerGroupSession) error { return nil }

// Cleanup commits at the end alone: on Sarama's one connection a commit waits behind a fetch that waits for records.
func (saramaHandler) Cleanup(s sarama.ConsumerGroupSession) error {
	s.Commit()
	return nil
}

func (h saramaHandler) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for m := range claim.Messages() {
		h(string(m.Value))
		s.MarkMessage(m, "note")
	}
	return nil
}

func saramaGroup(ctx context.Context, address, group, topic string, got func(string)) error {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	g, err := sarama.NewConsumerGroup([]string{address}, group, c)
	if err != nil {
		return err
	}
	defer g.Close()
	for ctx.Err() == nil {
		if err := g.Consume(ctx, []string{topic}, saramaHandler(got)); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func kafkaGoGroup(ctx context.Context, address, group, topic string, got func(string)) error {
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{address}, GroupID: group, Topic: topic, StartOffset: kafka.FirstOffset, MaxWait: 200 * time.Millisecond,
	})
	defer r.Close()
	for {
		m, err := r.ReadMessage(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		got(string(m.Value))
	}
}

// tally counts values that members of a group read.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
}

func (n *tally) add(value string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen == nil {
		n.seen = map[string]int{}
	}
	n.seen[value]++
}

func (n *tally) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.seen)
}

// consumeAll runs members of one group until they have read count values together.
func consumeAll(t *testing.T, c groupClient, members int, address, group, topic string, count int) *tally {
	t.Helper()
	ctx, cancel := context.WithTimeout(harness.Context(t), clientDeadline)
	defer cancel()
	n := new(tally)
	failed := make(chan error, members)
	for range members {
		go func() { failed <- c.consume(ctx, address, group, topic, n.add) }()
	}
	harness.Eventually(t, clientDeadline, func() error {
		select {
		case err := <-failed:
			failed <- err
			return nil
		default:
		}
		if got := n.count(); got < count {
			return fmt.Errorf("%s: the group has read %d of %d values", c.name, got, count)
		}
		return nil
	})
	cancel()
	for range members {
		if err := <-failed; err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
	}
	return n
}

// produceValues writes values from first to last-1, spread over the partitions.
func produceValues(t *testing.T, address, topic string, first, last int) {
	t.Helper()
	c := harness.NewClient(t, address, kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	var records []*kgo.Record
	for i := first; i < last; i++ {
		records = append(records, &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)})
	}
	harness.Produce(t, c, records...)
}

// TestGroups lets members of each client share a topic, and then others of the same group go on where they were, over a stop
// and over SIGKILL: what was committed is not read again.
func TestGroups(t *testing.T) {
	for _, c := range groupClients() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const topic, group, partitions, batch = "shared", "readers", 4, 100
			b := harness.StartBroker(t, harness.Options{Config: withoutDelay})
			harness.CreateTopic(t, harness.NewClient(t, b.Address()), topic, partitions, nil)
			read := 0
			for _, between := range []func(){
				func() {},
				func() { b.Stop(t); b.Restart(t) },
				func() { b.Kill(); b.Restart(t) },
			} {
				between()
				produceValues(t, b.Address(), topic, read, read+batch)
				n := consumeAll(t, c, 2, b.Address(), group, topic, batch)
				for value := range n.seen {
					var i int
					if _, err := fmt.Sscan(value, &i); err != nil || i < read || i >= read+batch {
						t.Errorf("%s was read again after it was committed", value)
					}
				}
				read += batch
			}
			offsetsAddUp(t, b.Address(), group, int64(read))
		})
	}
}

// offsetsAddUp checks what admins see of a group that has left: no members, and all that was read.
func offsetsAddUp(t *testing.T, address, group string, want int64) {
	t.Helper()
	admin := kadm.NewClient(harness.NewClient(t, address))
	ctx := harness.Context(t)
	listed, err := admin.ListGroups(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if g := listed[group]; g.Group != group || g.State != "Empty" {
		t.Errorf("listed %+v", listed)
	}
	offsets, err := admin.FetchOffsets(ctx, group)
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	offsets.Each(func(o kadm.OffsetResponse) { sum += o.At })
	if sum != want {
		t.Errorf("committed offsets add up to %d, want %d", sum, want)
	}
}

// TestKcatGroup is what the README shows of groups.
func TestKcatGroup(t *testing.T) {
	b := harness.StartBroker(t, harness.Options{Config: withoutDelay})
	harness.CreateTopic(t, harness.NewClient(t, b.Address()), "hello", 1, nil)
	kcat := func(stdin string, args ...string) string {
		t.Helper()
		stdout, _, err := harness.RunApart(stdin, "kcat", append([]string{"-b", b.Address()}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return stdout
	}
	for _, line := range []string{"one\n", "two\n"} {
		kcat(line, "-P", "-t", "hello")
		if got := kcat("", "-G", "readers", "-c", "1", "-q", "-X", "auto.offset.reset=earliest", "hello"); got != line {
			t.Errorf("the group reads %q, want %q", got, line)
		}
	}
}

// TestOffsetsOutliveTheBroker commits for each of many groups, kills the broker and asks for every one.
func TestOffsetsOutliveTheBroker(t *testing.T) {
	b := harness.StartBroker(t, harness.Options{})
	harness.CreateTopic(t, harness.NewClient(t, b.Address()), "t", 3, nil)
	const groups = 60
	for round := range int64(2) {
		admin := kadm.NewClient(harness.NewClient(t, b.Address()))
		for g := range groups {
			offsets := kadm.Offsets{}
			for p := range int32(3) {
				offsets.Add(kadm.Offset{Topic: "t", Partition: p, At: round*1000 + int64(g), LeaderEpoch: 0, Metadata: "note"})
			}
			if err := admin.CommitAllOffsets(harness.Context(t), fmt.Sprintf("group-%d", g), offsets); err != nil {
				t.Fatal(err)
			}
		}
		b.Kill()
		b.Restart(t)
		admin = kadm.NewClient(harness.NewClient(t, b.Address()))
		for g := range groups {
			fetched, err := admin.FetchOffsets(harness.Context(t), fmt.Sprintf("group-%d", g))
			if err != nil {
				t.Fatal(err)
			}
			for p := range int32(3) {
				o, ok := fetched.Lookup("t", p)
				if !ok || o.At != round*1000+int64(g) || o.Metadata != "note" || o.LeaderEpoch != 0 {
					t.Errorf("round %d, group %d, partition %d: %+v", round, g, p, o)
				}
			}
		}
	}
}

// TestAJoinDoesNotHoldUpTheStop stops the broker while members wait for others.
func TestAJoinDoesNotHoldUpTheStop(t *testing.T) {
	b := harness.StartBroker(t, harness.Options{Config: map[string]string{"group.initial.rebalance.delay.ms": "60000"}})
	harness.CreateTopic(t, harness.NewClient(t, b.Address()), "t", 1, nil)
	c := harness.NewClient(t, b.Address(), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"))
	ctx, cancel := context.WithCancel(harness.Context(t))
	defer cancel()
	go c.PollFetches(ctx)
	admin := kadm.NewClient(harness.NewClient(t, b.Address()))
	harness.Eventually(t, clientDeadline, func() error {
		d, err := admin.DescribeGroups(harness.Context(t), "g")
		if err == nil && d["g"].State != "PreparingRebalance" {
			err = fmt.Errorf("the group is %s", d["g"].State)
		}
		return err
	})
	start := time.Now()
	b.Stop(t)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
}

const groupResource = kmsg.ConfigResourceType(32)

// alterHeartbeat sets the heartbeat interval of a group and returns the code of the answer.
func alterHeartbeat(t *testing.T, c *kgo.Client, value string) int16 {
	t.Helper()
	q := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = groupResource, "my/group"
	k := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	k.Name, k.Value = "consumer.heartbeat.interval.ms", &value
	r.Configs = append(r.Configs, k)
	q.Resources = append(q.Resources, r)
	a, err := q.RequestWith(harness.Context(t), c)
	if err != nil {
		t.Fatal(err)
	}
	return a.Resources[0].ErrorCode
}

// TestGroupSettings changes a group's heartbeat interval while it runs (kafka-configs --entity-type groups).
func TestGroupSettings(t *testing.T) {
	b := harness.StartBroker(t, harness.Options{Config: withoutDelay})
	c := harness.NewClient(t, b.Address())
	ctx := harness.Context(t)
	if code := alterHeartbeat(t, c, "1"); code != kerr.InvalidConfig.Code {
		t.Errorf("an interval of 1 ms is answered %d", code)
	}
	if code := alterHeartbeat(t, c, "7000"); code != 0 {
		t.Fatalf("error %d", code)
	}
	heartbeat := func() time.Duration {
		q := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		q.Group, q.MemberID, q.RebalanceTimeoutMillis, q.SubscribedTopicNames = "my/group", "m", 10_000, []string{"t"}
		q.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		var interval time.Duration
		harness.Eventually(t, clientDeadline, func() error { // the first one makes the topic of the groups
			a, err := q.RequestWith(ctx, c)
			if err == nil {
				err = kerr.ErrorForCode(a.ErrorCode)
			}
			if err == nil {
				interval = time.Duration(a.HeartbeatIntervalMillis) * time.Millisecond
			}
			return err
		})
		return interval
	}
	if got := heartbeat(); got != 7*time.Second {
		t.Errorf("members are told to heartbeat every %v", got)
	}
	b.Kill()
	b.Restart(t)
	if got := heartbeat(); got != 7*time.Second {
		t.Errorf("after a restart every %v", got)
	}
	q := kmsg.NewPtrListConfigResourcesRequest()
	q.ResourceTypes = []int8{int8(groupResource)}
	if a, err := q.RequestWith(ctx, c); err != nil {
		t.Error(err)
	} else if len(a.ConfigResources) != 1 || a.ConfigResources[0].Name != "my/group" {
		t.Errorf("%+v", a)
	}
	d := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName = groupResource, "my/group"
	d.Resources = append(d.Resources, r)
	a, err := d.RequestWith(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if code := a.Resources[0].ErrorCode; code != 0 {
		t.Fatalf("error %d", code)
	}
	for _, k := range a.Resources[0].Configs {
		want := map[string]string{"consumer.heartbeat.interval.ms": "7000", "consumer.session.timeout.ms": "45000"}[k.Name]
		if k.Value == nil || *k.Value != want {
			t.Errorf("%s is %v, want %s", k.Name, k.Value, want)
		}
	}
}
