package consumer

import "github.com/kbroker/kbroker/coordinator/group/assign"

// An assignment is told once, with the answer to the heartbeat that changed it, and again to a member that says everything anew
// as it has missed an answer (KIP-848). Not all of them do: librdkafka, which waits for an answer no longer than a heartbeat
// interval, then sends its next heartbeat as if nothing had been. Where the epoch has moved on it is fenced, and begins anew.
// But a member that is to revoke partitions stays in its epoch, and one that waited for partitions was in its epoch before:
// it would hear neither, and be waited for until its rebalance timeout ends, or not work off what it has for good. Answers
// are that slow while writes wait for a replica that has died.
//
// So the assignment is told again, which changes nothing for a client that knows it, as long as the last answer with it is
// still on its way, has failed or was slow, and the member has not said that it owns just that.

// tell notes that a member is about to be told its assignment, and returns what heard is to be called with.
func (g *Group) tell(s *seat) (telling uint64) {
	g.tellings++
	s.unheard = g.tellings
	return g.tellings
}

// heard notes that an answer with an assignment went out in time, unless there is a later one.
func (g *Group) heard(id string, telling uint64) {
	if s := g.members[id]; s != nil && s.unheard == telling {
		s.unheard = 0
	}
}

// mayHaveMissed tells whether a member may not have heard its assignment. It has, once it owns just that.
func (g *Group) mayHaveMissed(id string, owned assign.Partitions) bool {
	s := g.members[id]
	if s == nil || s.unheard == 0 {
		return false
	}
	if owned != nil && s.assigned.is(owned) {
		s.unheard = 0
	}
	return s.unheard != 0
}
