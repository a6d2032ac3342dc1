package api

import (
	"github.com/twmb/franz-go/pkg/kbin"

	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// The tagged fields of a partition, and of the answer.
const (
	tagDivergingEpoch uint32 = 0
	tagCurrentLeader  uint32 = 1
	tagNodeEndpoints  uint32 = 0
)

// part says where records go: the buffer up to an end, then the records of an item.
type part struct {
	end  int
	item *fetchItem
}

// response encodes the answer. Between the encoded bytes stand the slices of the logs, which the server sends from their files:
// nothing here grows with the records.
func (f *fetchCall) response() server.Response {
	f.encode()
	start := 0
	for _, p := range f.parts {
		f.chunks = append(f.chunks, server.Chunk{Bytes: f.buf[start:p.end]})
		start = p.end
		if p.item.converted != nil {
			f.chunks = append(f.chunks, server.Chunk{Bytes: p.item.converted})
		} else {
			f.chunks = append(f.chunks, server.Chunk{Piece: &p.item.result.Slice})
		}
	}
	f.chunks = append(f.chunks, server.Chunk{Bytes: f.buf[start:]})
	return server.Response{Chunks: f.chunks, Done: f.done}
}

func (f *fetchCall) encode() {
	flexible := f.version >= 12
	dst := f.buf[:0]
	if f.version >= 1 {
		dst = kbin.AppendInt32(dst, 0) // throttle time
	}
	if f.version >= 7 {
		dst = kbin.AppendInt16(dst, f.code)
		dst = kbin.AppendInt32(dst, f.sessionID)
	}
	dst = appendArrayLen(dst, f.countTopics(), flexible)
	for i := 0; i < len(f.items); {
		next, count := f.topicAt(i)
		if count > 0 {
			dst = f.appendTopic(dst, f.items[i:next], count)
		}
		i = next
	}
	if flexible {
		dst = f.appendEndpoints(dst)
	}
	f.buf = dst
}

// topicAt returns where the run of items with the topic of item i ends, and how many of them are answered. A topic whose
// partitions do not follow each other is answered in several runs, as Kafka does.
func (f *fetchCall) topicAt(i int) (next, count int) {
	first := &f.items[i].key
	for next = i; next < len(f.items); next++ {
		if k := &f.items[next].key; k.topicID != first.topicID || k.topic != first.topic {
			break
		}
		if !f.items[next].omitted {
			count++
		}
	}
	return next, count
}

func (f *fetchCall) countTopics() int {
	topics := 0
	for i := 0; i < len(f.items); {
		next, count := f.topicAt(i)
		if count > 0 {
			topics++
		}
		i = next
	}
	return topics
}

func (f *fetchCall) appendTopic(dst []byte, items []fetchItem, count int) []byte {
	flexible := f.version >= 12
	if f.version >= 13 {
		dst = kbin.AppendUuid(dst, items[0].key.topicID)
	} else {
		dst = appendString(dst, items[0].key.topic, flexible)
	}
	dst = appendArrayLen(dst, count, flexible)
	for i := range items {
		if !items[i].omitted {
			dst = f.appendPartition(dst, &items[i])
		}
	}
	return appendNoTags(dst, flexible)
}

func (f *fetchCall) appendPartition(dst []byte, it *fetchItem) []byte {
	r := &it.result
	flexible := f.version >= 12
	dst = kbin.AppendInt32(dst, it.key.index)
	dst = kbin.AppendInt16(dst, it.code)
	dst = kbin.AppendInt64(dst, r.HighWatermark)
	if f.version >= 4 {
		dst = kbin.AppendInt64(dst, r.LastStableOffset)
	}
	if f.version >= 5 {
		dst = kbin.AppendInt64(dst, r.LogStartOffset)
	}
	if f.version >= 4 {
		dst = f.appendAborted(dst, it)
	}
	if f.version >= 11 {
		dst = kbin.AppendInt32(dst, r.PreferredReplica)
	}
	size := it.size()
	if flexible {
		dst = kbin.AppendUvarint(dst, uint32(size)+1)
	} else {
		dst = kbin.AppendInt32(dst, int32(size)) // never null: KAFKA-18646
	}
	if size > 0 {
		f.parts = append(f.parts, part{len(dst), it})
	}
	if !flexible {
		return dst
	}
	return it.appendTags(dst)
}

// appendAborted appends the aborted transactions among the records: null for those who do not care.
func (f *fetchCall) appendAborted(dst []byte, it *fetchItem) []byte {
	flexible := f.version >= 12
	aborted := it.result.Aborted
	if f.isolation != replica.ReadCommitted || it.code != protocol.None {
		if flexible {
			return kbin.AppendCompactNullableArrayLen(dst, 0, true)
		}
		return kbin.AppendNullableArrayLen(dst, 0, true)
	}
	dst = appendArrayLen(dst, len(aborted), flexible)
	for _, a := range aborted {
		dst = kbin.AppendInt64(dst, a.ProducerID)
		dst = kbin.AppendInt64(dst, a.FirstOffset)
		dst = appendNoTags(dst, flexible)
	}
	return dst
}

func (it *fetchItem) appendTags(dst []byte) []byte {
	diverging, led := it.result.DivergingEpoch >= 0, it.leader != noLeader
	count := byte(0)
	if diverging {
		count++
	}
	if led {
		count++
	}
	dst = append(dst, count)
	if diverging {
		dst = kbin.AppendUvarint(dst, tagDivergingEpoch)
		dst = kbin.AppendUvarint(dst, 13) // int32, int64 and no tags
		dst = kbin.AppendInt32(dst, it.result.DivergingEpoch)
		dst = kbin.AppendInt64(dst, it.result.DivergingEnd)
		dst = append(dst, 0)
	}
	if led {
		dst = appendLeaderTag(dst, tagCurrentLeader, it.leader)
	}
	return dst
}

// appendEndpoints ends a flexible answer: with where the leaders that it names are.
func (f *fetchCall) appendEndpoints(dst []byte) []byte {
	var endpoints []endpoint
	if f.version >= 16 {
		for i := range f.items {
			if it := &f.items[i]; !it.omitted && it.leader.id >= 0 {
				endpoints = f.h.addEndpoint(endpoints, f.call.Conn.Listener, it.leader.id)
			}
		}
	}
	if len(endpoints) == 0 {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	return appendEndpointsTag(dst, tagNodeEndpoints, endpoints)
}
