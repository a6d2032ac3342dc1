package controller

import (
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/zkmeta"
)

// Versions of inter.broker.protocol.version 3.9, sent without asking
// (Kafka: ControllerChannelManager.scala).
const (
	leaderAndISRVersion   = 7
	updateMetadataVersion = 8
	stopReplicaVersion    = 4
)

// origin is what every request of a controller says about it, and how it
// reaches other brokers.
type origin struct {
	controllerID        int32
	lease               zkmeta.Lease
	interBrokerListener string // of LeaderAndIsr's live leaders
}

// outgoing is a request for a broker.
type outgoing struct {
	broker  int32
	request kmsg.Request
}

// batch collects what one move has to tell the brokers, and makes one request
// of each kind per broker of it (Kafka: ControllerBrokerRequestBatch). What is said about a
// partition is what is known of it when the requests are made.
type batch struct {
	cluster *cluster
	lead    map[int32]map[*partition]bool // per broker: the partition is new there
	stop    map[int32]map[*partition]stopped
	tell    map[int32]bool // brokers that get UpdateMetadata
	about   map[*partition]bool
}

type stopped struct {
	leaderEpoch int32
	remove      bool
}

func (c *cluster) newBatch() *batch {
	return &batch{
		cluster: c,
		lead:    map[int32]map[*partition]bool{},
		stop:    map[int32]map[*partition]stopped{},
		tell:    map[int32]bool{},
		about:   map[*partition]bool{},
	}
}

// leaderAndISR tells brokers to lead or follow p, and all brokers about it. Once new in a batch, a partition stays new.
func (b *batch) leaderAndISR(brokers []int32, p *partition, isNew bool) {
	for _, id := range brokers {
		if id < 0 {
			continue
		}
		if b.lead[id] == nil {
			b.lead[id] = map[*partition]bool{}
		}
		b.lead[id][p] = b.lead[id][p] || isNew
	}
	b.metadataToAll(p)
}

func (b *batch) metadata(brokers []int32, about ...*partition) {
	for _, id := range brokers {
		b.tell[id] = true
	}
	for _, p := range about {
		b.about[p] = true
	}
}

func (b *batch) metadataToAll(about ...*partition) {
	for id := range b.cluster.brokers {
		b.tell[id] = true
	}
	for _, p := range about {
		b.about[p] = true
	}
}

// stopReplica tells a broker to stop a replica, and to delete its log if
// remove is or was said. The leader epoch is the one of now: it must not fence the broker
// for a change of leadership that the same move is about to make.
func (b *batch) stopReplica(broker int32, p *partition, remove bool) {
	if b.stop[broker] == nil {
		b.stop[broker] = map[*partition]stopped{}
	}
	b.stop[broker][p] = stopped{leaderEpoch: p.leaderEpoch(), remove: remove || b.stop[broker][p].remove}
}

// requests makes the requests, in the order in which they must leave. Brokers
// that are gone get none; when they come back they are told everything.
func (b *batch) requests(o origin) []outgoing {
	var out []outgoing
	add := func(broker int32, r kmsg.Request) { out = append(out, outgoing{broker, r}) }
	for _, id := range b.registered(slices.Collect(maps.Keys(b.lead))) {
		add(id, b.leaderAndISRRequest(o, id))
	}
	if tell := b.registered(slices.Collect(maps.Keys(b.tell))); len(tell) > 0 {
		// The parts that say the same to all brokers are shared.
		topics, brokers := b.metadataTopics(), liveBrokers(b.cluster)
		for _, id := range tell {
			r := kmsg.NewPtrUpdateMetadataRequest()
			r.SetVersion(updateMetadataVersion)
			r.ControllerID, r.ControllerEpoch, r.BrokerEpoch = o.controllerID, o.lease.Epoch, b.cluster.brokers[id].Epoch
			r.TopicStates, r.LiveBrokers = topics, brokers
			add(id, r)
		}
	}
	for _, id := range b.registered(slices.Collect(maps.Keys(b.stop))) {
		add(id, b.stopReplicaRequest(o, id))
	}
	return out
}

func (b *batch) registered(ids []int32) []int32 {
	ids = slices.DeleteFunc(ids, func(id int32) bool { _, ok := b.cluster.brokers[id]; return !ok })
	slices.Sort(ids)
	return ids
}

func (b *batch) leaderAndISRRequest(o origin, id int32) *kmsg.LeaderAndISRRequest {
	r := kmsg.NewPtrLeaderAndISRRequest()
	r.SetVersion(leaderAndISRVersion)
	r.ControllerID, r.ControllerEpoch, r.BrokerEpoch = o.controllerID, o.lease.Epoch, b.cluster.brokers[id].Epoch
	leaders := map[int32]bool{}
	for _, p := range sorted(maps.Keys(b.lead[id])) {
		if n := len(r.TopicStates); n == 0 || r.TopicStates[n-1].Topic != p.topic.name {
			t := kmsg.NewLeaderAndISRRequestTopicState()
			t.Topic, t.TopicID = p.topic.name, p.topic.id
			r.TopicStates = append(r.TopicStates, t)
		}
		s := kmsg.NewLeaderAndISRRequestTopicPartition()
		s.Partition, s.IsNew = p.index, b.lead[id][p]
		s.ControllerEpoch = p.leadership.ControllerEpoch
		s.Leader, s.LeaderEpoch, s.ISR = p.leadership.Leader, p.leadership.LeaderEpoch, p.leadership.ISR
		s.ZKVersion = p.leadership.PartitionEpoch
		s.Replicas, s.AddingReplicas, s.RemovingReplicas = p.replicas, p.adding, p.removing
		if p.leadership.Recovering {
			s.LeaderRecoveryState = 1
		}
		t := &r.TopicStates[len(r.TopicStates)-1]
		t.PartitionStates = append(t.PartitionStates, s)
		leaders[s.Leader] = true
	}
	for _, id := range slices.Sorted(maps.Keys(leaders)) {
		e, ok := endpoint(b.cluster.brokers[id], o.interBrokerListener)
		if !ok {
			continue // no leader, or one that is gone
		}
		l := kmsg.NewLeaderAndISRRequestLiveLeader()
		l.BrokerID, l.Host, l.Port = id, e.Host, e.Port
		r.LiveLeaders = append(r.LiveLeaders, l)
	}
	return r
}

// metadataTopics says all about the partitions that are told of. One without a
// leader so far is left out. One that is being deleted has the leader -2, upon which brokers
// forget it.
func (b *batch) metadataTopics() []kmsg.UpdateMetadataRequestTopicState {
	var topics []kmsg.UpdateMetadataRequestTopicState
	for _, p := range sorted(maps.Keys(b.about)) {
		if p.leadership == nil {
			continue
		}
		if n := len(topics); n == 0 || topics[n-1].Topic != p.topic.name {
			t := kmsg.NewUpdateMetadataRequestTopicState()
			t.Topic, t.TopicID = p.topic.name, p.topic.id
			topics = append(topics, t)
		}
		s := kmsg.NewUpdateMetadataRequestTopicPartition()
		s.Partition, s.ControllerEpoch, s.ISR = p.index, p.leadership.ControllerEpoch, p.leadership.ISR
		if p.topic.queued {
			s.Leader = leaderDuringDelete
		} else {
			s.Leader, s.LeaderEpoch, s.ZKVersion = p.leadership.Leader, p.leadership.LeaderEpoch, p.leadership.PartitionEpoch
		}
		s.Replicas = p.replicas
		s.OfflineReplicas = slices.DeleteFunc(slices.Clone(p.replicas), func(id int32) bool { return b.cluster.online(p, id) })
		t := &topics[len(topics)-1]
		t.PartitionStates = append(t.PartitionStates, s)
	}
	return topics
}

func (b *batch) stopReplicaRequest(o origin, id int32) *kmsg.StopReplicaRequest {
	r := kmsg.NewPtrStopReplicaRequest()
	r.SetVersion(stopReplicaVersion)
	r.ControllerID, r.ControllerEpoch, r.BrokerEpoch = o.controllerID, o.lease.Epoch, b.cluster.brokers[id].Epoch
	for _, p := range sorted(maps.Keys(b.stop[id])) {
		if n := len(r.Topics); n == 0 || r.Topics[n-1].Topic != p.topic.name {
			t := kmsg.NewStopReplicaRequestTopic()
			t.Topic = p.topic.name
			r.Topics = append(r.Topics, t)
		}
		s := kmsg.NewStopReplicaRequestTopicPartitionState()
		s.Partition, s.LeaderEpoch, s.Delete = p.index, b.stop[id][p].leaderEpoch, b.stop[id][p].remove
		t := &r.Topics[len(r.Topics)-1]
		t.PartitionStates = append(t.PartitionStates, s)
	}
	return r
}

// liveBrokers is every registered broker with every endpoint: receivers forget
// the brokers that are not in an UpdateMetadata.
func liveBrokers(c *cluster) []kmsg.UpdateMetadataRequestLiveBroker {
	var brokers []kmsg.UpdateMetadataRequestLiveBroker
	for _, id := range c.brokerIDs() {
		b := kmsg.NewUpdateMetadataRequestLiveBroker()
		b.ID, b.Rack = id, c.brokers[id].Rack
		for _, e := range c.brokers[id].Endpoints {
			to := kmsg.NewUpdateMetadataRequestLiveBrokerEndpoint()
			to.Host, to.Port, to.ListenerName, to.SecurityProtocol = e.Host, e.Port, e.Listener, securityProtocol(e.Protocol)
			b.Endpoints = append(b.Endpoints, to)
		}
		brokers = append(brokers, b)
	}
	return brokers
}

// securityProtocol gives Kafka's number (SecurityProtocol.java).
func securityProtocol(name string) int16 {
	return int16(max(0, slices.Index([]string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}, name)))
}

// endpoint finds where a broker listens under a listener's name.
func endpoint(b zkmeta.Broker, listener string) (zkmeta.Endpoint, bool) {
	for _, e := range b.Endpoints {
		if strings.EqualFold(e.Listener, listener) {
			return e, true
		}
	}
	return zkmeta.Endpoint{}, false
}
