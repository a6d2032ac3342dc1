package controller

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// TestBrokersKnowWhatIsWritten lets brokers die, start, shut down and change in-sync replicas, and controllers follow one another,
// at random. After every event each broker must know exactly what is written, from what it was told.
func TestBrokersKnowWhatIsWritten(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := newPlay(t, seed)
			for range 60 {
				p.step()
				p.check()
				if t.Failed() {
					t.Fatalf("after\n%s", p.story)
				}
			}
		})
	}
}

// play is a machine, its ledger and the brokers that it tells.
type play struct {
	*testing.T
	*machine
	random *rand.Rand
	ledger *bookkeeping
	alive  map[int32]*hearer
	epochs int64
	before map[zkmeta.TopicPartition]zkmeta.PartitionState
	stale  map[zkmeta.TopicPartition]int32 // leader epoch in which somebody else than the controller wrote
	unsafe bool                            // unclean leaders are allowed
	story  string
}

// hearer is a broker as far as it listens.
type hearer struct {
	id       int32
	epoch    int64
	hosts    map[zkmeta.TopicPartition]zkmeta.PartitionState
	metadata map[zkmeta.TopicPartition]*kmsg.UpdateMetadataRequestTopicPartition
	live     []int32
}

const playBrokers = 4

func newPlay(t *testing.T, seed uint64) *play {
	p := &play{
		T: t, random: rand.New(rand.NewPCG(seed, 0)), ledger: newBookkeeping(1), alive: map[int32]*hearer{}, epochs: 100,
		stale: map[zkmeta.TopicPartition]int32{}, before: map[zkmeta.TopicPartition]zkmeta.PartitionState{},
	}
	for id := range int32(playBrokers) {
		p.register(id + 1)
	}
	p.elected()
	var a zkmeta.TopicAssignment
	a.Partitions = map[int32][]int32{}
	for i := range int32(6) {
		order := p.random.Perm(playBrokers)
		for _, id := range order[:1+p.random.IntN(3)] {
			a.Partitions[i] = append(a.Partitions[i], int32(id+1))
		}
	}
	p.must(p.createPartitions(t.Context(), p.addPartitions(p.addTopic("t", [16]byte{1}), a)))
	return p
}

func (p *play) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// register starts a broker, which knows nothing yet.
func (p *play) register(id int32) {
	p.epochs++
	p.alive[id] = &hearer{
		id: id, epoch: p.epochs, hosts: map[zkmeta.TopicPartition]zkmeta.PartitionState{},
		metadata: map[zkmeta.TopicPartition]*kmsg.UpdateMetadataRequestTopicPartition{},
	}
}

func (p *play) broker(id int32) zkmeta.Broker {
	return zkmeta.Broker{ID: id, Epoch: p.alive[id].epoch, Endpoints: []zkmeta.Endpoint{{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: "b", Port: id}}}
}

// elected makes another controller, which knows what is written and nothing else.
func (p *play) elected() {
	old := p.machine
	p.ledger.epoch++
	p.machine = &machine{
		cluster: newCluster(), origin: origin{controllerID: 1, lease: zkmeta.Lease{Epoch: p.ledger.epoch}, interBrokerListener: "PLAINTEXT"},
		ledger: p.ledger, deletion: true, log: zap.NewNop(), deliver: p.hear,
		unclean: func(context.Context, []string) map[string]bool { return map[string]bool{"t": p.unsafe} },
	}
	for id := range p.alive {
		p.brokers[id] = p.broker(id)
	}
	if old != nil {
		topic := p.addTopic("t", [16]byte{1})
		for _, part := range p.addPartitions(topic, old.topics["t"].written()) {
			p.setLeadership(part, p.ledger.states[part.key()])
		}
	}
	p.sendMetadata(p.brokerIDs())
	p.must(p.start(p.Context()))
}

func (p *play) hear(out []outgoing) {
	for _, o := range out {
		h := p.alive[o.broker]
		switch r := o.request.(type) {
		case *kmsg.LeaderAndISRRequest:
			p.lead(h, r)
		case *kmsg.UpdateMetadataRequest:
			h.live = nil
			for _, b := range r.LiveBrokers {
				h.live = append(h.live, b.ID)
			}
			for _, t := range r.TopicStates {
				for i := range t.PartitionStates {
					h.metadata[zkmeta.TopicPartition{Topic: t.Topic, Partition: t.PartitionStates[i].Partition}] = &t.PartitionStates[i]
				}
			}
		case *kmsg.StopReplicaRequest:
			for _, t := range r.Topics {
				for _, s := range t.PartitionStates {
					delete(h.hosts, zkmeta.TopicPartition{Topic: t.Topic, Partition: s.Partition})
				}
			}
		}
	}
}

func (p *play) lead(h *hearer, r *kmsg.LeaderAndISRRequest) {
	if r.BrokerEpoch != h.epoch {
		p.Errorf("request for epoch %d of broker %d, which has %d", r.BrokerEpoch, h.id, h.epoch)
	}
	for _, t := range r.TopicStates {
		for _, s := range t.PartitionStates {
			tp := zkmeta.TopicPartition{Topic: t.Topic, Partition: s.Partition}
			has, ok := h.hosts[tp]
			switch {
			case !slices.Contains(s.Replicas, h.id):
				p.Errorf("broker %d is told to host %v", h.id, tp)
			case ok && s.LeaderEpoch < has.LeaderEpoch:
				p.Errorf("broker %d is told of epoch %d after %d", h.id, s.LeaderEpoch, has.LeaderEpoch)
			case ok && s.LeaderEpoch == has.LeaderEpoch:
			default:
				h.hosts[tp] = zkmeta.PartitionState{Leader: s.Leader, LeaderEpoch: s.LeaderEpoch, ISR: s.ISR, PartitionEpoch: s.ZKVersion, Recovering: s.LeaderRecoveryState == 1}
			}
		}
	}
}

func (p *play) tell(format string, args ...any) { p.story += fmt.Sprintf(format, args...) + "\n" }

// step is one event.
func (p *play) step() {
	id := int32(1 + p.random.IntN(playBrokers))
	_, up := p.alive[id]
	p.before = maps.Clone(p.ledger.states)
	switch what := p.random.IntN(20); {
	case what < 4 && !up:
		p.tell("start %d", id)
		p.register(id)
		p.brokers[id] = p.broker(id)
		p.must(p.brokersStarted(p.Context(), []int32{id}))
	case what < 3 && up:
		p.tell("fail %d", id)
		delete(p.alive, id)
		delete(p.brokers, id)
		p.must(p.brokersFailed(p.Context(), []int32{id}))
	case what < 4 && up:
		p.tell("bounce %d", id)
		p.register(id)
		delete(p.brokers, id)
		p.must(p.brokersFailed(p.Context(), []int32{id}))
		p.brokers[id] = p.broker(id)
		p.must(p.brokersStarted(p.Context(), []int32{id}))
	case what == 4 && up:
		p.tell("shut down %d", id)
		_, err := p.shutDown(p.Context(), id)
		p.must(err)
	case what == 5:
		p.tell("controller")
		p.elected()
	case what == 6:
		p.tell("balance")
		p.must(p.balance(p.Context(), 0))
	case what == 7:
		p.unsafe = !p.unsafe
		p.tell("unclean leaders %v", p.unsafe)
		_, err := p.electWhereNeeded(p.Context(), "t")
		p.must(err)
	case what == 8:
		p.tell("elect")
		_, err := p.electLeaders(p.Context(), slices.Collect(maps.Keys(p.ledger.states)), []strategy{electPreferred, electUnclean}[p.random.IntN(2)])
		p.must(err)
	case what == 9 && up && len(p.alive[id].hosts) > 0:
		p.failDir(id)
	case what == 10:
		p.write()
	case up:
		p.propose(p.alive[id])
	}
}

// failDir lets a broker answer that some replicas are in a failed directory.
func (p *play) failDir(id int32) {
	var failed, working []*partition
	for tp := range p.alive[id].hosts {
		if p.random.IntN(3) == 0 || slices.Contains(p.partition(tp).failed, id) {
			failed = append(failed, p.partition(tp))
		} else {
			working = append(working, p.partition(tp))
		}
	}
	p.tell("broker %d loses %d replicas", id, len(failed))
	p.must(p.dirsAnswered(p.Context(), id, failed, working))
}

// write changes in-sync replicas behind the controller's back, as leaders of old did.
func (p *play) write() {
	for tp, s := range p.ledger.states {
		if s.Leader >= 0 && len(s.ISR) > 1 {
			p.tell("somebody writes %v", tp)
			s.ISR = without(s.ISR, without(s.ISR, s.Leader)[0])
			s.PartitionEpoch++
			p.ledger.states[tp], p.before[tp] = s, s
			p.stale[tp] = s.LeaderEpoch
			return
		}
	}
}

// propose lets a broker propose in-sync replicas for all that it leads.
func (p *play) propose(h *hearer) {
	var proposals []ISRProposal
	for tp, s := range h.hosts {
		if s.Leader != h.id {
			continue
		}
		isr := []int32{h.id}
		for _, id := range p.partition(tp).replicas {
			if id != h.id && !slices.Contains(p.partition(tp).failed, id) && p.random.IntN(2) == 0 { // it fetches no more
				isr = append(isr, id)
			}
		}
		proposals = append(proposals, ISRProposal{
			Topic: tp.Topic, Partition: tp.Partition, LeaderEpoch: s.LeaderEpoch, ISR: isr, PartitionEpoch: s.PartitionEpoch - int32(p.random.IntN(5)/4),
		})
	}
	p.tell("broker %d proposes %v", h.id, proposals)
	outcomes, _, err := p.alterPartitions(p.Context(), h.id, proposals)
	p.must(err)
	for i, o := range outcomes {
		if o.Err == nil {
			h.hosts[zkmeta.TopicPartition{Topic: proposals[i].Topic, Partition: proposals[i].Partition}] = o.State
		}
	}
}

func (p *play) check() {
	p.Helper()
	for tp, s := range p.ledger.states {
		part, was := p.partition(tp), p.before[tp]
		if len(s.ISR) == 0 || len(without(s.ISR, part.replicas...)) > 0 || s.Leader >= 0 && !slices.Contains(s.ISR, s.Leader) {
			p.Errorf("%v: leader %d, isr %v of %v", tp, s.Leader, s.ISR, part.replicas)
		}
		if s.LeaderEpoch < was.LeaderEpoch || s.PartitionEpoch < was.PartitionEpoch {
			p.Errorf("%v went back from %+v to %+v", tp, was, s)
		}
		if s.Leader != was.Leader && len(was.ISR) > 0 && !s.Recovering && !slices.Contains(was.ISR, s.Leader) && s.Leader >= 0 {
			p.Errorf("%v: leader %d was not in sync: %+v", tp, s.Leader, was)
		}
		able := slices.ContainsFunc(s.ISR, func(id int32) bool { return p.online(part, id) })
		epoch, stale := p.stale[tp]
		stale = stale && epoch == s.LeaderEpoch
		if _, registered := p.brokers[s.Leader]; able && (!registered || slices.Contains(part.failed, s.Leader)) {
			p.Errorf("%v has no leader though one of %v could: %+v", tp, s.ISR, s)
		}
		if k := part.leadership; !stale && (k.Leader != s.Leader || k.LeaderEpoch != s.LeaderEpoch || k.PartitionEpoch != s.PartitionEpoch || !slices.Equal(k.ISR, s.ISR)) {
			p.Errorf("%v: the controller knows %+v, written is %+v", tp, *k, s)
		}
		for _, id := range s.ISR {
			if _, registered := p.brokers[id]; len(s.ISR) > 1 && (!registered || slices.Contains(part.failed, id)) {
				p.Errorf("%v: %d is in sync: %+v", tp, id, s)
			}
		}
		for _, h := range p.alive {
			p.checkBroker(h, tp, s, part, stale)
		}
	}
	for _, h := range p.alive {
		if !slices.Equal(h.live, p.brokerIDs()) {
			p.Errorf("broker %d takes %v for alive, not %v", h.id, h.live, p.brokerIDs())
		}
	}
}

// checkBroker compares what a broker knows of a partition with what is written.
func (p *play) checkBroker(h *hearer, tp zkmeta.TopicPartition, s zkmeta.PartitionState, part *partition, stale bool) {
	p.Helper()
	m := h.metadata[tp]
	switch {
	case m == nil:
		p.Errorf("broker %d does not know %v", h.id, tp)
	case m.Leader != s.Leader || m.LeaderEpoch != s.LeaderEpoch || !stale && (!slices.Equal(m.ISR, s.ISR) || m.ZKVersion != s.PartitionEpoch):
		p.Errorf("metadata of broker %d about %v: %+v, written %+v", h.id, tp, *m, s)
	default:
		for _, id := range part.replicas {
			// What a broker that shuts down keeps is told when something else about it is.
			if !p.shuttingDown[id] && slices.Contains(m.OfflineReplicas, id) == p.online(part, id) {
				p.Errorf("metadata of broker %d about %v: %v are offline", h.id, tp, m.OfflineReplicas)
			}
		}
	}
	if !slices.Contains(part.replicas, h.id) || !p.online(part, h.id) {
		return
	}
	if has, ok := h.hosts[tp]; !ok || has.Leader != s.Leader || has.LeaderEpoch != s.LeaderEpoch || h.id == s.Leader && !stale && (!slices.Equal(has.ISR, s.ISR) || has.PartitionEpoch != s.PartitionEpoch) {
		p.Errorf("broker %d hosts %v as %+v, written %+v", h.id, tp, has, s)
	}
}
