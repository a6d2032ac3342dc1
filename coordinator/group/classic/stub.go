package classic

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// Config is what the broker is configured to.
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

const (
	Empty               State = "Empty"
	PreparingRebalance  State = "PreparingRebalance"
	CompletingRebalance State = "CompletingRebalance"
	Stable              State = "Stable"
	Dead                State = "Dead"
)

// Group is a group of the classic protocol.
type Group struct{}

// New makes an empty group that nothing is stored of.
func New(id string, c *Config) *Group { panic("unwritten") }

// Load makes a group from its record (GroupMetadata). The caller ends loading with Loaded.
func Load(id string, value *kmsg.GroupMetadataValue, c *Config) *Group { panic("unwritten") }

// Loaded starts the session timeouts of the members.
func (g *Group) Loaded(x *journal.Turn) { panic("unwritten") }

// Client is who asks, as it is shown to operators.
type Client struct{ ID, Host string } // Host in Java's form, /10.0.0.7

// Protocol is a protocol that a member supports (an assignor's name and the member's metadata).
type Protocol struct {
	Name     string
	Metadata []byte
}

type JoinRequest struct {
	Client
	MemberID         string
	InstanceID       *string
	SessionTimeout   time.Duration
	RebalanceTimeout time.Duration
	ProtocolType     string
	Protocols        []Protocol
	Reason           string
	// RequireKnownID: JoinGroup v4 and later (KIP-394). SkipAssignment: v9 and later understand it (KIP-814).
	RequireKnownID, SkipAssignment bool
}

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

type JoinMember struct {
	ID         string
	InstanceID *string
	Metadata   []byte
}

// Join answers when the rebalance that the member takes part in is complete.
func (g *Group) Join(x *journal.Turn, r JoinRequest, reply func(JoinResponse)) { panic("unwritten") }

type SyncRequest struct {
	MemberID     string
	InstanceID   *string
	Generation   int32
	ProtocolType *string // nil: not said (before v5)
	Protocol     *string
	Assignments  map[string][]byte // from the leader, by member id
}

type SyncResponse struct {
	Err                    *kerr.Error
	ProtocolType, Protocol *string
	Assignment             []byte
}

// Sync answers when the leader's assignment is stored.
func (g *Group) Sync(x *journal.Turn, r SyncRequest, reply func(SyncResponse)) { panic("unwritten") }

type HeartbeatRequest struct {
	MemberID   string
	InstanceID *string
	Generation int32
}

func (g *Group) Heartbeat(x *journal.Turn, r HeartbeatRequest) *kerr.Error { panic("unwritten") }

type LeaveRequest struct{ Members []Leaving }

type Leaving struct {
	MemberID   string
	InstanceID *string
	Reason     string
}

type Left struct {
	MemberID   string
	InstanceID *string
	Err        *kerr.Error
}

// Leave removes members, and answers for each in order.
func (g *Group) Leave(x *journal.Turn, r LeaveRequest) []Left { panic("unwritten") }

// Tick does what is due: sessions, rebalance timeouts, pending members.
func (g *Group) Tick(x *journal.Turn) { panic("unwritten") }

// Committer is who commits offsets.
type Committer struct {
	MemberID   string
	InstanceID *string
	Generation int32
	Txn        bool // TxnOffsetCommit, whose rules are milder
}

// MayCommit tells whether membership allows a commit (validateOffsetCommit), and counts as a heartbeat where Kafka counts it.
func (g *Group) MayCommit(x *journal.Turn, c Committer) *kerr.Error { panic("unwritten") }

// MayDelete tells whether DeleteGroups may: nil, NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND (Dead).
func (g *Group) MayDelete() *kerr.Error { panic("unwritten") }

// Delete makes the group Dead and returns the tombstones of what is stored of it (none if generation is 0, as nothing is stored).
func (g *Group) Delete() []journal.Record { panic("unwritten") }

// Close ends the machine on this broker: whoever waits gets the error (NOT_COORDINATOR at unloading).
func (g *Group) Close(err *kerr.Error) { panic("unwritten") }

func (g *Group) State() State { panic("unwritten") }

// ProtocolType is "" for a simple group.
func (g *Group) ProtocolType() string { panic("unwritten") }

// Subscribed tells whether a member subscribes to the topic; known is false when that cannot be told (not the consumer
// protocol, or a member's metadata does not parse; GroupMetadata.computeSubscribedTopics).
func (g *Group) Subscribed(topic string) (subscribed, known bool) { panic("unwritten") }

// EmptySince is when the group became Empty; zero if it is not, or when that is not known.
func (g *Group) EmptySince() time.Time { panic("unwritten") }

// Description is what DescribeGroups tells.
type Description struct {
	State        State
	ProtocolType string
	Protocol     string // "" unless Stable
	Members      []Member
}

type Member struct {
	ID         string
	InstanceID *string
	Client
	Metadata   []byte // of the chosen protocol; empty unless Stable
	Assignment []byte // empty unless Stable
}

// Describe copies what is asked for; members by id.
func (g *Group) Describe() Description { panic("unwritten") }

// Record is the record (key and value, GroupMetadata v3 as Kafka 3.9 writes it) that stores the group as it is now. A replay of it makes an equal group.
func (g *Group) Record(now time.Time) journal.Record { panic("unwritten") }

// Snapshot is a group as data, for its conversion to a consumer group and back (KIP-848). Its slices belong to the
// snapshot.
type Snapshot struct {
	Generation   int32
	ProtocolType string
	Protocol     string
	Leader       string
	Members      []SnapshotMember
}

type SnapshotMember struct {
	Member
	SessionTimeout, RebalanceTimeout time.Duration
	ProtocolType                     string
	Protocols                        []Protocol
}

// Snapshot copies the group. Members' Metadata is that of the chosen protocol, Assignment the current one, whatever the state.
func (g *Group) Snapshot() Snapshot { panic("unwritten") }

// Convert ends the group on this broker because it became a consumer group: parked joins and syncs get REBALANCE_IN_PROGRESS, as
// Kafka does.
func (g *Group) Convert() { panic("unwritten") }

// Restore makes a group from a snapshot (downgrade): Stable, or PreparingRebalance if rebalance tells why it must be.
func Restore(x *journal.Turn, id string, s Snapshot, c *Config, rebalance string) *Group {
	panic("unwritten")
}
