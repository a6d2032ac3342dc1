package consumer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// Group is a group of the new protocol. One actor owns it: no method may run beside another.
type Group struct {
	id     string
	config *Config

	// Stored state: it changes in change.apply alone.
	epoch                int32
	hash                 uint64 // of the topics that epoch was made for
	epochStored          bool
	targetEpoch          int32
	targetTime           int64 // when that target was computed, in Unix milliseconds
	targetEpochStored    bool
	targets              map[string]assign.Partitions // by member
	members              map[string]*seat
	regexes              map[string]*resolution // resolved regular expressions
	hasPartitionMetadata bool                   // a record of Kafka before 4.1 is there to be removed

	// Indexes over stored state.
	order            []*seat           // members by id
	instances        map[string]string // member id by instance id
	subs             map[string]*subscription
	regexMembers     int // members that subscribe by regular expression
	owners           map[ownedPartition]string
	assignors        map[string]int // how many members ask for it
	classics         int            // members of the classic protocol
	classicProtocols map[string]int // how many of them support it

	// Soft state.
	image     Image
	topics    topicCache
	looked    look           // when the topics were last looked at
	resolved  resolveAttempt // when regular expressions were last resolved
	wake      time.Time      // no timeout is earlier; zero when there is none
	pending   []*pendingWrite
	inDoubt   bool            // a write timed out, and none was committed since
	tellings  uint64          // answers with an assignment so far
	scratch   []assign.Member // for the assignor, which does not keep it
	converted bool            // it is not replayed, but was a classic group
	closedErr *kerr.Error
}

// New makes an empty group that nothing is stored of.
func New(id string, c *Config) *Group {
	return &Group{
		id: id, config: c,
		targets:          map[string]assign.Partitions{},
		members:          map[string]*seat{},
		regexes:          map[string]*resolution{},
		instances:        map[string]string{},
		subs:             map[string]*subscription{},
		owners:           map[ownedPartition]string{},
		assignors:        map[string]int{},
		classicProtocols: map[string]int{},
	}
}

// Stored tells whether replays have left anything of the group.
func (g *Group) Stored() bool {
	return g.epochStored || g.targetEpochStored || g.hasPartitionMetadata ||
		len(g.members) > 0 || len(g.targets) > 0 || len(g.regexes) > 0
}

// Loaded starts the timeouts of the members, once all records are replayed or the group was converted. All sessions
// begin anew: after a replay also those of the classic protocol with the group's timeout, as in Kafka.
func (g *Group) Loaded(x *journal.Turn) {
	for _, s := range g.order {
		timeout := g.config.SessionTimeout
		if g.converted && s.classic != nil {
			timeout = s.classic.sessionTimeout
		}
		s.session = x.Now.Add(timeout)
		if s.state == unrevoked && s.classic == nil {
			s.revokeBy, s.revokeEpoch = x.Now.Add(s.rebalanceTimeout), s.epoch
		}
		// Nobody knows what the coordinator before could tell it.
		g.tell(s)
		g.watch(s)
	}
	g.askWake(x)
}

// Configure gives the group other settings. Sessions that run keep their timeout until the next heartbeat.
func (g *Group) Configure(x *journal.Turn, c *Config) {
	g.config = c
	g.askWake(x)
}

// TopicsChanged says that the image is a new one: what the group subscribes to is looked at with the next heartbeat.
func (g *Group) TopicsChanged(x *journal.Turn) {
	g.looked = look{}
	g.askWake(x)
}

// State is Empty, Assigning, Reconciling, Stable or Dead. It takes a look at every member.
func (g *Group) State() string {
	switch {
	case g.closedErr != nil:
		return "Dead"
	case len(g.members) == 0:
		return "Empty"
	case g.epoch > g.targetEpoch:
		return "Assigning"
	}
	for _, s := range g.order {
		if !s.reconciledTo(g.targetEpoch) {
			return "Reconciling"
		}
	}
	return "Stable"
}

// Subscribed tells whether a member subscribes to the topic, by name or by a regular expression that was resolved.
func (g *Group) Subscribed(topic string) bool {
	for _, sub := range g.subs {
		if g.subscribes(sub, topic) {
			return true
		}
	}
	return false
}

// MayDelete tells whether DeleteGroups may: nil or NON_EMPTY_GROUP.
func (g *Group) MayDelete() *kerr.Error {
	if len(g.members) > 0 {
		return kerr.NonEmptyGroup
	}
	return nil
}

// Delete returns the tombstones of all that is stored of the group, in Kafka's order: a group that is read back halfway
// never has an epoch without what it was made for.
func (g *Group) Delete() []journal.Record { return g.encode(g.tombstones()) }

func (g *Group) tombstones() []change {
	var changes []change
	for _, s := range g.order {
		changes = append(changes, currentGone{s.id})
	}
	for _, id := range sortedKeys(g.targets) {
		changes = append(changes, targetGone{id})
	}
	if g.targetEpochStored {
		changes = append(changes, targetEpochGone{})
	}
	for _, s := range g.order {
		changes = append(changes, memberGone{s.id})
	}
	for _, regex := range sortedKeys(g.regexes) {
		changes = append(changes, regexGone{regex})
	}
	if g.hasPartitionMetadata {
		changes = append(changes, partitionMetadataGone{})
	}
	if g.epochStored {
		changes = append(changes, epochGone{})
	}
	return changes
}

// Close ends the machine on this broker: who waits gets the error. The machine must not be used any more but for the
// callbacks of writes in flight, which answer nobody.
func (g *Group) Close(err *kerr.Error) {
	g.closedErr = err
	for _, p := range g.pending {
		waiters := p.waiters
		p.waiters = nil
		for _, answer := range waiters {
			answer(time.Time{}, err)
		}
	}
	g.pending = nil
}
