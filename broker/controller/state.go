package controller

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/kbroker/kbroker/zkmeta"
)

// partitionState is a state of the partition state machine
// (Kafka: PartitionStateMachine.scala).
type partitionState int8

const (
	nonExistentPartition partitionState = iota // never created, or created and deleted
	newPartition                               // has replicas assigned but no leader yet
	onlinePartition                            // has a leader
	offlinePartition                           // had a leader that is gone
)

func (s partitionState) String() string {
	return [...]string{"NonExistent", "New", "Online", "Offline"}[s]
}

// follows reports whether a partition may go from one state to s.
func (s partitionState) follows(from partitionState) bool {
	switch s {
	case newPartition:
		return from == nonExistentPartition
	case onlinePartition, offlinePartition:
		return from != nonExistentPartition
	default:
		return from == offlinePartition
	}
}

// replicaState is a state of the replica state machine
// (Kafka: ReplicaStateMachine.scala).
type replicaState int8

const (
	nonExistentReplica        replicaState = iota
	newReplica                             // may only become a follower
	onlineReplica                          // assigned, and its broker is alive
	offlineReplica                         // its broker or its log directory is gone, or it is about to be deleted
	replicaDeletionStarted                 // was told to delete its log
	replicaDeletionSuccessful              // has deleted it
	replicaDeletionIneligible              // failed to, or cannot now
)

func (s replicaState) String() string {
	return [...]string{"NonExistent", "New", "Online", "Offline", "DeletionStarted", "DeletionSuccessful", "DeletionIneligible"}[s]
}

// follows reports whether a replica may go from one state to s.
func (s replicaState) follows(from replicaState) bool {
	switch s {
	case newReplica:
		return from == nonExistentReplica
	case onlineReplica, offlineReplica:
		return from == newReplica || from == onlineReplica || from == offlineReplica || from == replicaDeletionIneligible
	case replicaDeletionStarted:
		return from == offlineReplica
	case replicaDeletionSuccessful:
		return from == replicaDeletionStarted
	case replicaDeletionIneligible:
		return from == offlineReplica || from == replicaDeletionStarted
	default:
		return from == replicaDeletionSuccessful
	}
}

// assignment is who holds a partition. adding and removing are parts of
// replicas while a reassignment runs (KIP-455).
type assignment struct {
	replicas, adding, removing []int32
}

func (a assignment) reassigning() bool { return len(a.adding) > 0 || len(a.removing) > 0 }

// target is where a reassignment leads to.
func (a assignment) target() []int32 { return without(a.replicas, a.removing...) }

func (a assignment) remove(broker int32) assignment {
	return assignment{without(a.replicas, broker), without(a.adding, broker), without(a.removing, broker)}
}

func without(ids []int32, gone ...int32) []int32 {
	return slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return slices.Contains(gone, id) })
}

// topic is a topic with its partitions in the order of their indexes.
type topic struct {
	name       string
	id         [16]byte // zero: none
	partitions []*partition

	queued     bool // for deletion
	started    bool // deletion began: brokers were told to forget it
	ineligible bool // deletion cannot go on until something else happens; only with queued
}

func (t *topic) partition(index int32) *partition {
	if int(index) < len(t.partitions) && index >= 0 && t.partitions[index].index == index {
		return t.partitions[index]
	}
	i, ok := slices.BinarySearchFunc(t.partitions, index, func(p *partition, index int32) int { return int(p.index) - int(index) })
	if !ok {
		return nil
	}
	return t.partitions[i]
}

// partition is what the controller knows of a partition. assignment and
// leadership are changed through cluster, which counts.
type partition struct {
	topic *topic
	index int32
	assignment
	state      partitionState
	leadership *zkmeta.PartitionState // nil: no state is written yet. Never changed, only replaced
	replicated []replicaRecord
	failed     []int32 // brokers whose log directory with this partition failed
}

type replicaRecord struct {
	broker int32
	state  replicaState
}

func (p *partition) key() zkmeta.TopicPartition {
	return zkmeta.TopicPartition{Topic: p.topic.name, Partition: p.index}
}

func (p *partition) replicaState(broker int32) replicaState {
	for _, r := range p.replicated {
		if r.broker == broker {
			return r.state
		}
	}
	return nonExistentReplica
}

func (p *partition) setReplicaState(broker int32, state replicaState) {
	for i := range p.replicated {
		if p.replicated[i].broker == broker {
			p.replicated[i].state = state
			return
		}
	}
	p.replicated = append(p.replicated, replicaRecord{broker, state})
}

// leaderEpoch is what StopReplica carries: -2 when the topic is being deleted,
// -1 when no leader was ever elected.
func (p *partition) leaderEpoch() int32 {
	switch {
	case p.topic.queued:
		return epochDuringDelete
	case p.leadership == nil:
		return noEpoch
	default:
		return p.leadership.LeaderEpoch
	}
}

// Kafka: LeaderAndIsr.java.
const (
	noLeader           = -1
	leaderDuringDelete = -2
	noEpoch            = -1
	epochDuringDelete  = -2
)

// replica is a partition on a broker.
type replica struct {
	*partition
	broker int32
}

// cluster is the controller's picture of the cluster, and nothing but a
// picture (Kafka: ControllerContext.scala). Owned by Controller.Run.
type cluster struct {
	brokers      map[int32]zkmeta.Broker // live or shutting down
	shuttingDown map[int32]bool
	topics       map[string]*topic
	ordered      []*topic            // topics by name; nil: not known
	names        map[[16]byte]string // of the topics with an id

	partitions int // with a leadership
	offline    int // partitions in state offline, unless their deletion started
	imbalanced int // partitions not led by their first replica, unless queued for deletion
}

func newCluster() *cluster {
	return &cluster{
		brokers:      map[int32]zkmeta.Broker{},
		shuttingDown: map[int32]bool{},
		topics:       map[string]*topic{},
		names:        map[[16]byte]string{},
	}
}

// live reports whether a broker is registered and not shutting down.
func (c *cluster) live(broker int32) bool {
	_, ok := c.brokers[broker]
	return ok && !c.shuttingDown[broker]
}

// online reports whether a replica could work.
func (c *cluster) online(p *partition, broker int32) bool {
	return c.live(broker) && !slices.Contains(p.failed, broker)
}

func (c *cluster) onlineOf(p *partition, brokers []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(brokers), func(id int32) bool { return !c.online(p, id) })
}

// brokerIDs lists the brokers that are live or shutting down.
func (c *cluster) brokerIDs() []int32 { return slices.Sorted(maps.Keys(c.brokers)) }

// sortedTopics lists the topics by name, so that all that follows from them is
// the same from run to run.
func (c *cluster) sortedTopics() []*topic {
	if c.ordered == nil {
		c.ordered = slices.SortedFunc(maps.Values(c.topics), func(a, b *topic) int { return strings.Compare(a.name, b.name) })
	}
	return c.ordered
}

// partitionsWhere lists partitions by topic and index.
func (c *cluster) partitionsWhere(f func(p *partition) bool) []*partition {
	var found []*partition
	for _, t := range c.sortedTopics() {
		for _, p := range t.partitions {
			if f(p) {
				found = append(found, p)
			}
		}
	}
	return found
}

// replicasOn lists all replicas of brokers.
func (c *cluster) replicasOn(brokers ...int32) []replica {
	var found []replica
	for _, t := range c.sortedTopics() {
		for _, p := range t.partitions {
			for _, id := range p.replicas {
				if slices.Contains(brokers, id) {
					found = append(found, replica{p, id})
				}
			}
		}
	}
	return found
}

func replicasOf(partitions []*partition) []replica {
	var all []replica
	for _, p := range partitions {
		for _, id := range p.replicas {
			all = append(all, replica{p, id})
		}
	}
	return all
}

// partition finds a partition, or nil.
func (c *cluster) partition(tp zkmeta.TopicPartition) *partition {
	t := c.topics[tp.Topic]
	if t == nil {
		return nil
	}
	return t.partition(tp.Partition)
}

// addTopic makes a topic without partitions.
func (c *cluster) addTopic(name string, id [16]byte) *topic {
	t := &topic{name: name, id: id}
	c.topics[name], c.ordered = t, nil
	if id != ([16]byte{}) {
		c.names[id] = name
	}
	return t
}

func (c *cluster) removeTopic(t *topic) {
	for _, p := range t.partitions {
		c.count(p, -1)
	}
	delete(c.topics, t.name)
	c.ordered = nil // who ranges over it goes on with what it was
	if c.names[t.id] == t.name {
		delete(c.names, t.id)
	}
}

// addPartitions gives a topic the partitions of a that it does not have, and
// returns them.
func (c *cluster) addPartitions(t *topic, a zkmeta.TopicAssignment) []*partition {
	var added []*partition
	for _, index := range slices.Sorted(maps.Keys(a.Partitions)) {
		if t.partition(index) != nil {
			continue
		}
		added = append(added, &partition{
			topic: t, index: index,
			assignment: assignment{a.Partitions[index], a.Adding[index], a.Removing[index]},
		})
	}
	t.partitions = append(t.partitions, added...)
	slices.SortFunc(t.partitions, func(a, b *partition) int { return int(a.index) - int(b.index) })
	return added
}

// written is the topic's znode.
func (t *topic) written() zkmeta.TopicAssignment {
	a := zkmeta.TopicAssignment{
		Topic: t.name, ID: t.id,
		Partitions: make(map[int32][]int32, len(t.partitions)),
		Adding:     map[int32][]int32{}, Removing: map[int32][]int32{},
	}
	for _, p := range t.partitions {
		a.Partitions[p.index] = p.replicas
		if len(p.adding) > 0 {
			a.Adding[p.index] = p.adding
		}
		if len(p.removing) > 0 {
			a.Removing[p.index] = p.removing
		}
	}
	return a
}

// count adds what a partition contributes to the counters, n times.
func (c *cluster) count(p *partition, n int) {
	if p.state == offlinePartition && !p.topic.started {
		c.offline += n
	}
	if p.leadership == nil {
		return
	}
	c.partitions += n
	if !p.topic.queued && (len(p.replicas) == 0 || p.leadership.Leader != p.replicas[0]) {
		c.imbalanced += n
	}
}

// change runs f, which changes one partition, and keeps the counters right.
func (c *cluster) change(p *partition, f func()) {
	c.count(p, -1)
	f()
	c.count(p, 1)
}

// changeTopic is change for a whole topic.
func (c *cluster) changeTopic(t *topic, f func()) {
	for _, p := range t.partitions {
		c.count(p, -1)
	}
	f()
	for _, p := range t.partitions {
		c.count(p, 1)
	}
}

func (c *cluster) setState(p *partition, s partitionState) { c.change(p, func() { p.state = s }) }

func (c *cluster) setAssignment(p *partition, a assignment) { c.change(p, func() { p.assignment = a }) }

func (c *cluster) setLeadership(p *partition, s zkmeta.PartitionState) {
	c.change(p, func() { p.leadership = &s })
}

// sorted orders partitions by topic and index.
func sorted(partitions iter.Seq[*partition]) []*partition {
	return slices.SortedFunc(partitions, func(a, b *partition) int {
		if a.topic != b.topic {
			return strings.Compare(a.topic.name, b.topic.name)
		}
		return int(a.index) - int(b.index)
	})
}
