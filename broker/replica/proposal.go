package replica

import (
	"errors"
	"slices"

	"go.uber.org/zap"
)

// ISRChange is what a leader asks of the controller with AlterPartition (KIP-497).
type ISRChange struct {
	Topic          string
	TopicID        [16]byte
	Partition      int32
	LeaderEpoch    int32
	PartitionEpoch int32
	ISR            []int32
	Recovering     bool // the leader was elected uncleanly and has not recovered
}

// ISRAnswer is what the controller holds for true then.
type ISRAnswer struct {
	LeaderID       int32
	LeaderEpoch    int32
	ISR            []int32
	Recovering     bool
	PartitionEpoch int32
}

// Errors of an answer. Any other means that the leader may ask again.
var (
	// ErrISRRefused: a proposed replica is not eligible; the leader goes back to the committed ISR.
	ErrISRRefused = errors.New("the controller refuses the in-sync replicas")
	// ErrISRStale: the leader's idea of the partition is outdated; it waits for LeaderAndIsr.
	ErrISRStale = errors.New("the controller knows a newer state of the partition")
)

// ProposeISR hands a change to whoever talks to the controller, and returns at once. answer is called once, from another
// goroutine, however long it takes to reach a controller; never for a broker that is closing. Of several changes of a
// partition that were not sent yet only the last is, and the others are answered with ErrISRStale.
type ProposeISR func(change ISRChange, answer func(ISRAnswer, error))

// prepare makes a change the one that is under way: there is no other until it is answered, or a state of a newer epoch
// overrides it. The caller submits it once it released p.mu, which it holds. A leader is recovered by becoming one, so
// that is never to be told otherwise (KIP-704).
func (p *Partition) prepare(to []int32) *ISRChange {
	c := &ISRChange{
		Topic: p.topic.name, TopicID: p.log.TopicID(), Partition: p.index,
		LeaderEpoch: p.leaderEpoch, PartitionEpoch: p.partitionEpoch, ISR: to,
	}
	p.isr.pending = c
	return c
}

// submit asks the controller for a change; nil is none.
func (p *Partition) submit(c *ISRChange) {
	if c != nil {
		p.env.isr.propose(*c, func(a ISRAnswer, err error) { p.answered(c, &a, err) })
	}
}

// answered takes the controller's answer (Kafka: Partition.submitAlterPartition and what follows). An answer to a
// change that is not the pending one any more says nothing of the state as it is now.
func (p *Partition) answered(c *ISRChange, a *ISRAnswer, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isr.pending != c {
		return
	}
	switch {
	case err == nil && a.LeaderEpoch == p.leaderEpoch && a.PartitionEpoch >= p.partitionEpoch:
		p.commit(a)
		return
	case err == nil, errors.Is(err, ErrISRStale):
		// Whether the change was made is open. What is right comes with the next state; until then the maximal ISR
		// holds, and nothing is proposed that could not be made anyway.
		p.env.log.Debug("in-sync replicas not changed, awaiting the next state", p.fields(zap.Error(err))...)
	case errors.Is(err, ErrISRRefused):
		// The one answer that says that the change was not made, nor will be.
		p.isr = isr{committed: p.isr.committed}
		p.env.log.Info("controller rejected the in-sync replicas, back to the committed ones", p.fields(
			zap.Int32s("proposed", c.ISR), zap.Int32s("isr", p.isr.committed), zap.Error(err))...)
		if p.advance() {
			p.wake(onHighWatermark)
		}
	default:
		p.env.log.Warn("in-sync replicas not changed, retrying", p.fields(zap.Int32s("proposed", c.ISR), zap.Error(err))...)
		p.env.isr.retryLater(p, c)
	}
	p.env.isr.failures.Add(1)
}

// commit makes what the controller answered the committed ISR. With fewer members the high watermark may go further;
// and those who wait for it look at the number of members too. p.mu is held.
func (p *Partition) commit(a *ISRAnswer) {
	if len(p.isr.joining) > 0 {
		p.env.isr.expands.Add(1)
	} else {
		p.env.isr.shrinks.Add(1)
	}
	p.isr = isr{committed: slices.Clone(a.ISR)}
	p.partitionEpoch = a.PartitionEpoch
	p.advance()
	p.wake(onAnything)
	p.env.log.Info("isr updated", p.fields(zap.Int32s("isr", a.ISR), zap.Int32("partition_epoch", a.PartitionEpoch),
		zap.Bool("under_min_isr", len(a.ISR) < p.minInSync()), zap.Int64("high_watermark", p.log.HighWatermark()))...)
}

// resubmit asks again for a change that is still wanted.
func (p *Partition) resubmit(c *ISRChange) {
	p.mu.Lock()
	pending := p.isr.pending == c
	p.mu.Unlock()
	if pending {
		p.submit(c)
	}
}
