package classic

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// JoinRequest is a JoinGroup. Before v1 the rebalance timeout is the session timeout.
type JoinRequest struct {
	Client
	MemberID         string
	InstanceID       *string
	SessionTimeout   time.Duration
	RebalanceTimeout time.Duration
	ProtocolType     string
	Protocols        []Protocol
	Reason           string // KIP-800; "" when the client gives none
	// RequireKnownID: JoinGroup v4 and later (KIP-394); it means nothing for a static member. SkipAssignment: v9 and
	// later understand it (KIP-814).
	RequireKnownID, SkipAssignment bool
}

// JoinResponse is the answer to a JoinGroup.
type JoinResponse struct {
	Err            *kerr.Error
	Generation     int32   // -1 on errors
	ProtocolType   *string // nil on errors, as Kafka has it
	Protocol       *string
	Leader         string
	SkipAssignment bool
	MemberID       string
	Members        []JoinMember // for the leader
}

// JoinMember is a member as its leader sees it. Metadata must not be changed.
type JoinMember struct {
	ID         string
	InstanceID *string
	Metadata   []byte
}

// Join answers when the rebalance that the member takes part in is complete, or at once if there is no need of one.
func (g *Group) Join(x *journal.Turn, r JoinRequest, reply func(JoinResponse)) {
	if r.SessionTimeout < g.config.MinSessionTimeout || r.SessionTimeout > g.config.MaxSessionTimeout {
		reply(joinError(r.MemberID, kerr.InvalidSessionTimeout))
		return
	}
	r.Protocols = distinct(r.Protocols)
	r.Reason = cmp.Or(r.Reason, "not provided")
	switch {
	case !g.hasRoom(r.MemberID):
		g.remove(r.MemberID)
		reply(joinError("", kerr.GroupMaxSizeReached))
	case g.state == Dead:
		reply(joinError(r.MemberID, kerr.CoordinatorNotAvailable))
	case !g.supports(r.ProtocolType, r.Protocols):
		reply(joinError(r.MemberID, kerr.InconsistentGroupProtocol))
	case r.MemberID == "":
		g.joinNew(x, r, reply)
	default:
		g.joinKnown(x, r, reply)
	}
	if g.state == PreparingRebalance {
		g.tryCompleteJoin(x)
	}
}

// hasRoom tells whether the group accepts the member. While members rejoin, those who did are counted rather than all:
// after group.max.size was lowered, the last to rejoin are those who have to go.
func (g *Group) hasRoom(memberID string) bool {
	m := g.members[memberID]
	switch g.state {
	case PreparingRebalance:
		return m != nil && m.join != nil || g.joining < int(g.config.MaxSize)
	case CompletingRebalance, Stable:
		return m != nil || len(g.members) < int(g.config.MaxSize)
	default:
		return true
	}
}

// supports tells whether a member with these protocols fits in: one of them must be supported by all members.
func (g *Group) supports(protocolType string, protocols []Protocol) bool {
	if g.state == Empty {
		return protocolType != "" && len(protocols) > 0
	}
	return g.protocolType != nil && *g.protocolType == protocolType &&
		slices.ContainsFunc(protocols, func(p Protocol) bool { return g.supporters[p.Name] == len(g.members) })
}

func (g *Group) joinNew(x *journal.Turn, r JoinRequest, reply func(JoinResponse)) {
	if r.InstanceID != nil {
		id := *r.InstanceID + "-" + g.config.NewID()
		if m := g.instances[*r.InstanceID]; m != nil {
			g.replace(x, m, id, r, reply)
		} else {
			g.add(x, id, r, reply)
		}
		return
	}
	id := r.Client.ID + "-" + g.config.NewID()
	if !r.RequireKnownID {
		g.add(x, id, r, reply)
		return
	}
	g.pending[id] = x.Now.Add(r.SessionTimeout)
	g.wakeAt(x, g.pending[id])
	reply(joinError(id, kerr.MemberIDRequired))
}

func (g *Group) joinKnown(x *journal.Turn, r JoinRequest, reply func(JoinResponse)) {
	if _, ok := g.pending[r.MemberID]; ok {
		if r.InstanceID != nil {
			reply(joinError("", kerr.UnknownServerError)) // an id of this kind is never given to a static member
			return
		}
		g.add(x, r.MemberID, r, reply)
		return
	}
	m, err := g.find(r.MemberID, r.InstanceID)
	if err != nil {
		reply(joinError(r.MemberID, err))
		return
	}
	changed := !slices.EqualFunc(m.protocols, r.Protocols, func(a, b Protocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
	switch {
	case g.state == PreparingRebalance:
		g.update(m, r, reply)
	case g.state == Stable && m == g.leader:
		// The leader asks for a rebalance when something changed that only it looks at, such as the partitions of a topic.
		g.update(m, r, reply)
		g.prepareRebalance(x, journal.LeaderRejoined,
			fmt.Sprintf("leader %s rejoined in state %s; client reason: %s", m.id, Stable, r.Reason))
	case changed:
		state := g.state
		g.update(m, r, reply)
		g.prepareRebalance(x, journal.SubscriptionChanged,
			fmt.Sprintf("member %s changed its metadata in state %s; client reason: %s", m.id, state, r.Reason))
	default:
		// It may not have received the answer to its join.
		reply(g.current(m))
	}
}

// add makes a new member, whose join waits for a rebalance.
func (g *Group) add(x *journal.Turn, id string, r JoinRequest, reply func(JoinResponse)) {
	m := &member{
		id:               id,
		instanceID:       r.InstanceID,
		client:           r.Client,
		sessionTimeout:   r.SessionTimeout,
		rebalanceTimeout: r.RebalanceTimeout,
		protocols:        r.Protocols,
		fresh:            true,
	}
	if g.state == PreparingRebalance && g.generation == 0 {
		g.joined = true
	}
	g.enter(m, r.ProtocolType)
	g.park(m, reply)
	g.expireAfter(x, m, newMemberTimeout)
	if g.state != PreparingRebalance {
		g.prepareRebalance(x, journal.MemberJoined, fmt.Sprintf("new member %s%s; client reason: %s", id, instance(m), r.Reason))
	}
}

// current is the answer to a join in the current generation.
func (g *Group) current(m *member) JoinResponse {
	r := JoinResponse{
		Generation:   g.generation,
		ProtocolType: g.protocolType,
		Protocol:     g.protocol,
		Leader:       g.leaderID(),
		MemberID:     m.id,
	}
	if m == g.leader {
		r.Members = make([]JoinMember, 0, len(g.members))
		for m := range g.all() {
			r.Members = append(r.Members, JoinMember{ID: m.id, InstanceID: m.instanceID, Metadata: m.metadata(text(g.protocol))})
		}
	}
	return r
}

func joinError(memberID string, err *kerr.Error) JoinResponse {
	return JoinResponse{Err: err, Generation: -1, MemberID: memberID}
}

// instance names the instance of a static member, for people.
func instance(m *member) string {
	if m.instanceID == nil {
		return ""
	}
	return " of instance " + *m.instanceID
}

// distinct drops protocols whose name occurred before: counted twice they would look like two members' votes.
func distinct(protocols []Protocol) []Protocol {
	seen := make(map[string]struct{}, len(protocols))
	return slices.DeleteFunc(protocols, func(p Protocol) bool {
		_, again := seen[p.Name]
		seen[p.Name] = struct{}{}
		return again
	})
}
