package alterisr

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/protocol"
)

// controller answers requests when it is told to.
type controller struct {
	requests chan *kmsg.AlterPartitionRequest
	answers  chan *kmsg.AlterPartitionResponse
}

func (c *controller) request(ctx context.Context, r kmsg.Request) (kmsg.Response, error) {
	c.requests <- r.(*kmsg.AlterPartitionRequest)
	select {
	case a := <-c.answers:
		return a, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// answer says the same code about everything that was asked; a whole refusal when refused is not 0.
func (c *controller) answer(r *kmsg.AlterPartitionRequest, refused, code protocol.ErrorCode) {
	a := kmsg.NewPtrAlterPartitionResponse()
	a.SetVersion(r.Version)
	a.ErrorCode = int16(refused)
	for i := range r.Topics {
		t := kmsg.NewAlterPartitionResponseTopic()
		if r.Version >= idsFrom {
			t.TopidID = r.Topics[i].TopicID
		} else {
			t.Topic = r.Topics[i].Topic
		}
		for _, p := range r.Topics[i].Partitions {
			to := kmsg.NewAlterPartitionResponseTopicPartition()
			to.Partition, to.ErrorCode, to.LeaderID, to.LeaderEpoch = p.Partition, int16(code), 1, p.LeaderEpoch
			to.ISR, to.PartitionEpoch = p.NewISR, p.PartitionEpoch+1
			t.Partitions = append(t.Partitions, to)
		}
		a.Topics = append(a.Topics, t)
	}
	c.answers <- a
}

type outcome struct {
	replica.ISRAnswer
	err error
}

func start(t *testing.T) (*Proposals, *controller) {
	c := &controller{requests: make(chan *kmsg.AlterPartitionRequest), answers: make(chan *kmsg.AlterPartitionResponse)}
	p := New(Options{BrokerID: 1, BrokerEpoch: func() int64 { return 77 }, Request: c.request, Logger: zap.NewNop()})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return p, c
}

func propose(p *Proposals, topic string, id byte, index, epoch int32, isr ...int32) chan outcome {
	out := make(chan outcome, 1)
	p.Propose(replica.ISRChange{
		Topic: topic, TopicID: [16]byte{id}, Partition: index, LeaderEpoch: 5, PartitionEpoch: epoch, ISR: isr,
	}, func(a replica.ISRAnswer, err error) { out <- outcome{a, err} })
	return out
}

func TestWhatIsProposedMeanwhileGoesInOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := start(t)
		first := propose(p, "a", 1, 0, 3, 1, 2)
		r := <-c.requests
		if r.BrokerID != 1 || r.BrokerEpoch != 77 || r.Version != newestVersion {
			t.Errorf("request %+v", r)
		}
		if e := r.Topics[0].Partitions[0].NewEpochISR; len(e) != 2 || e[0].BrokerID != 1 || e[1].BrokerEpoch != -1 {
			t.Errorf("isr with epochs %+v", e)
		}
		second, third := propose(p, "a", 1, 1, 3, 1), propose(p, "b", 2, 0, 9, 1, 3)
		synctest.Wait()
		c.answer(r, 0, 0)
		if got := <-first; got.err != nil || got.PartitionEpoch != 4 || !slices.Equal(got.ISR, []int32{1, 2}) || got.LeaderEpoch != 5 {
			t.Errorf("outcome %+v", got)
		}
		r = <-c.requests
		if len(r.Topics) != 2 {
			t.Errorf("%d topics in the second request, want both", len(r.Topics))
		}
		c.answer(r, 0, 0)
		if a, b := <-second, <-third; a.PartitionEpoch != 4 || b.PartitionEpoch != 10 {
			t.Errorf("outcomes %+v and %+v", a, b)
		}
	})
}

func TestTheLastProposalOfAPartitionCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := start(t)
		sent := propose(p, "a", 1, 0, 3, 1, 2)
		r := <-c.requests
		outdated, last := propose(p, "a", 1, 0, 4, 1), propose(p, "a", 1, 0, 5, 1, 3)
		if got := <-outdated; !errors.Is(got.err, replica.ErrISRStale) {
			t.Errorf("outcome %+v, want stale", got)
		}
		// Refused as a whole: what was in flight has a successor.
		c.answer(r, protocol.StaleBrokerEpoch, 0)
		if got := <-sent; !errors.Is(got.err, replica.ErrISRStale) {
			t.Errorf("outcome %+v, want stale", got)
		}
		r = <-c.requests
		if isr := r.Topics[0].Partitions[0].NewISR; !slices.Equal(isr, []int32{1, 3}) {
			t.Errorf("isr %v is proposed, want the last", isr)
		}
		c.answer(r, 0, 0)
		if got := <-last; got.err != nil || got.PartitionEpoch != 6 {
			t.Errorf("outcome %+v", got)
		}
	})
}

func TestARefusedRequestIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := start(t)
		got := propose(p, "a", 1, 0, 3, 1, 2)
		begin := time.Now()
		for range 3 {
			c.answer(<-c.requests, protocol.StaleBrokerEpoch, 0)
		}
		c.answer(<-c.requests, 0, 0)
		if o := <-got; o.err != nil {
			t.Errorf("outcome %+v", o)
		}
		if took := time.Since(begin); took != 3*retryAfter {
			t.Errorf("repeated within %v, want a pause of %v each", took, retryAfter)
		}
	})
}

func TestATopicWithoutIDIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := start(t)
		got := propose(p, "old", 0, 0, 3, 1, 2)
		r := <-c.requests
		if r.Version != 1 || r.Topics[0].Topic != "old" {
			t.Errorf("version %d, topic %q", r.Version, r.Topics[0].Topic)
		}
		c.answer(r, 0, 0)
		if o := <-got; o.err != nil || o.PartitionEpoch != 4 {
			t.Errorf("outcome %+v", o)
		}
	})
}

func TestCodesOfPartitions(t *testing.T) {
	for code, want := range map[protocol.ErrorCode]error{
		protocol.OperationNotAttempted:   replica.ErrISRRefused,
		protocol.IneligibleReplica:       replica.ErrISRRefused,
		protocol.UnknownTopicOrPartition: replica.ErrISRStale,
		protocol.UnknownTopicID:          replica.ErrISRStale,
		protocol.FencedLeaderEpoch:       replica.ErrISRStale,
		protocol.InvalidUpdateVersion:    replica.ErrISRStale,
		protocol.InvalidRequest:          replica.ErrISRStale,
		protocol.NewLeaderElected:        replica.ErrISRStale,
	} {
		if _, err := read(&kmsg.AlterPartitionResponseTopicPartition{ErrorCode: int16(code)}); !errors.Is(err, want) {
			t.Errorf("%v gives %v, want %v", code, err, want)
		}
	}
	for _, again := range []*kmsg.AlterPartitionResponseTopicPartition{nil, {ErrorCode: int16(protocol.NotController)}} {
		if _, err := read(again); err == nil || errors.Is(err, replica.ErrISRRefused) || errors.Is(err, replica.ErrISRStale) {
			t.Errorf("%+v gives %v, want an error upon which the leader asks again", again, err)
		}
	}
}
