package classic

import (
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// Config is what the broker is configured to. It is read in every step and must not change during one.
type Config struct {
	MinSessionTimeout     time.Duration // group.min.session.timeout.ms
	MaxSessionTimeout     time.Duration // group.max.session.timeout.ms
	InitialRebalanceDelay time.Duration // group.initial.rebalance.delay.ms
	MaxSize               int32         // group.max.size
	// NewID makes the random part of a member id, a UUID. It comes from outside so that a test knows it.
	NewID func() string
}

// State is a group's state; the text is Kafka's.
type State string

// The states of a group; doc.go tells what each event does in each of them.
const (
	Empty               State = "Empty"
	PreparingRebalance  State = "PreparingRebalance"
	CompletingRebalance State = "CompletingRebalance"
	Stable              State = "Stable"
	Dead                State = "Dead"
)

// OverCapacity is the kind of rebalance of a loaded group that has more members than group.max.size allows.
const OverCapacity journal.RebalanceKind = "over-capacity"

// Group is a group of the classic protocol (Kafka: GroupMetadata and its handling in GroupCoordinator). One goroutine
// at a time may call it. A reply function is called exactly once, in the turn of the request or in a later one, and
// must not call the group.
type Group struct {
	id     string
	config *Config

	state      State
	since      time.Time // when the state was entered; zero when that is not known
	generation int32

	protocolType *string // nil before the first member
	protocol     *string // chosen by the last rebalance; nil when that left no members
	leader       *member // nil exactly when there are no members

	members     map[string]*member   // by id
	first, last *member              // in the order of their arrival
	instances   map[string]*member   // the static ones, by instance id
	pending     map[string]time.Time // ids given out that have yet to be joined with (KIP-394), with the time they lapse at
	supporters  map[string]int       // by protocol, how many members support it
	joining     int                  // parked joins
	owing       int                  // members that have not sent SyncGroup in this generation
	storing     bool                 // the assignment of this generation is being stored

	// topics are those that members subscribe to, as the last rebalance found them; nil when they are not known.
	topics map[string]struct{}

	joinBy  time.Time     // when PreparingRebalance ends at the latest
	initial *initialDelay // while the first rebalance of an Empty group waits for more members
	// joined says that a member came during the very first rebalance, so that its delay is worth extending.
	joined bool
	syncBy time.Time // when members that owe a sync are removed; zero when none does
	wake   time.Time // the earliest time that a Tick was asked for and did not come yet
}

// New makes an empty group that nothing is stored of.
func New(id string, c *Config) *Group {
	return &Group{
		id:         id,
		config:     c,
		state:      Empty,
		members:    map[string]*member{},
		instances:  map[string]*member{},
		pending:    map[string]time.Time{},
		supporters: map[string]int{},
	}
}

// State is the state now.
func (g *Group) State() State { return g.state }

// Generation is that of the last rebalance; 0 before the first.
func (g *Group) Generation() int32 { return g.generation }

// ProtocolType is "" for a simple group, which has never had a member.
func (g *Group) ProtocolType() string { return text(g.protocolType) }

// EmptySince is when the group became Empty; zero if it is not, or when that is not known.
func (g *Group) EmptySince() time.Time {
	if g.state != Empty {
		return time.Time{}
	}
	return g.since
}

func (g *Group) become(s State, now time.Time) { g.state, g.since = s, now }

func (g *Group) leaderID() string {
	if g.leader == nil {
		return ""
	}
	return g.leader.id
}

// all visits the members in the order of their arrival. The visited member may be removed.
func (g *Group) all() iter.Seq[*member] {
	return func(yield func(*member) bool) {
		for m := g.first; m != nil; {
			next := m.next
			if !yield(m) {
				return
			}
			m = next
		}
	}
}

// find looks up who sends a request. An instance id must be known and be that of the member (KIP-345).
func (g *Group) find(memberID string, instanceID *string) (*member, *kerr.Error) {
	if instanceID == nil {
		if m := g.members[memberID]; m != nil {
			return m, nil
		}
		return nil, kerr.UnknownMemberID
	}
	switch m := g.instances[*instanceID]; {
	case m == nil:
		return nil, kerr.UnknownMemberID
	case m.id != memberID:
		return nil, kerr.FencedInstanceID
	default:
		return m, nil
	}
}

// wakeAt asks for a Tick at t. It repeats the nearest time that was asked for before, so that one timer serves a group.
func (g *Group) wakeAt(x *journal.Turn, t time.Time) {
	if g.wake.IsZero() || t.Before(g.wake) {
		g.wake = t
	}
	x.WakeAt(g.wake)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
