package integration

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/protocol/record"
)

// TestIdempotentRetries sends batches again as a producer does that has lost an answer: each of
// the last five is answered with its first offset and not appended twice, an older or a later
// one is OUT_OF_ORDER_SEQUENCE_NUMBER, and an old epoch is fenced. A restart keeps the last batch.
func TestIdempotentRetries(t *testing.T) {
	b := harness.StartBroker(t, harness.Options{})
	c := harness.NewClient(t, b.Address())
	harness.CreateTopic(t, c, "once", 1, nil)
	id, epoch := producerID(t, c)

	for i := range int32(6) {
		code, offset := produceBatch(t, c, "once", id, epoch, i)
		expectProduced(t, "first time", code, nil, offset, int64(i))
	}
	for i := int32(1); i < 6; i++ {
		code, offset := produceBatch(t, c, "once", id, epoch, i)
		expectProduced(t, "a duplicate", code, nil, offset, int64(i))
	}
	code, _ := produceBatch(t, c, "once", id, epoch, 0)
	expectProduced(t, "older than five batches", code, kerr.OutOfOrderSequenceNumber, 0, 0)
	code, _ = produceBatch(t, c, "once", id, epoch, 8)
	expectProduced(t, "a gap", code, kerr.OutOfOrderSequenceNumber, 0, 0)

	b.Kill()
	b.Restart(t)
	code, offset := produceBatch(t, c, "once", id, epoch, 5)
	expectProduced(t, "a duplicate after SIGKILL", code, nil, offset, 5)
	b.Stop(t)
	b.Restart(t)
	code, offset = produceBatch(t, c, "once", id, epoch, 5)
	expectProduced(t, "a duplicate after SIGTERM", code, nil, offset, 5)
	code, offset = produceBatch(t, c, "once", id, epoch, 6)
	expectProduced(t, "the next", code, nil, offset, 6)
	code, offset = produceBatch(t, c, "once", id, epoch+1, 0)
	expectProduced(t, "a new epoch", code, nil, offset, 7)
	code, _ = produceBatch(t, c, "once", id, epoch, 7)
	expectProduced(t, "an old epoch", code, kerr.InvalidProducerEpoch, 0, 0)
	if end := harness.EndOffset(t, c, "once", 0); end != 8 {
		t.Errorf("log end offset %d, want 8", end)
	}
}

func expectProduced(t *testing.T, what string, code int16, want error, offset, wantOffset int64) {
	t.Helper()
	if got := kerr.ErrorForCode(code); got != want {
		t.Errorf("%s: error %v, want %v", what, got, want)
	} else if want == nil && offset != wantOffset {
		t.Errorf("%s: offset %d, want %d", what, offset, wantOffset)
	}
}

func producerID(t *testing.T, c *kgo.Client) (int64, int16) {
	t.Helper()
	r, err := kmsg.NewPtrInitProducerIDRequest().RequestWith(harness.Context(t), c)
	if err != nil || r.ErrorCode != 0 {
		t.Fatalf("InitProducerId: %v, code %d", err, r.ErrorCode)
	}
	return r.ProducerID, r.ProducerEpoch
}

// produceBatch sends one record with the sequence in a batch made by hand.
func produceBatch(t *testing.T, c *kgo.Client, topic string, id int64, epoch int16, sequence int32) (code int16, offset int64) {
	t.Helper()
	builder := record.NewBuilder(record.BatchOptions{Producer: &record.Producer{ID: id, Epoch: epoch, Sequence: sequence}})
	builder.Append(time.Now().UnixMilli(), nil, []byte("v"))
	batch, err := builder.Build()
	if err != nil {
		t.Fatal(err)
	}
	p := produceBytes(t, c, topic, batch)
	return p.ErrorCode, p.BaseOffset
}

// produceBytes sends a batch as it is to partition 0 and returns the answer.
func produceBytes(t *testing.T, c *kgo.Client, topic string, batch []byte) kmsg.ProduceResponseTopicPartition {
	t.Helper()
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 30_000
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Records = batch
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	var response *kmsg.ProduceResponse
	harness.Eventually(t, clientDeadline, func() (err error) {
		response, err = req.RequestWith(context.WithoutCancel(harness.Context(t)), c)
		return err
	})
	return response.Topics[0].Partitions[0]
}
