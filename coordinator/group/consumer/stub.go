package consumer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// Config is what the broker, and the group's dynamic configuration, say. It is replaced, never changed.
type Config struct {
	SessionTimeout    time.Duration     // group.consumer.session.timeout.ms, or the group's consumer.session.timeout.ms
	HeartbeatInterval time.Duration     // group.consumer.heartbeat.interval.ms, or the group's consumer.heartbeat.interval.ms
	MaxSize           int32             // group.consumer.max.size
	Assignors         []assign.Assignor // group.consumer.assignors; the first is the default
	// Upgrade and Downgrade are group.consumer.migration.policy.
	Upgrade, Downgrade bool
	RegexRefresh       time.Duration // how often regexes are resolved anew at most
	NewID              func() string // a member id for HeartbeatRequest v0, which lets the broker choose
}

// Image is the topics of the cluster at one moment.
type Image interface {
	assign.Topics
	// Version changes whenever topics, their partitions or racks of replicas do.
	Version() uint64
	TopicByName(name string) (assign.Topic, bool)
	Name(id [16]byte) (string, bool)
	Names() []string // all topics, sorted; not to be changed
}

// Group is a group of the new protocol.
type Group struct{}

// New makes an empty group that nothing is stored of.
func New(id string, c *Config) *Group { panic("unwritten") }

// Replay takes a record of the kinds that journal names consumer records; key and value are what journal decoded.
// A nil value is a tombstone.
func (g *Group) Replay(key journal.ConsumerKey, value journal.ConsumerValue) { panic("unwritten") }

// Stored tells whether replays have left anything of the group.
func (g *Group) Stored() bool { panic("unwritten") }

// Loaded starts the timeouts of the members.
func (g *Group) Loaded(x *journal.Turn) { panic("unwritten") }

// Configure gives the group other settings.
func (g *Group) Configure(x *journal.Turn, c *Config) { panic("unwritten") }

// TopicsChanged says that the image is a new one: what the group subscribes to is looked at with the next heartbeat.
func (g *Group) TopicsChanged(x *journal.Turn) { panic("unwritten") }

type HeartbeatRequest struct {
	classic.Client
	MemberID         string
	MemberEpoch      int32
	InstanceID       *string
	Rack             *string
	RebalanceTimeout time.Duration     // negative: not said
	Topics           []string          // nil: not said
	TopicRegex       *string           // nil: not said (v1)
	ServerAssignor   *string           // nil: not said
	Owned            assign.Partitions // nil: not said
	Version          int16
}

type HeartbeatResponse struct {
	Err               *kerr.Error
	Message           string // empty: none
	MemberID          string
	MemberEpoch       int32
	HeartbeatInterval time.Duration
	Assignment        assign.Partitions // nil: unchanged
}

// Heartbeat joins, keeps, changes or ends a membership (ConsumerGroupHeartbeat). It answers when what changed is stored.
func (g *Group) Heartbeat(x *journal.Turn, image Image, r HeartbeatRequest, reply func(HeartbeatResponse)) {
	panic("unwritten")
}

// Members of the classic protocol in a group of the new one (online upgrade).

func (g *Group) ClassicJoin(x *journal.Turn, image Image, r classic.JoinRequest, reply func(classic.JoinResponse)) {
	panic("unwritten")
}

func (g *Group) ClassicSync(x *journal.Turn, image Image, r classic.SyncRequest, reply func(classic.SyncResponse)) {
	panic("unwritten")
}

func (g *Group) ClassicHeartbeat(x *journal.Turn, r classic.HeartbeatRequest) *kerr.Error {
	panic("unwritten")
}

// Leave removes members of either protocol (LeaveGroup), and answers for each in order when that is stored.
func (g *Group) Leave(x *journal.Turn, image Image, r classic.LeaveRequest, reply func([]classic.Left)) {
	panic("unwritten")
}

// Tick does what is due: sessions, revocations that take longer than the rebalance timeout, syncs of classic members, regexes.
func (g *Group) Tick(x *journal.Turn, image Image) { panic("unwritten") }

// MayConvert tells whether a classic group may become a consumer group for a member that joins with the new protocol: an empty one always, a
// live one by policy and if its members speak the consumer protocol.
func MayConvert(s classic.Snapshot, c *Config) *kerr.Error { panic("unwritten") }

// Convert makes a consumer group of a classic one (upgrade), whose tombstone and records are the batch. The caller puts
// the returned group in place of the classic one in its write's Applied, before it goes on with the heartbeat that asked for it.
func Convert(id string, s classic.Snapshot, c *Config, image Image) (*Group, []journal.Record, error) {
	panic("unwritten")
}

// Downgrade tells whether the last member of the new protocol has left a group that still has members of the classic one,
// and gives what becomes of it, with the records (tombstones of the consumer group, the classic group's record). ok is false when there
// is nothing to do. The service looks after every Tick, Heartbeat and Leave.
func (g *Group) Downgrade(now time.Time) (s classic.Snapshot, records []journal.Record, ok bool) {
	panic("unwritten")
}

// MayCommit tells whether membership allows a commit (ConsumerGroup.validateOffsetCommit). MayFetch the same of an OffsetFetch v9, which
// names member and epoch.
func (g *Group) MayCommit(c classic.Committer, version int16) *kerr.Error { panic("unwritten") }

func (g *Group) MayFetch(memberID string, memberEpoch int32) *kerr.Error { panic("unwritten") }

func (g *Group) MayDelete() *kerr.Error { panic("unwritten") }

// Delete returns the tombstones of all that is stored of the group.
func (g *Group) Delete() []journal.Record { panic("unwritten") }

// Close ends the machine on this broker: who waits gets the error.
func (g *Group) Close(err *kerr.Error) { panic("unwritten") }

// State is Empty, Assigning, Reconciling, Stable or Dead.
func (g *Group) State() string { panic("unwritten") }

func (g *Group) Subscribed(topic string) bool { panic("unwritten") }

// Description is what ConsumerGroupDescribe tells.
type Description struct {
	State                  string
	Epoch, AssignmentEpoch int32
	Assignor               string
	Members                []Member // by id
}

type Member struct {
	ID         string
	InstanceID *string
	Rack       *string
	Epoch      int32
	classic.Client
	Topics             []string
	TopicRegex         string
	Assignment, Target assign.Partitions
	Classic            bool // it speaks the classic protocol
}

func (g *Group) Describe() Description { panic("unwritten") }
