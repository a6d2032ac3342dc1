package consumer

import (
	"encoding/binary"
	"testing"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// FuzzReplay reads back records of which only the framing is sound: whatever they say, the group must bear it, keep its
// indexes, and write what reads back as the same group.
func FuzzReplay(f *testing.F) {
	w := newWorld(f)
	w.setTopic("foo", 3)
	for _, id := range []string{"a", "b"} {
		c := &client{id: id, topics: []string{"foo"}, full: true}
		w.turn(func(x *journal.Turn) { w.g.Heartbeat(x, w.image, c.request(), c.hear) })
	}
	var seed []byte
	for _, r := range w.log {
		seed = binary.AppendUvarint(append(binary.AppendUvarint(seed, uint64(len(r.Key))), r.Key...), uint64(len(r.Value)))
		seed = append(seed, r.Value...)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		g := New("g", w.config)
		for len(b) > 0 {
			var key, value []byte
			key, b = cut(b)
			value, b = cut(b)
			k, err := journal.ParseKey(key)
			if err != nil {
				continue
			}
			ck, ok := k.(journal.ConsumerKey)
			if !ok {
				continue
			}
			if len(value) == 0 {
				value = nil
			}
			if cv, err := journal.ParseConsumer(ck, value); err == nil {
				g.Replay(ck, cv)
			}
		}
		x := &journal.Turn{Now: w.now}
		g.Loaded(x)
		g.Describe()
		x.Now = x.Now.Add(w.config.SessionTimeout)
		g.Tick(x, w.image)
		for _, write := range x.Writes {
			write.Applied(x)
			write.Done(x, nil)
		}
		if len(g.members) > 0 || len(g.subs) > 0 || len(g.owners) > 0 || len(g.instances) > 0 || g.classics != 0 || g.regexMembers != 0 {
			t.Fatalf("the group is not empty when all members are gone:\n%s", dump(g))
		}
	})
}

// cut takes one piece with its length before it.
func cut(b []byte) (piece, rest []byte) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil
	}
	return b[size : size+int(n)], b[size+int(n):]
}
