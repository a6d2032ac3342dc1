package api

import (
	"github.com/twmb/franz-go/pkg/kbin"

	"github.com/kbroker/kbroker/protocol"
)

// encode writes the answer into p.buf. It is written by hand because every batch that
// anybody produces is answered by it: a kmsg struct would be an allocation or two for each partition.
func (p *produceCall) encode() {
	version := p.call.Header.Version
	flexible := version >= 9
	dst := appendArrayLen(p.buf[:0], len(p.topics), flexible)
	at := 0
	var endpoints []endpoint
	for i := range p.topics {
		t := &p.topics[i]
		dst = appendString(dst, t.name, flexible)
		dst = appendArrayLen(dst, t.count, flexible)
		for j := range t.count {
			r := &p.results[at+j]
			dst = r.encode(dst, version)
			if version >= 10 && r.leader.id >= 0 {
				endpoints = p.h.addEndpoint(endpoints, p.call.Conn.Listener, r.leader.id)
			}
		}
		at += t.count
		dst = appendNoTags(dst, flexible)
	}
	if version >= 1 {
		dst = kbin.AppendInt32(dst, 0) // throttle time
	}
	if flexible {
		if len(endpoints) > 0 {
			dst = append(dst, 1)
			dst = appendEndpointsTag(dst, 0, endpoints)
		} else {
			dst = append(dst, 0)
		}
	}
	p.buf = dst
}

func (r *produced) encode(dst []byte, version int16) []byte {
	flexible := version >= 9
	dst = kbin.AppendInt32(dst, r.index)
	dst = kbin.AppendInt16(dst, r.code)
	dst = kbin.AppendInt64(dst, r.baseOffset)
	if version >= 2 {
		dst = kbin.AppendInt64(dst, r.appendTime)
	}
	if version >= 5 {
		dst = kbin.AppendInt64(dst, r.logStartOffset)
	}
	if version >= 8 {
		dst = r.encodeRefusal(dst, flexible)
	}
	if !flexible {
		return dst
	}
	if version >= 10 && r.code == protocol.NotLeaderOrFollower && r.leader != noLeader {
		dst = append(dst, 1)
		return appendLeaderTag(dst, 0, r.leader)
	}
	return append(dst, 0)
}

// encodeRefusal appends which records are at fault, and the message. Kafka has these only for what the records themselves
// break (InvalidRecordException, InvalidTimestampException); other errors speak by their codes.
func (r *produced) encodeRefusal(dst []byte, flexible bool) []byte {
	detailed := r.refusal != nil && (r.code == protocol.InvalidRecord || r.code == protocol.InvalidTimestamp) && len(r.refusal.Records) > 0
	if !detailed {
		dst = appendArrayLen(dst, 0, flexible)
		return appendNullableString(dst, nil, flexible)
	}
	dst = appendArrayLen(dst, len(r.refusal.Records), flexible)
	for i := range r.refusal.Records {
		e := &r.refusal.Records[i]
		dst = kbin.AppendInt32(dst, e.Index)
		dst = appendNullableString(dst, &e.Message, flexible)
		dst = appendNoTags(dst, flexible)
	}
	return appendNullableString(dst, &r.refusal.Message, flexible)
}

func appendArrayLen(dst []byte, n int, flexible bool) []byte {
	if flexible {
		return kbin.AppendCompactArrayLen(dst, n)
	}
	return kbin.AppendArrayLen(dst, n)
}

func appendString(dst []byte, s string, flexible bool) []byte {
	if flexible {
		return kbin.AppendCompactString(dst, s)
	}
	return kbin.AppendString(dst, s)
}

func appendNullableString(dst []byte, s *string, flexible bool) []byte {
	if flexible {
		return kbin.AppendCompactNullableString(dst, s)
	}
	return kbin.AppendNullableString(dst, s)
}

func appendNoTags(dst []byte, flexible bool) []byte {
	if flexible {
		return append(dst, 0)
	}
	return dst
}
