package replica

import (
	"slices"

	"github.com/kbroker/kbroker/broker/metadata"
)

// noReplica stands for no replica where another broker's id may.
const noReplica int32 = -1

// preferredReplica picks the replica from which a consumer shall read instead of from this leader (KIP-392; Kafka:
// ReplicaManager.findPreferredReadReplica, RackAwareReplicaSelector.java): one in the consumer's rack that it can reach,
// that is in sync and has the offset; of several the one that has got furthest. Where the leader is in that rack too
// there is nothing better than it. A replica that is not in sync would serve less and less, and be picked ever again.
// p.mu is held.
func (p *Partition) preferredReplica(r *ReadRequest) int32 {
	if !p.env.rackAware || r.Rack == "" || p.role != leader {
		return noReplica
	}
	image := p.env.metadata.Load()
	if inRack(image, p.env.brokerID, r) {
		return noReplica
	}
	var best *progress
	for i := range p.followers {
		f := &p.followers[i]
		if f.end < r.Offset || f.logStart > r.Offset || !slices.Contains(p.isr.committed, f.id) || !inRack(image, f.id, r) {
			continue
		}
		if best == nil || f.ahead(best) {
			best = f
		}
	}
	if best == nil {
		return noReplica
	}
	return best.id
}

// inRack reports whether a live broker is in the consumer's rack and on its listener.
func inRack(image *metadata.Image, id int32, r *ReadRequest) bool {
	b, ok := image.Broker(id)
	if !ok || b.Rack == nil || *b.Rack != r.Rack {
		return false
	}
	_, reachable := b.Endpoint(r.Listener)
	return reachable
}

// ahead compares two followers as Kafka does (ReplicaView.comparator).
func (f *progress) ahead(other *progress) bool {
	switch {
	case f.end != other.end:
		return f.end > other.end
	case !f.caughtUpAt.Equal(other.caughtUpAt):
		return f.caughtUpAt.After(other.caughtUpAt)
	default:
		return f.id > other.id
	}
}
