package offsets

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// world is what a group lives in: a clock, and a log that writes are appended to at once and committed in later.
type world struct {
	t        *testing.T
	g        *Group
	now      time.Time
	log      []journal.Entry // the log: an entry's Offset is its index
	inFlight []appended
	refuse   error // of the next append
	hw       int64 // high watermark
}

// appended is a write, or a marker, that is not known to be committed.
type appended struct {
	end  int64
	done func(x *journal.Turn, err error)
}

func newWorld(t *testing.T) *world {
	return &world{t: t, g: New("g"), now: time.UnixMilli(1000)}
}

// turn runs a step of the group as the owner of a group does.
func (w *world) turn(step func(x *journal.Turn)) {
	x := &journal.Turn{Now: w.now}
	step(x)
	for i := 0; i < len(x.Writes); i++ {
		write := x.Writes[i]
		if err := w.refuse; err != nil {
			w.refuse = nil
			write.Done(x, err)
			continue
		}
		for _, r := range write.Records {
			w.append(journal.Entry{Key: r.Key, Value: r.Value, Producer: write.Producer})
		}
		if write.Applied != nil {
			write.Applied(x)
		}
		w.inFlight = append(w.inFlight, appended{int64(len(w.log)), write.Done})
	}
}

func (w *world) append(e journal.Entry) {
	e.Offset = int64(len(w.log))
	w.log = append(w.log, e)
}

// end writes a marker.
func (w *world) end(producerID int64, commit bool) {
	marker := journal.Abort
	if commit {
		marker = journal.Commit
	}
	w.append(journal.Entry{Producer: &journal.Producer{ID: producerID}, Marker: marker})
	w.inFlight = append(w.inFlight, appended{int64(len(w.log)), func(*journal.Turn, error) { w.g.EndTxn(producerID, commit) }})
}

// finish tells a write that it is committed, or of its failure.
func (w *world) finish(i int, err error) {
	a := w.inFlight[i]
	w.inFlight = slices.Delete(w.inFlight, i, i+1)
	if err == nil {
		w.hw = max(w.hw, a.end)
	}
	w.turn(func(x *journal.Turn) { a.done(x, err) })
}

// replay loads a group from a log.
func (w *world) replay(log []journal.Entry) *Group {
	g := New("g")
	for _, e := range log {
		if e.Marker != journal.NoMarker {
			g.EndTxn(e.Producer.ID, e.Marker == journal.Commit)
			continue
		}
		key, value := w.read(e)
		g.Replay(e.Offset, key, value, e.Producer)
	}
	return g
}

func (w *world) read(e journal.Entry) (Partition, *Offset) {
	w.t.Helper()
	parsed, err := journal.ParseKey(e.Key)
	key, ok := parsed.(*kmsg.OffsetCommitKey)
	if err != nil || !ok || key.Group != "g" {
		w.t.Fatalf("read key %x: %v, %v", e.Key, parsed, err)
	}
	p := Partition{key.Topic, key.Partition}
	if e.Value == nil {
		return p, nil
	}
	v, err := journal.ParseOffset(e.Value)
	if err != nil {
		w.t.Fatal(err)
	}
	return p, &Offset{v.Offset, v.LeaderEpoch, v.Metadata, v.CommitTimestamp, v.ExpireTimestamp}
}

// dump tells all that is known of a group, but for what is being stored.
func dump(g *Group) string {
	var lines []string
	for _, f := range g.Fetch(nil, false) {
		lines = append(lines, fmt.Sprintf("%s-%d: %s", f.Topic, f.Index, show(f.Offset)))
	}
	if len(lines) != g.Len() {
		lines = append(lines, fmt.Sprintf("%d offsets, but Len is %d", len(lines), g.Len()))
	}
	var open []string
	for id, txn := range g.txns {
		for e, p := range txn {
			open = append(open, fmt.Sprintf("%s-%d: %s in the transaction of %d", e.topic.name, e.index, show(p.Offset), id))
		}
	}
	slices.Sort(open)
	if lines = append(lines, open...); len(lines) == 0 {
		return "nothing\n"
	}
	return strings.Join(lines, "\n") + "\n"
}

func show(o Offset) string {
	s := fmt.Sprintf("%d", o.Offset)
	if o.LeaderEpoch != -1 {
		s += fmt.Sprintf(" epoch=%d", o.LeaderEpoch)
	}
	switch {
	case len(o.Metadata) > 50:
		s += fmt.Sprintf(" %d bytes", len(o.Metadata))
	case o.Metadata != "":
		s += fmt.Sprintf(" %q", o.Metadata)
	}
	if o.CommitTime != -1 {
		s += fmt.Sprintf(" at=%d", o.CommitTime)
	}
	if o.ExpireTime != -1 {
		s += fmt.Sprintf(" expires=%d", o.ExpireTime)
	}
	return s
}

// kept counts the entries, which must all have a reason to be.
func (w *world) kept() (n int) {
	w.t.Helper()
	for name, t := range w.g.topics {
		if len(t.entries) == 0 {
			w.t.Errorf("topic %s is kept without partitions", name)
		}
		n += len(t.entries)
	}
	return n
}

var errBroken = errors.New("broken")
