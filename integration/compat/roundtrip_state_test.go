//go:build compat

package compat

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/protocol/record"
)

// idempotent is a producer that can send a batch again: what a client does when the answer was lost.
type idempotent struct {
	client   *kgo.Client
	id       int64
	epoch    int16
	sequence int32
	last     []byte // the batch that was sent last
	offset   int64  // where it is
}

func newIdempotent(t *testing.T, c *kgo.Client) *idempotent {
	t.Helper()
	q := kmsg.NewPtrInitProducerIDRequest()
	r, err := q.RequestWith(harness.Context(t), c)
	if err == nil {
		err = kerr.ErrorForCode(r.ErrorCode)
	}
	if err != nil {
		t.Fatalf("init producer id: %v", err)
	}
	return &idempotent{client: c, id: r.ProducerID, epoch: r.ProducerEpoch}
}

// send appends a batch of three records to the topic.
func (p *idempotent) send(t *testing.T, by string) []*kgo.Record {
	t.Helper()
	builder := record.NewBuilder(record.BatchOptions{Producer: &record.Producer{ID: p.id, Epoch: p.epoch, Sequence: p.sequence}})
	var records []*kgo.Record
	for i := range 3 {
		at, value := time.Now().UnixMilli(), fmt.Appendf(nil, "%s, sequence %d", by, p.sequence+int32(i))
		builder.Append(at, nil, value)
		records = append(records, &kgo.Record{Topic: onceTopic, Value: value, Timestamp: time.UnixMilli(at)})
	}
	batch, err := builder.Build()
	if err != nil {
		t.Fatal(err)
	}
	p.last = batch
	p.offset = p.produce(t, by)
	p.sequence += 3
	for i, r := range records {
		r.Offset = p.offset + int64(i)
	}
	return records
}

// sendAgain sends the last batch again, which must be taken for what it is.
func (p *idempotent) sendAgain(t *testing.T, who string) {
	t.Helper()
	if offset := p.produce(t, who); offset != p.offset {
		t.Errorf("%s: the batch at %d, sent again, is at %d", who, p.offset, offset)
	}
}

func (p *idempotent) produce(t *testing.T, who string) int64 {
	t.Helper()
	q := kmsg.NewPtrProduceRequest()
	q.Acks, q.TimeoutMillis = -1, 10_000
	part := kmsg.NewProduceRequestTopicPartition()
	part.Records = append([]byte(nil), p.last...)
	q.Topics = []kmsg.ProduceRequestTopic{{Topic: onceTopic, Partitions: []kmsg.ProduceRequestTopicPartition{part}}}
	offset := int64(-1)
	harness.Eventually(t, 30*time.Second, func() error { // a broker that has just started does not lead yet
		r, err := q.RequestWith(harness.Context(t), p.client)
		if err != nil {
			return fmt.Errorf("%s: %w", who, err)
		}
		answer := r.Topics[0].Partitions[0]
		offset = answer.BaseOffset
		return kerr.ErrorForCode(answer.ErrorCode)
	})
	return offset
}

// onceTopic has the batches of an idempotent producer that sends some twice.
const onceTopic = "once"

// commit notes offsets for a group, which were never committed before, and has a member of another take part in a generation.
func (d *directory) commit(t *testing.T) {
	t.Helper()
	d.commits++
	var offsets kadm.Offsets
	for p := range int32(3) {
		offsets.Add(kadm.Offset{Topic: plainTopic, Partition: p, At: 10*d.commits + int64(p), LeaderEpoch: 0, Metadata: fmt.Sprintf("commit %d", d.commits)})
	}
	if err := d.admin.CommitAllOffsets(harness.Context(t), "committers", offsets); err != nil {
		t.Fatalf("commit: %v", err)
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(d.address), kgo.ConsumerGroup("readers"), kgo.ConsumeTopics(openTopic, appendTimeTopic),
		kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fetches := c.PollFetches(harness.Context(t)) // nothing, when the group has read all
	if len(fetches.Records()) > 0 {
		if err := c.CommitRecords(harness.Context(t), fetches.Records()...); err != nil {
			t.Fatalf("commit: %v", err)
		}
	}
}

// groupFacts are the offsets that groups have committed.
func (d *directory) groupFacts(t *testing.T) (facts []string) {
	t.Helper()
	for _, group := range []string{"committers", "readers"} {
		var offsets kadm.OffsetResponses
		harness.Eventually(t, 30*time.Second, func() (err error) { // the coordinator may be loading
			offsets, err = d.admin.FetchOffsets(harness.Context(t), group)
			return err
		})
		offsets.Each(func(o kadm.OffsetResponse) {
			facts = append(facts, fmt.Sprintf("%s has committed %+v (%v)", group, o.Offset, o.Err))
		})
	}
	return facts
}

// epochFacts are where every leader epoch of before ends.
func (d *directory) epochFacts(t *testing.T) (facts []string) {
	t.Helper()
	for epoch := range int32(4) {
		var q kadm.OffsetForLeaderEpochRequest
		for _, topic := range topics {
			q.Add(topic, 0, epoch)
		}
		ends, err := d.admin.OffsetForLeaderEpoch(harness.Context(t), q)
		if err != nil {
			t.Fatalf("offset for leader epoch: %v", err)
		}
		for _, partitions := range ends {
			for _, o := range partitions {
				if o.LeaderEpoch >= 0 { // there was such an epoch
					facts = append(facts, fmt.Sprintf("epoch %d of %s-%d ends as %d at %d (%v)", epoch, o.Topic, o.Partition, o.LeaderEpoch, o.EndOffset, o.Err))
				}
			}
		}
	}
	return facts
}
