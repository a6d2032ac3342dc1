package classic

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// HeartbeatRequest is a Heartbeat.
type HeartbeatRequest struct {
	MemberID   string
	InstanceID *string
	Generation int32
}

// Clone copies what r points to.
func (r HeartbeatRequest) Clone() HeartbeatRequest {
	r.MemberID = strings.Clone(r.MemberID)
	if r.InstanceID != nil {
		id := strings.Clone(*r.InstanceID)
		r.InstanceID = &id
	}
	return r
}

// Heartbeat keeps a member alive; REBALANCE_IN_PROGRESS tells it to rejoin. It allocates nothing, keeps nothing of r,
// looks at no other member, and asks for nothing but a Tick.
func (g *Group) Heartbeat(x *journal.Turn, r HeartbeatRequest) *kerr.Error {
	if g.state == Dead {
		return kerr.CoordinatorNotAvailable
	}
	m, err := g.find(r.MemberID, r.InstanceID)
	if err != nil {
		return err
	}
	if r.Generation != g.generation {
		return kerr.IllegalGeneration
	}
	g.heard(x, m)
	if g.state == PreparingRebalance {
		return kerr.RebalanceInProgress
	}
	return nil
}

// Committer is who commits offsets.
type Committer struct {
	MemberID   string
	InstanceID *string
	Generation int32 // -1: not said
	Txn        bool  // TxnOffsetCommit, whose rules are milder
}

// MayCommit tells whether membership allows a commit (GroupCoordinator.validateOffsetCommit). One that is not of a
// transaction counts as a heartbeat, and is refused until the member has its assignment.
func (g *Group) MayCommit(x *journal.Turn, c Committer) *kerr.Error {
	switch {
	case g.state == Dead:
		return kerr.CoordinatorNotAvailable
	case g.state == Empty && c.Generation < 0:
		return nil // a consumer that assigns partitions to itself, or an operator
	case c.Generation < 0 && c.MemberID == "" && c.InstanceID == nil:
		if c.Txn {
			return nil // TxnOffsetCommit before v3 does not say who commits
		}
		return kerr.UnknownMemberID
	}
	m, err := g.find(c.MemberID, c.InstanceID)
	switch {
	case err != nil:
		return err
	case c.Generation != g.generation:
		return kerr.IllegalGeneration
	case c.Txn:
		return nil
	case g.state == CompletingRebalance:
		return kerr.RebalanceInProgress
	}
	g.heard(x, m)
	return nil
}
