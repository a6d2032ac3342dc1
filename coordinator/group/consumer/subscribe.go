package consumer

import (
	"encoding/binary"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/kbroker/kbroker/coordinator/group/assign"
)

// topicCache is what was found out about topics of one image.
type topicCache struct {
	version uint64
	hashes  map[string]topicHash
	ids     map[*subscription]map[[16]byte]struct{}
}

type topicHash struct {
	hash   uint64
	exists bool
}

// look is the version of the image at which the topics of the group were last compared with its hash.
type look struct {
	done    bool
	version uint64
}

// use makes an image the newest.
func (g *Group) use(image Image) {
	g.image = image
	if version := image.Version(); g.topics.hashes == nil || g.topics.version != version {
		g.topics = topicCache{version, map[string]topicHash{}, map[*subscription]map[[16]byte]struct{}{}}
	}
}

// shared returns the subscription of the group that is equal, if there is one.
func (g *Group) shared(s *subscription) *subscription {
	if of := g.subs[s.key()]; of != nil {
		return of
	}
	return s
}

// subscriptions returns the distinct subscriptions that the group would have without some members and with another.
func (g *Group) subscriptions(without []*member, with *member) []*subscription {
	var subs []*subscription
	for _, s := range g.subs {
		left := s.members
		for _, m := range without {
			if m.sub == s {
				left--
			}
		}
		if left > 0 {
			subs = append(subs, s)
		}
	}
	if with != nil && !slices.Contains(subs, with.sub) {
		subs = append(subs, with.sub)
	}
	return subs
}

// subscribes tells whether a subscription takes a topic in.
func (g *Group) subscribes(s *subscription, topic string) bool {
	if _, ok := slices.BinarySearch(s.topics, topic); ok {
		return true
	}
	if r := g.regexes[s.regex]; s.regex != "" && r != nil {
		_, ok := slices.BinarySearch(r.topics, topic)
		return ok
	}
	return false
}

// subscribesID is subscribes for a topic of the newest image. A topic that is gone is subscribed to by nobody.
func (g *Group) subscribesID(s *subscription, topic [16]byte) bool {
	name, ok := g.image.Name(topic)
	return ok && g.subscribes(s, name)
}

// subscribedIDs returns the topics of the newest image that a subscription takes in; members with the same subscription
// share the set.
func (g *Group) subscribedIDs(s *subscription) map[[16]byte]struct{} {
	if ids := g.topics.ids[s]; ids != nil {
		return ids
	}
	ids := map[[16]byte]struct{}{}
	add := func(names []string) {
		for _, name := range names {
			if topic, ok := g.image.TopicByName(name); ok {
				ids[topic.ID] = struct{}{}
			}
		}
	}
	add(s.topics)
	if r := g.regexes[s.regex]; s.regex != "" && r != nil {
		add(r.topics)
	}
	if s.members > 0 { // others will not be seen again under this pointer
		g.topics.ids[s] = ids
	}
	return ids
}

// forgetSubscribers drops what was found out about subscriptions with that regular expression.
func (g *Group) forgetSubscribers(regex string) {
	for s := range g.topics.ids {
		if s.regex == regex {
			delete(g.topics.ids, s)
		}
	}
}

// hashOf is the hash of all topics of the newest image that the subscriptions take in: it differs when the target may
// have to. 0 when there are none. Kafka has it from XXH3 (KIP-1101); ours is FNV-1a, so a group that comes from there
// is assigned anew once.
func (g *Group) hashOf(subs []*subscription, regexes map[string]*resolution) uint64 {
	var names []string
	if len(subs) == 1 && subs[0].regex == "" {
		names = subs[0].topics
	} else {
		set := map[string]struct{}{}
		for _, s := range subs {
			for _, name := range s.topics {
				set[name] = struct{}{}
			}
			if r := regexes[s.regex]; s.regex != "" && r != nil {
				for _, name := range r.topics {
					set[name] = struct{}{}
				}
			}
		}
		names = slices.Sorted(maps.Keys(set))
	}
	h, any := fnv.New64a(), false
	var b [8]byte
	for _, name := range names {
		if t := g.topicHash(name); t.exists {
			any = true
			h.Write(binary.BigEndian.AppendUint64(b[:0], t.hash))
		}
	}
	if !any {
		return 0
	}
	return h.Sum64()
}

func (g *Group) topicHash(name string) topicHash {
	if t, ok := g.topics.hashes[name]; ok {
		return t
	}
	var t topicHash
	if topic, ok := g.image.TopicByName(name); ok {
		t = topicHash{hashTopic(name, topic), true}
	}
	g.topics.hashes[name] = t
	return t
}

// hashTopic hashes all that an assignor could know of a topic. Lengths keep neighbours apart.
func hashTopic(name string, topic assign.Topic) uint64 {
	h := fnv.New64a()
	text := func(s string) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	h.Write(topic.ID[:])
	text(name)
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(topic.Partitions)))
	for partition, racks := range topic.Racks {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(partition)))
		for _, rack := range slices.Sorted(maps.Keys(racks)) {
			text(rack)
		}
	}
	return h.Sum64()
}
