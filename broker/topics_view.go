package broker

import (
	"sync"
	"sync/atomic"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
)

// topicsView shows the metadata of the cluster as the group coordinator wants it: an image that stays the same one until
// topics, their partitions or the racks of replicas change. It keeps the metadata that it was made of. Safe for concurrent use.
type topicsView struct {
	cache  *metadata.Cache
	latest atomic.Pointer[topicsImage]
	told   atomic.Uint64 // the placement that moved last spoke of, plus one
}

// image returns the image of now.
func (v *topicsView) image() consumer.Image {
	now := v.cache.Load()
	last := v.latest.Load()
	if last == nil || last.metadata.Placement != now.Placement {
		last = &topicsImage{metadata: now}
		v.latest.Store(last)
	}
	return last
}

// moved tells whether the image is another one than at the last call.
func (v *topicsView) moved() bool {
	now := v.cache.Load().Placement + 1
	return v.told.Swap(now) != now
}

// topicsImage is consumer.Image over one image of the metadata.
type topicsImage struct {
	metadata *metadata.Image
	once     sync.Once
	names    []string
}

func (i *topicsImage) Version() uint64 { return i.metadata.Placement }

func (i *topicsImage) Topic(id [16]byte) (assign.Topic, bool) {
	t, ok := i.metadata.TopicByID(id)
	if !ok {
		return assign.Topic{}, false
	}
	return i.topic(t), true
}

func (i *topicsImage) TopicByName(name string) (assign.Topic, bool) {
	t, ok := i.metadata.Topic(name)
	if !ok {
		return assign.Topic{}, false
	}
	return i.topic(t), true
}

func (i *topicsImage) Name(id [16]byte) (string, bool) {
	t, ok := i.metadata.TopicByID(id)
	if !ok {
		return "", false
	}
	return t.Name, true
}

func (i *topicsImage) Names() []string {
	i.once.Do(func() {
		topics := i.metadata.Topics()
		i.names = make([]string, len(topics))
		for at, t := range topics {
			i.names[at] = t.Name
		}
	})
	return i.names
}

func (i *topicsImage) topic(t *metadata.Topic) assign.Topic {
	a := assign.Topic{ID: t.ID, Partitions: int32(len(t.Partitions))}
	if !i.metadata.Racked() {
		return a
	}
	a.Racks = make([]map[string]struct{}, len(t.Partitions))
	for at := range t.Partitions {
		racks := make(map[string]struct{}, len(t.Partitions[at].Replicas))
		for _, id := range t.Partitions[at].Replicas {
			if rack, ok := i.metadata.Rack(id); ok {
				racks[rack] = struct{}{}
			}
		}
		a.Racks[at] = racks
	}
	return a
}
