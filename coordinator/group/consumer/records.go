package consumer

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// Replay takes a record of a consumer group as it was read back; a nil value is a tombstone. All records of the group
// must come in order, though compaction may have left out any that a later one of the same key replaces.
func (g *Group) Replay(key journal.ConsumerKey, value journal.ConsumerValue) {
	decode(key, value).apply(g)
}

func (g *Group) encode(changes []change) []journal.Record {
	records := make([]journal.Record, len(changes))
	for i, c := range changes {
		records[i] = g.record(c)
	}
	return records
}

// record is a change as Kafka 4.3 writes it.
func (g *Group) record(c change) journal.Record {
	switch c := c.(type) {
	case epochSet:
		return journal.ConsumerRecord(g.epochKey(), &journal.ConsumerGroupMetadataValue{Epoch: c.epoch, MetadataHash: int64(c.hash)})
	case epochGone:
		return journal.ConsumerTombstone(g.epochKey())
	case memberSet:
		return journal.ConsumerRecord(g.memberKey(c.m.id), encodeMember(c.m))
	case memberGone:
		return journal.ConsumerTombstone(g.memberKey(c.id))
	case targetEpochSet:
		return journal.ConsumerRecord(g.targetEpochKey(), &journal.ConsumerGroupTargetAssignmentMetadataValue{AssignmentEpoch: c.epoch, AssignmentTimestamp: c.time})
	case targetEpochGone:
		return journal.ConsumerTombstone(g.targetEpochKey())
	case targetSet:
		return journal.ConsumerRecord(g.targetKey(c.id), encodeTarget(c.partitions))
	case targetGone:
		return journal.ConsumerTombstone(g.targetKey(c.id))
	case currentSet:
		return journal.ConsumerRecord(g.currentKey(c.m.id), encodeCurrent(c.m))
	case currentGone:
		return journal.ConsumerTombstone(g.currentKey(c.id))
	case regexSet:
		return journal.ConsumerRecord(g.regexKey(c.regex), &journal.ConsumerGroupRegularExpressionValue{
			Topics: c.resolution.topics, Version: c.resolution.version, Timestamp: c.resolution.time,
		})
	case regexGone:
		return journal.ConsumerTombstone(g.regexKey(c.regex))
	case partitionMetadataGone:
		return journal.ConsumerTombstone(&journal.ConsumerGroupPartitionMetadataKey{GroupID: g.id})
	default:
		panic(fmt.Sprintf("a group of the new protocol never writes %T", c))
	}
}

func (g *Group) epochKey() journal.ConsumerKey {
	return &journal.ConsumerGroupMetadataKey{GroupID: g.id}
}

func (g *Group) memberKey(id string) journal.ConsumerKey {
	return &journal.ConsumerGroupMemberMetadataKey{GroupID: g.id, MemberID: id}
}

func (g *Group) targetEpochKey() journal.ConsumerKey {
	return &journal.ConsumerGroupTargetAssignmentMetadataKey{GroupID: g.id}
}

func (g *Group) targetKey(id string) journal.ConsumerKey {
	return &journal.ConsumerGroupTargetAssignmentMemberKey{GroupID: g.id, MemberID: id}
}

func (g *Group) currentKey(id string) journal.ConsumerKey {
	return &journal.ConsumerGroupCurrentMemberAssignmentKey{GroupID: g.id, MemberID: id}
}

func (g *Group) regexKey(regex string) journal.ConsumerKey {
	return &journal.ConsumerGroupRegularExpressionKey{GroupID: g.id, RegularExpression: regex}
}

func encodeMember(m *member) *journal.ConsumerGroupMemberMetadataValue {
	v := &journal.ConsumerGroupMemberMetadataValue{
		InstanceID: m.instance, RackID: m.rack, ClientID: m.client.ID, ClientHost: m.client.Host,
		SubscribedTopicNames:   m.sub.topics,
		SubscribedTopicRegex:   &m.sub.regex, // Kafka writes "" for none
		RebalanceTimeoutMillis: millis(m.rebalanceTimeout),
	}
	if m.assignor != "" {
		v.ServerAssignor = &m.assignor
	}
	if m.classic != nil {
		v.Classic = &journal.ConsumerClassicMetadata{SessionTimeoutMillis: millis(m.classic.sessionTimeout)}
		for _, p := range m.classic.protocols {
			v.Classic.SupportedProtocols = append(v.Classic.SupportedProtocols, journal.ConsumerClassicProtocol{Name: p.Name, Metadata: p.Metadata})
		}
	}
	return v
}

func encodeTarget(partitions assign.Partitions) *journal.ConsumerGroupTargetAssignmentMemberValue {
	v := &journal.ConsumerGroupTargetAssignmentMemberValue{}
	for _, topic := range topicsOf(partitions) {
		v.TopicPartitions = append(v.TopicPartitions, journal.ConsumerTopicPartitions{TopicID: topic, Partitions: partitions[topic]})
	}
	return v
}

func encodeCurrent(m *member) *journal.ConsumerGroupCurrentMemberAssignmentValue {
	return &journal.ConsumerGroupCurrentMemberAssignmentValue{
		MemberEpoch: m.epoch, PreviousMemberEpoch: m.previousEpoch, State: int8(m.state),
		AssignedPartitions: encodeHolding(m.assigned), PartitionsPendingRevocation: encodeHolding(m.revoking),
	}
}

func encodeHolding(h holding) []journal.ConsumerTopicPartitions {
	var list []journal.ConsumerTopicPartitions
	for _, topic := range topicsOf(h) {
		list = append(list, journal.ConsumerTopicPartitions{TopicID: topic, Partitions: h[topic].partitions, AssignmentEpochs: h[topic].epochs})
	}
	return list
}

// topicsOf returns the topics of a map in order, so that the same state makes the same bytes.
func topicsOf[V any](m map[[16]byte]V) [][16]byte {
	topics := make([][16]byte, 0, len(m))
	for topic := range m {
		topics = append(topics, topic)
	}
	slices.SortFunc(topics, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	return topics
}

func millis(d time.Duration) int32 { return int32(d / time.Millisecond) }

func duration(millis int32) time.Duration { return time.Duration(millis) * time.Millisecond }

// decode turns a record back into the change that it stores.
func decode(key journal.ConsumerKey, value journal.ConsumerValue) change {
	if value == nil {
		return decodeTombstone(key)
	}
	switch v := value.(type) {
	case *journal.ConsumerGroupMetadataValue:
		return epochSet{v.Epoch, uint64(v.MetadataHash)}
	case *journal.ConsumerGroupPartitionMetadataValue:
		return partitionMetadataSeen{}
	case *journal.ConsumerGroupMemberMetadataValue:
		return memberSet{decodeMember(key.(*journal.ConsumerGroupMemberMetadataKey).MemberID, v)}
	case *journal.ConsumerGroupTargetAssignmentMetadataValue:
		return targetEpochSet{v.AssignmentEpoch, v.AssignmentTimestamp}
	case *journal.ConsumerGroupTargetAssignmentMemberValue:
		partitions := make(assign.Partitions, len(v.TopicPartitions))
		for _, t := range v.TopicPartitions {
			if len(t.Partitions) > 0 {
				partitions[t.TopicID] = sortedUnique(t.Partitions)
			}
		}
		return targetSet{key.(*journal.ConsumerGroupTargetAssignmentMemberKey).MemberID, partitions}
	case *journal.ConsumerGroupCurrentMemberAssignmentValue:
		m := newMember(key.(*journal.ConsumerGroupCurrentMemberAssignmentKey).MemberID)
		m.epoch, m.previousEpoch, m.state = v.MemberEpoch, v.PreviousMemberEpoch, memberState(v.State)
		m.assigned = decodeHolding(v.AssignedPartitions, v.MemberEpoch)
		m.revoking = decodeHolding(v.PartitionsPendingRevocation, v.MemberEpoch)
		return currentSet{m}
	case *journal.ConsumerGroupRegularExpressionValue:
		r := &resolution{topics: sortedNames(v.Topics), version: v.Version, time: v.Timestamp}
		return regexSet{key.(*journal.ConsumerGroupRegularExpressionKey).RegularExpression, r}
	default:
		panic(fmt.Sprintf("a group of the new protocol has no %T", value))
	}
}

func decodeTombstone(key journal.ConsumerKey) change {
	switch k := key.(type) {
	case *journal.ConsumerGroupMetadataKey:
		return epochGone{}
	case *journal.ConsumerGroupPartitionMetadataKey:
		return partitionMetadataGone{}
	case *journal.ConsumerGroupMemberMetadataKey:
		return memberGone{k.MemberID}
	case *journal.ConsumerGroupTargetAssignmentMetadataKey:
		return targetEpochGone{}
	case *journal.ConsumerGroupTargetAssignmentMemberKey:
		return targetGone{k.MemberID}
	case *journal.ConsumerGroupCurrentMemberAssignmentKey:
		return currentGone{k.MemberID}
	case *journal.ConsumerGroupRegularExpressionKey:
		return regexGone{k.RegularExpression}
	default:
		panic(fmt.Sprintf("a group of the new protocol has no %T", key))
	}
}

func decodeMember(id string, v *journal.ConsumerGroupMemberMetadataValue) *member {
	m := newMember(id)
	m.instance, m.rack = v.InstanceID, v.RackID
	m.client = classic.Client{ID: v.ClientID, Host: v.ClientHost}
	m.sub = &subscription{topics: sortedNames(v.SubscribedTopicNames)}
	if v.SubscribedTopicRegex != nil {
		m.sub.regex = *v.SubscribedTopicRegex
	}
	m.rebalanceTimeout = duration(v.RebalanceTimeoutMillis)
	if v.ServerAssignor != nil {
		m.assignor = *v.ServerAssignor
	}
	if v.Classic != nil {
		m.classic = &classicMember{sessionTimeout: duration(v.Classic.SessionTimeoutMillis)}
		for _, p := range v.Classic.SupportedProtocols {
			m.classic.protocols = append(m.classic.protocols, classic.Protocol{Name: p.Name, Metadata: p.Metadata})
		}
	}
	return m
}

// decodeHolding takes the member's epoch for partitions of which no epoch was stored (Kafka before 4.3).
func decodeHolding(list []journal.ConsumerTopicPartitions, epoch int32) holding {
	h := make(holding, len(list))
	for _, t := range list {
		if len(t.Partitions) == 0 {
			continue
		}
		if len(t.AssignmentEpochs) != len(t.Partitions) || !strictlySorted(t.Partitions) {
			h[t.TopicID] = decodeUnsorted(t, epoch)
			continue
		}
		h[t.TopicID] = held{t.Partitions, t.AssignmentEpochs}
	}
	return h
}

func decodeUnsorted(t journal.ConsumerTopicPartitions, epoch int32) held {
	partitions := sortedUnique(t.Partitions)
	h := heldSince(partitions, epoch)
	if len(t.AssignmentEpochs) == len(t.Partitions) {
		for i, p := range t.Partitions {
			at, _ := slices.BinarySearch(partitions, p)
			h.epochs[at] = t.AssignmentEpochs[i]
		}
	}
	return h
}
