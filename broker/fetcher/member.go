package fetcher

import (
	"container/heap"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/replica"
)

// standing is what a loop does with a partition.
type standing int8

const (
	ready     standing = iota // it is asked for
	delayed                   // it is asked for again when it is due
	repairing                 // the leader is asked for its offsets
	failed                    // nothing, until the next Follow
)

// member is a partition in a loop, which owns it.
type member struct {
	*followed
	standing standing
	at       replica.Position // where it goes on
	caughtUp bool             // by the last answer; what is not is throttled
	failures int              // in a row
	slot     int              // in loop.members
	gone     bool             // from the loop

	due  time.Time // while delayed
	heap int       // its place in loop.delays; -1: it has none

	dirty      bool // it is in loop.dirty
	inSession  bool // the leader has it in the session, as far as we know
	forgetting bool // it is in session.leaving
	asked      ask  // over the main lane, in the session
	askedAside ask
}

// ask is what a fetch says of a partition.
type ask struct {
	at    replica.Position
	epoch int32
}

func (m *member) wanted() ask { return ask{at: m.at, epoch: m.LeaderEpoch} }

// fields name the partition in a log entry.
func (m *member) fields(more ...zap.Field) []zap.Field {
	return append([]zap.Field{
		zap.String("topic", m.Partition.Topic()), zap.Int32("partition", m.Partition.Index()),
		zap.Int32("leader", m.LeaderID), zap.Int32("leader_epoch", m.LeaderEpoch), zap.Int64("offset", m.at.Offset),
	}, more...)
}

// idKey and nameKey name a partition in answers with topic ids, and in those without.
type idKey struct {
	topic [16]byte
	index int32
}

type nameKey struct {
	topic string
	index int32
}

// join takes a partition in, or renews what is known of it.
func (l *loop) join(f *followed) {
	if old := l.byPartition[f.Partition]; old != nil {
		l.leave(old)
	}
	m := &member{followed: f, heap: -1, slot: len(l.members)}
	l.members = append(l.members, m)
	l.byPartition[f.Partition] = m
	l.byName[nameKey{f.Partition.Topic(), f.Partition.Index()}] = m
	if f.topicID == ([16]byte{}) {
		l.nameless++
	} else {
		l.byID[idKey{f.topicID, f.Partition.Index()}] = m
	}
	m.standing = delayed // until the position is known
	position, err := f.Partition.Position(f.LeaderEpoch)
	if l.troubled(m, err) {
		return
	}
	m.at = position
	l.log.Debug("following", m.fields(zap.Int32("last_epoch", position.LastEpoch))...)
	l.activate(m)
}

// leave forgets a partition.
func (l *loop) leave(m *member) {
	if m.gone {
		return
	}
	l.suspend(m, failed)
	m.gone = true
	last := len(l.members) - 1
	l.members[m.slot] = l.members[last]
	l.members[m.slot].slot = m.slot
	l.members[last] = nil
	l.members = l.members[:last]
	delete(l.byPartition, m.Partition)
	// Another partition object of the same name may have come meanwhile.
	if key := (nameKey{m.Partition.Topic(), m.Partition.Index()}); l.byName[key] == m {
		delete(l.byName, key)
	}
	if m.topicID == ([16]byte{}) {
		l.nameless--
	} else if key := (idKey{m.topicID, m.Partition.Index()}); l.byID[key] == m {
		delete(l.byID, key)
	}
}

// activate has a partition asked for from m.at on. A throttled one has to wait while the quota is exceeded.
func (l *loop) activate(m *member) {
	if !m.caughtUp && m.Partition.ThrottledAsFollower() {
		if wait := l.quota.Wait(); wait > 0 {
			l.suspend(m, delayed)
			l.schedule(m, wait)
			return
		}
	}
	l.unschedule(m)
	if m.standing != ready {
		m.standing = ready
		l.ready++
	}
	l.mark(m)
}

// mark notes that the next fetch has to say something of a member.
func (l *loop) mark(m *member) {
	if !m.dirty {
		m.dirty = true
		l.dirty = append(l.dirty, m)
	}
	if l.main.busy && l.pendingSince.IsZero() {
		l.pendingSince = time.Now()
	}
}

// suspend stops asking for a partition.
func (l *loop) suspend(m *member, to standing) {
	l.unschedule(m)
	if m.standing == ready {
		l.ready--
	}
	m.standing = to
	l.session.part(m)
}

// delay has a partition that failed asked for again after a while, which grows.
func (l *loop) delay(m *member) {
	m.failures++
	l.suspend(m, delayed)
	l.schedule(m, l.backoff(m.failures))
}

// fail gives a partition up until the next Follow.
func (l *loop) fail(m *member) {
	l.suspend(m, failed)
	m.failed.Store(true)
}

func (l *loop) schedule(m *member, after time.Duration) {
	m.due = time.Now().Add(after)
	heap.Push(&l.delays, m)
}

func (l *loop) unschedule(m *member) {
	if m.heap >= 0 {
		heap.Remove(&l.delays, m.heap)
	}
}

// delays has the delayed members, the first due first.
type delays []*member

func (d delays) Len() int           { return len(d) }
func (d delays) Less(i, j int) bool { return d[i].due.Before(d[j].due) }

func (d delays) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].heap, d[j].heap = i, j
}

// Push implements heap.Interface.
func (d *delays) Push(x any) {
	m := x.(*member)
	m.heap = len(*d)
	*d = append(*d, m)
}

// Pop implements heap.Interface.
func (d *delays) Pop() any {
	last := len(*d) - 1
	m := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	m.heap = -1
	return m
}
