package classic

import (
	"fmt"
	"slices"
	"time"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// Tick does what is due: sessions, pending ids, the time to join and the time to sync. Deadlines are kept with whom they
// are of and found by looking at all, for a heartbeat to be cheap; a live group is looked at about once per session
// timeout.
func (g *Group) Tick(x *journal.Turn) {
	g.wake = time.Time{}
	if g.state == Dead {
		return
	}
	for _, d := range g.due(x.Now) {
		d.happen(x)
	}
	if next := g.nextDeadline(); !next.IsZero() {
		g.wakeAt(x, next)
	}
}

// deadline is something that is due. What happened before it may have made it void: happen looks again.
type deadline struct {
	at     time.Time
	happen func(x *journal.Turn)
}

// due lists what is due, in the order of time.
func (g *Group) due(now time.Time) []deadline {
	var list []deadline
	add := func(at time.Time, happen func(x *journal.Turn)) {
		if isDue(at, now) {
			list = append(list, deadline{at, happen})
		}
	}
	for m := range g.all() {
		if isDue(m.deadline, now) {
			add(m.deadline, func(x *journal.Turn) { g.sessionOver(x, m) })
		}
	}
	for id, at := range g.pending {
		add(at, func(x *journal.Turn) { g.pendingOver(x, id) })
	}
	add(g.joinBy, func(x *journal.Turn) {
		if isDue(g.joinBy, x.Now) {
			g.joinOver(x)
		}
	})
	add(g.syncBy, func(x *journal.Turn) {
		if isDue(g.syncBy, x.Now) {
			g.syncOver(x)
		}
	})
	slices.SortStableFunc(list, func(a, b deadline) int { return a.at.Compare(b.at) })
	return list
}

func isDue(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

func (g *Group) nextDeadline() time.Time {
	var next time.Time
	look := func(at time.Time) {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for m := range g.all() {
		look(m.deadline)
	}
	for _, at := range g.pending {
		look(at)
	}
	look(g.joinBy)
	look(g.syncBy)
	return next
}

// sessionOver removes a member that was not heard of. A parked request is a sign of life, unless it is that of a fresh
// member; the next deadline is set when it is answered.
func (g *Group) sessionOver(x *journal.Turn, m *member) {
	switch {
	case g.members[m.id] != m || !isDue(m.deadline, x.Now):
	case m.parked() && !m.fresh:
		m.deadline = time.Time{}
	default:
		g.removeMember(x, m, journal.MemberExpired, fmt.Sprintf("no heartbeat of member %s%s", m.id, instance(m)))
	}
}

func (g *Group) pendingOver(x *journal.Turn, memberID string) {
	if at, ok := g.pending[memberID]; ok && isDue(at, x.Now) {
		g.lapse(x, memberID)
	}
}

// syncOver removes the members that did not ask for their assignment.
func (g *Group) syncOver(x *journal.Turn) {
	var late []string
	for m := range g.all() {
		if m.owesSync {
			late = append(late, m.id)
			g.remove(m.id)
		}
	}
	g.prepareRebalance(x, journal.MemberExpired, fmt.Sprintf("no sync of %d members, the first is %s", len(late), late[0]))
}
