package journal

import "time"

// Turn is one step of a machine: the time at which it happens, and what the machine wants done. A machine never keeps a
// Turn beyond the call that it came with.
type Turn struct {
	Now        time.Time
	Writes     []Write
	Rebalances []Rebalance
	wake       time.Time
}

// Write is a batch for the journal. The actor appends the batches of a turn in order, each after the callbacks of the one
// before it; a callback may ask for more.
type Write struct {
	Records []Record
	// Awaits makes a write without records Done when all that the group has written is committed; else it is so at once.
	Awaits   bool
	Producer *Producer // of a transactional commit, else nil
	// Applied runs in this turn, when the records are in the local log: state that must equal a replay changes here. It may
	// be nil, and does not run when the append was refused.
	Applied func(x *Turn)
	// Done runs with nil when the records are committed, in this turn or a later one; with the error when the append was
	// refused, or the replicas did not come. It may be nil. Between Applied and Done other turns may happen.
	Done func(x *Turn, err error)
}

// Append asks for a write.
func (x *Turn) Append(w Write) { x.Writes = append(x.Writes, w) }

// WakeAt asks for a Tick no later than t. Asking again only brings it nearer; a Tick that comes when nothing is
// due must be harmless and ask anew.
func (x *Turn) WakeAt(t time.Time) {
	if x.wake.IsZero() || t.Before(x.wake) {
		x.wake = t
	}
}

// Wake returns the earliest time that was asked for; zero when none was.
func (x *Turn) Wake() time.Time { return x.wake }

// Rebalance is why a rebalance began, for the log and metrics.
type Rebalance struct {
	Kind       RebalanceKind
	Reason     string // for people, with the member
	Generation int32  // that it leads to; the group epoch, in a consumer group
}

// RebalanceKind is a reason as metrics count it.
type RebalanceKind string

// The kinds of reasons.
const (
	MemberJoined        RebalanceKind = "member-joined"
	MemberLeft          RebalanceKind = "member-left"
	MemberExpired       RebalanceKind = "member-expired" // no heartbeat, no rejoin or no sync in time
	SubscriptionChanged RebalanceKind = "subscription-changed"
	LeaderRejoined      RebalanceKind = "leader-rejoined"
	TopicsChanged       RebalanceKind = "topics-changed"
	AssignmentLost      RebalanceKind = "assignment-lost" // it could not be stored
	ProtocolConverted   RebalanceKind = "protocol-converted"
)

// Rebalanced notes that a rebalance began.
func (x *Turn) Rebalanced(kind RebalanceKind, generation int32, reason string) {
	x.Rebalances = append(x.Rebalances, Rebalance{Kind: kind, Reason: reason, Generation: generation})
}
