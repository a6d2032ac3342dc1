package api

import (
	"github.com/twmb/franz-go/pkg/kbin"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/replica"
)

// leader is who leads a partition, as far as this broker knows: answers with NOT_LEADER_OR_FOLLOWER carry it, so
// that the client need not ask for metadata (KIP-951).
type leader struct{ id, epoch int32 }

var noLeader = leader{-1, -1}

// leaderOf asks the hosted partition, which knows first, and else the metadata. p may be nil.
func (h *Handlers) leaderOf(topic string, index int32, p *replica.Partition) leader {
	if p != nil {
		id, epoch := p.Leader()
		return leader{id, epoch}
	}
	if m, ok := h.partitionMetadata(topic, index); ok {
		return leader{m.Leader, m.LeaderEpoch}
	}
	return noLeader
}

// partitionMetadata finds a partition in the cluster's metadata.
func (h *Handlers) partitionMetadata(topic string, index int32) (*metadata.Partition, bool) {
	if t, ok := h.rooms.Metadata.Load().Topic(topic); ok {
		return t.Partition(index)
	}
	return nil, false
}

// hosted finds a partition that this broker hosts. One that it does not host, but that exists, is led elsewhere: the
// error is then replica.ErrNotLeader.
func (h *Handlers) hosted(topic string, index int32) (*replica.Partition, error) {
	p, err := h.rooms.Replicas.Partition(topic, index)
	if err == nil {
		return p, nil
	}
	if _, exists := h.partitionMetadata(topic, index); exists && isUnknown(err) {
		return nil, replica.ErrNotLeader
	}
	return nil, err
}

// endpoint is a broker as the tagged NodeEndpoints of Produce and Fetch answers list it.
type endpoint struct {
	id   int32
	host string
	port int32
	rack *string
}

// addEndpoint adds the leader's endpoint on the client's listener, unless it is there or not known.
func (h *Handlers) addEndpoint(to []endpoint, listener string, id int32) []endpoint {
	for i := range to {
		if to[i].id == id {
			return to
		}
	}
	b, ok := h.rooms.Metadata.Load().Broker(id)
	if !ok {
		return to
	}
	e, ok := b.Endpoint(listener)
	if !ok {
		return to
	}
	return append(to, endpoint{id: id, host: e.Host, port: e.Port, rack: b.Rack})
}

// appendLeaderTag appends the tagged field CurrentLeader.
func appendLeaderTag(dst []byte, tag uint32, l leader) []byte {
	dst = kbin.AppendUvarint(dst, tag)
	dst = kbin.AppendUvarint(dst, 9) // two int32 and no tags
	dst = kbin.AppendInt32(dst, l.id)
	dst = kbin.AppendInt32(dst, l.epoch)
	return append(dst, 0)
}

// appendEndpointsTag appends the tagged field NodeEndpoints.
func appendEndpointsTag(dst []byte, tag uint32, endpoints []endpoint) []byte {
	body := kbin.AppendCompactArrayLen(nil, len(endpoints))
	for _, e := range endpoints {
		body = kbin.AppendInt32(body, e.id)
		body = kbin.AppendCompactString(body, e.host)
		body = kbin.AppendInt32(body, e.port)
		body = kbin.AppendCompactNullableString(body, e.rack)
		body = append(body, 0)
	}
	dst = kbin.AppendUvarint(dst, tag)
	dst = kbin.AppendUvarint(dst, uint32(len(body)))
	return append(dst, body...)
}
