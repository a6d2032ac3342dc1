// Package alterisr carries the in-sync replicas that leaders propose to the controller, with AlterPartition (KIP-497;
// Kafka: AlterPartitionManager.scala).
//
// It knows requests and no partitions: a Proposals collects what was proposed, sends it all in one request when the one
// before is answered, and hands every answer to whoever proposed. What the answer means is for the partition to decide.
package alterisr

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/protocol"
)

const (
	// newestVersion is what is sent to a controller that takes it; idsFrom is the first with topic ids instead of names.
	newestVersion = 3
	idsFrom       = 2
	// retryAfter is the pause when the controller refused a whole request, as in Kafka.
	retryAfter = 50 * time.Millisecond
)

// Options are what Proposals are made of.
type Options struct {
	BrokerID    int32
	BrokerEpoch func() int64 // of now
	// Request asks the controller, however long it takes to find one (peer.ToController).
	Request func(ctx context.Context, r kmsg.Request) (kmsg.Response, error)
	Logger  *zap.Logger
}

// Proposals has at most one request in flight. Safe for concurrent use.
type Proposals struct {
	options Options
	wake    chan struct{} // capacity 1: there may be something to send

	mu     sync.Mutex
	unsent map[partition]proposal
}

type partition struct {
	topic string
	index int32
}

type proposal struct {
	change replica.ISRChange
	answer func(replica.ISRAnswer, error)
}

// New makes Proposals; nothing is sent before Run.
func New(o Options) *Proposals {
	return &Proposals{options: o, wake: make(chan struct{}, 1), unsent: map[partition]proposal{}}
}

// Propose implements replica.ProposeISR.
func (p *Proposals) Propose(change replica.ISRChange, answer func(replica.ISRAnswer, error)) {
	key := partition{change.Topic, change.Partition}
	p.mu.Lock()
	before, replaced := p.unsent[key]
	p.unsent[key] = proposal{change, answer}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	if replaced {
		// Not from here: the caller may hold what the answer takes.
		go before.answer(replica.ISRAnswer{}, fmt.Errorf("%w: another one was proposed", replica.ErrISRStale))
	}
}

// Run sends what is proposed until ctx ends. What is unanswered then never will be.
func (p *Proposals) Run(ctx context.Context) {
	for {
		select {
		case <-p.wake:
		case <-ctx.Done():
			return
		}
		batch := p.take()
		if len(batch) == 0 {
			continue
		}
		if err := p.send(ctx, batch); err != nil {
			if ctx.Err() != nil {
				return
			}
			p.options.Logger.Warn("the controller refused in-sync replicas, they will be proposed again",
				zap.Int("partitions", len(batch)), zap.Error(err))
			p.putBack(batch)
			select {
			case <-time.After(retryAfter):
			case <-ctx.Done():
				return
			}
		}
	}
}

func (p *Proposals) take() map[partition]proposal {
	p.mu.Lock()
	defer p.mu.Unlock()
	batch := p.unsent
	p.unsent = map[partition]proposal{}
	return batch
}

// putBack queues a batch again, except for partitions that proposed anew meanwhile.
func (p *Proposals) putBack(batch map[partition]proposal) {
	var outdated []proposal
	p.mu.Lock()
	for key, old := range batch {
		if _, ok := p.unsent[key]; ok {
			outdated = append(outdated, old)
		} else {
			p.unsent[key] = old
		}
	}
	p.mu.Unlock()
	for _, old := range outdated {
		old.answer(replica.ISRAnswer{}, fmt.Errorf("%w: another one was proposed", replica.ErrISRStale))
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// send makes one request and hands out the answers. An error means that the request as a whole was refused.
func (p *Proposals) send(ctx context.Context, batch map[partition]proposal) error {
	response, err := p.options.Request(ctx, p.request(batch))
	if err != nil {
		return err
	}
	r := response.(*kmsg.AlterPartitionResponse)
	if r.ErrorCode != 0 {
		// STALE_BROKER_EPOCH goes away with the next registration.
		return fmt.Errorf("AlterPartition: %v", protocol.ErrorCode(r.ErrorCode))
	}
	answers := make(map[partition]*kmsg.AlterPartitionResponseTopicPartition, len(batch))
	names := make(map[[16]byte]string, len(batch))
	for key, b := range batch {
		names[b.change.TopicID] = key.topic
	}
	for i := range r.Topics {
		topic := r.Topics[i].Topic
		if r.Version >= idsFrom {
			topic = names[r.Topics[i].TopidID]
		}
		for j := range r.Topics[i].Partitions {
			a := &r.Topics[i].Partitions[j]
			answers[partition{topic, a.Partition}] = a
		}
	}
	for key, b := range batch {
		b.answer(read(answers[key]))
	}
	return nil
}

func (p *Proposals) request(batch map[partition]proposal) *kmsg.AlterPartitionRequest {
	r := kmsg.NewPtrAlterPartitionRequest()
	r.SetVersion(newestVersion)
	r.BrokerID, r.BrokerEpoch = p.options.BrokerID, p.options.BrokerEpoch()
	topics := map[string]int{}
	for key, b := range batch {
		at, ok := topics[key.topic]
		if !ok {
			at = len(r.Topics)
			topics[key.topic] = at
			t := kmsg.NewAlterPartitionRequestTopic()
			t.Topic, t.TopicID = key.topic, b.change.TopicID
			if t.TopicID == ([16]byte{}) {
				r.SetVersion(idsFrom - 1)
			}
			r.Topics = append(r.Topics, t)
		}
		change := kmsg.NewAlterPartitionRequestTopicPartition()
		change.Partition = key.index
		change.LeaderEpoch, change.PartitionEpoch = b.change.LeaderEpoch, b.change.PartitionEpoch
		change.NewISR = b.change.ISR
		for _, id := range b.change.ISR {
			// The epochs of the replicas mean something to KRaft's controller only.
			e := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
			e.BrokerID, e.BrokerEpoch = id, -1
			change.NewEpochISR = append(change.NewEpochISR, e)
		}
		if b.change.Recovering {
			change.LeaderRecoveryState = 1
		}
		r.Topics[at].Partitions = append(r.Topics[at].Partitions, change)
	}
	return r
}

var errUnanswered = errors.New("the controller's answer does not have the partition")

// read turns an answer into what the leader does about it (Kafka: Partition.handleAlterPartitionError).
func read(a *kmsg.AlterPartitionResponseTopicPartition) (replica.ISRAnswer, error) {
	if a == nil {
		return replica.ISRAnswer{}, errUnanswered
	}
	switch code := protocol.ErrorCode(a.ErrorCode); code {
	case protocol.None:
		return replica.ISRAnswer{
			LeaderID: a.LeaderID, LeaderEpoch: a.LeaderEpoch, ISR: a.ISR, Recovering: a.LeaderRecoveryState == 1,
			PartitionEpoch: a.PartitionEpoch,
		}, nil
	case protocol.OperationNotAttempted, protocol.IneligibleReplica:
		return replica.ISRAnswer{}, fmt.Errorf("%w: %v", replica.ErrISRRefused, code)
	case protocol.UnknownTopicOrPartition, protocol.UnknownTopicID, protocol.FencedLeaderEpoch, protocol.InvalidUpdateVersion,
		protocol.InvalidRequest, protocol.NewLeaderElected:
		return replica.ISRAnswer{}, fmt.Errorf("%w: %v", replica.ErrISRStale, code)
	default:
		return replica.ISRAnswer{}, fmt.Errorf("AlterPartition: %v", code)
	}
}
