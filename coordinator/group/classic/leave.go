package classic

import (
	"cmp"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// LeaveRequest is a LeaveGroup; before v3 it is of one member without an instance id.
type LeaveRequest struct{ Members []Leaving }

// Leaving is a member that leaves, or is removed by an operator: then MemberID is "" and the instance says who.
type Leaving struct {
	MemberID   string
	InstanceID *string
	Reason     string // KIP-800; "" when the client gives none
}

// Left tells what became of a Leaving. Before v3 Err is that of the whole response.
type Left struct {
	MemberID   string
	InstanceID *string
	Err        *kerr.Error
}

// Leave removes members, and answers for each in order. A Dead group answers for none; the whole response is
// COORDINATOR_NOT_AVAILABLE then.
func (g *Group) Leave(x *journal.Turn, r LeaveRequest) []Left {
	if g.state == Dead {
		return nil
	}
	left := make([]Left, 0, len(r.Members))
	for _, l := range r.Members {
		left = append(left, Left{MemberID: l.MemberID, InstanceID: l.InstanceID, Err: g.leave(x, l)})
	}
	return left
}

func (g *Group) leave(x *journal.Turn, l Leaving) *kerr.Error {
	var m *member
	if l.MemberID == "" {
		if l.InstanceID != nil {
			m = g.instances[*l.InstanceID]
		}
		if m == nil {
			return kerr.UnknownMemberID
		}
	} else if _, ok := g.pending[l.MemberID]; ok {
		g.lapse(x, l.MemberID)
		return nil
	} else {
		var err *kerr.Error
		if m, err = g.find(l.MemberID, l.InstanceID); err != nil {
			return err
		}
	}
	g.removeMember(x, m, journal.MemberLeft,
		fmt.Sprintf("member %s%s left; client reason: %s", m.id, instance(m), cmp.Or(l.Reason, "not provided")))
	return nil
}

// removeMember removes a member, of which the others learn by a rebalance.
func (g *Group) removeMember(x *journal.Turn, m *member, kind journal.RebalanceKind, reason string) {
	g.remove(m.id)
	if g.state == PreparingRebalance {
		g.tryCompleteJoin(x)
	} else {
		g.prepareRebalance(x, kind, reason)
	}
}

// lapse forgets a pending id, for which a rebalance may have been waiting.
func (g *Group) lapse(x *journal.Turn, memberID string) {
	g.remove(memberID)
	if g.state == PreparingRebalance {
		g.tryCompleteJoin(x)
	}
}
