package offsets

import (
	"cmp"
	"slices"
	"strings"
)

// topic is the partitions of a topic that there is something to know of.
type topic struct {
	name    string
	entries []*entry // by partition
}

// entry is what is known of one partition. It is in its topic as long as it has an offset or anything pending.
type entry struct {
	topic *topic
	Offset
	order   int64 // place in the log of the record that Offset, or its absence, is from
	index   int32
	storing int32 // commits between Commit and Done
	txns    int32 // producers with a pending offset
	exists  bool  // there is an Offset
}

func (e *entry) partition() Partition { return Partition{Topic: e.topic.name, Index: e.index} }

// unstable tells whether a commit is under way.
func (e *entry) unstable() bool { return e.storing > 0 || e.txns > 0 }

func (t *topic) search(index int32) (int, bool) {
	return slices.BinarySearchFunc(t.entries, index, func(e *entry, index int32) int { return cmp.Compare(e.index, index) })
}

// find returns the entry of a partition, nil if there is none.
func (g *Group) find(p Partition) *entry {
	if t := g.topics[p.Topic]; t != nil {
		if i, found := t.search(p.Index); found {
			return t.entries[i]
		}
	}
	return nil
}

// entry returns the entry of a partition, a new one if there was none. Whoever makes nothing of it releases it.
func (g *Group) entry(p Partition) *entry {
	t := g.topics[p.Topic]
	if t == nil {
		t = &topic{name: strings.Clone(p.Topic)}
		g.topics[t.name] = t
	}
	i, found := t.search(p.Index)
	if !found {
		t.entries = slices.Insert(t.entries, i, &entry{topic: t, index: p.Index})
	}
	return t.entries[i]
}

// set makes an offset count, unless a newer record does.
func (g *Group) set(e *entry, o Offset, order int64) {
	if e.order > order {
		return
	}
	if o.Metadata == e.Metadata {
		o.Metadata = e.Metadata // and not a part of a request
	} else {
		o.Metadata = strings.Clone(o.Metadata)
	}
	e.Offset, e.order = o, order
	if !e.exists {
		e.exists = true
		g.count++
	}
}

// unset makes a tombstone count. All that is pending is older.
func (g *Group) unset(e *entry, order int64) {
	if e.exists {
		g.count--
	}
	e.Offset, e.order, e.exists = Offset{}, order, false
	if e.txns > 0 {
		for id := range g.txns {
			g.forgetPending(id, e)
		}
	}
	delete(g.unsure, e)
	g.release(e)
}

// release drops an entry if nothing is known of it any more.
func (g *Group) release(e *entry) {
	if _, unsure := g.unsure[e]; unsure || e.exists || e.unstable() {
		return
	}
	t := e.topic
	if i, found := t.search(e.index); found && t.entries[i] == e {
		t.entries = slices.Delete(t.entries, i, i+1)
	}
	if len(t.entries) == 0 && g.topics[t.name] == t {
		delete(g.topics, t.name)
	}
}

// sorted returns the topics by name.
func (g *Group) sorted() []*topic {
	topics := make([]*topic, 0, len(g.topics))
	for _, t := range g.topics {
		topics = append(topics, t)
	}
	slices.SortFunc(topics, func(a, b *topic) int { return strings.Compare(a.name, b.name) })
	return topics
}
