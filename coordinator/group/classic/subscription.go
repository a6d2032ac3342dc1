package classic

import "encoding/binary"

// consumerProtocol is the protocol type of consumers, whose metadata the coordinator reads.
const consumerProtocol = "consumer"

// Subscribed tells whether a member subscribes to the topic; known is false when that cannot be told: the group is not
// of the consumer protocol, or a member's metadata does not parse (GroupMetadata.computeSubscribedTopics).
func (g *Group) Subscribed(topic string) (subscribed, known bool) {
	_, subscribed = g.topics[topic]
	return subscribed, g.topics != nil
}

// subscriptions gathers the topics that members subscribe to; nil when that cannot be told.
func (g *Group) subscriptions() map[string]struct{} {
	if text(g.protocolType) != consumerProtocol || len(g.members) > 0 && g.protocol == nil {
		return nil
	}
	topics := map[string]struct{}{}
	for m := range g.all() {
		if !addTopics(topics, m.metadata(*g.protocol)) {
			return nil
		}
	}
	return topics
}

// addTopics reads a member's subscription: version, topics and user data, with which every version begins.
func addTopics(topics map[string]struct{}, b []byte) bool {
	if len(b) < 6 {
		return false
	}
	count := int32(binary.BigEndian.Uint32(b[2:]))
	b = b[6:]
	if count < 0 {
		return false
	}
	for range count {
		if len(b) < 2 {
			return false
		}
		size := int(int16(binary.BigEndian.Uint16(b)))
		if size < 0 || size > len(b)-2 {
			return false
		}
		name := b[2 : 2+size]
		b = b[2+size:]
		if _, ok := topics[string(name)]; !ok { // this conversion does not allocate
			topics[string(name)] = struct{}{}
		}
	}
	if len(b) < 4 {
		return false
	}
	userData := int32(binary.BigEndian.Uint32(b)) // negative: none
	return int(userData) <= len(b)-4
}
