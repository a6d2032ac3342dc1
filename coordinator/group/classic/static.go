package classic

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// replace lets a new process take the place of a static member (KIP-345). In Stable that is no rebalance if the chosen
// protocol stays: the member keeps its assignment, under an id that is stored before it is told.
func (g *Group) replace(x *journal.Turn, m *member, id string, r JoinRequest, reply func(JoinResponse)) {
	old := replaced{
		id: m.id, leader: g.leaderID(),
		was: JoinRequest{Protocols: m.protocols, SessionTimeout: m.sessionTimeout, RebalanceTimeout: m.rebalanceTimeout},
	}
	g.rename(m, id)
	g.heard(x, m) // with the session timeout of the process before, until it is heard of again
	g.update(m, r, reply)
	switch g.state {
	case Stable:
		if g.vote() == text(g.protocol) {
			g.storeReplacement(x, m, old, r.SkipAssignment)
			return
		}
		g.prepareRebalance(x, journal.SubscriptionChanged,
			fmt.Sprintf("member %s%s returned with other protocols; client reason: %s", id, instance(m), r.Reason))
	case CompletingRebalance:
		// The leader may be assigning to the old id.
		g.prepareRebalance(x, journal.MemberJoined,
			fmt.Sprintf("member %s%s returned in state %s; client reason: %s", id, instance(m), CompletingRebalance, r.Reason))
	}
}

// replaced is a static member and its group before another process took its place.
type replaced struct {
	id     string
	was    JoinRequest
	leader string
}

func (g *Group) storeReplacement(x *journal.Turn, m *member, old replaced, skipAssignment bool) {
	generation, id := g.generation, m.id
	x.Append(journal.Write{
		Records: []journal.Record{g.Record(x.Now)},
		Done: func(x *journal.Turn, err error) {
			// A rebalance, yet another process, a removal or the end of the group may have answered the join meanwhile.
			if m.join == nil || m.id != id || g.generation != generation {
				return
			}
			if code := storeError(err); code != nil {
				g.undoReplacement(x, m, old, code)
				return
			}
			if g.state != Stable {
				return // the join takes part in the rebalance that began meanwhile
			}
			answer := g.current(m)
			if skipAssignment {
				answer.SkipAssignment = m == g.leader
			} else {
				// The assignment of a leader that returns would reach nobody. It does not make one when it takes another
				// for the leader.
				answer.Leader, answer.Members = old.leader, nil
			}
			answerJoin(g, m, answer)
			if m.deadline.IsZero() { // it was over before the write was done
				g.heard(x, m)
			}
		},
	})
}

// undoReplacement gives the member back to the process before. The new one is to ask again without an id.
func (g *Group) undoReplacement(x *journal.Turn, m *member, old replaced, code *kerr.Error) {
	reply := m.join
	m.join = nil
	g.joining--
	g.count(m.protocols, -1)
	m.protocols, m.sessionTimeout, m.rebalanceTimeout = old.was.Protocols, old.was.SessionTimeout, old.was.RebalanceTimeout
	g.count(m.protocols, 1)
	g.rename(m, old.id)
	g.heard(x, m)
	reply(JoinResponse{
		Err: code, Generation: g.generation, ProtocolType: g.protocolType, Protocol: g.protocol, Leader: old.leader,
	})
}
