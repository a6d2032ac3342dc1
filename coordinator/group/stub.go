package group

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// Config is what the broker is configured to.
type Config struct {
	Classic          classic.Config
	Offsets          offsets.Config
	CommitTimeout    time.Duration // offsets.commit.timeout.ms
	RetentionCheck   time.Duration // offsets.retention.check.interval.ms
	ConsumerProtocol bool          // group.coordinator.rebalance.protocols has consumer
}

// Options are what Groups is made of.
type Options struct {
	Journal journal.Journal
	// Partitions is the partition count of __consumer_offsets; 0 while it does not exist.
	Partitions func() int32
	Config     func() Config
	// Consumer is the settings of a consumer group: the broker's, overridden by the group's own.
	Consumer func(group string) *consumer.Config
	Image    func() consumer.Image
	// EndOffset is the end of a partition led here (LogEndOffset for lag): the high watermark; false when another broker leads it.
	EndOffset  func(topic string, partition int32) (int64, bool)
	Registerer prometheus.Registerer // may be nil
	Logger     *zap.Logger
}

// Groups is the group coordinator of this broker: the groups whose partitions of __consumer_offsets it leads.
// Methods are called from many goroutines, and wait for their answer or ctx; what ctx ends goes on all the same.
// A request for a group that is not here is answered NOT_COORDINATOR, one that is being loaded COORDINATOR_LOAD_IN_PROGRESS, with
// Kafka's exceptions (facts, §7.3). Byte slices of requests become the coordinator's.
type Groups struct{}

func New(o Options) *Groups { panic("unwritten") }

// Run expires offsets and removes dead groups until ctx ends.
func (g *Groups) Run(ctx context.Context) { panic("unwritten") }

// Close ends all groups and waits for their actors.
func (g *Groups) Close() { panic("unwritten") }

// LeadershipChanged says that this broker began or ceased to lead a partition of __consumer_offsets in an epoch. It returns at once; calls
// come in order. An older epoch than the known one is ignored.
func (g *Groups) LeadershipChanged(partition, leaderEpoch int32, leading bool) { panic("unwritten") }

// TopicsChanged says that Image is a new one; deleted are the partitions of topics that are gone, whose offsets go too.
func (g *Groups) TopicsChanged(deleted map[string][]int32) { panic("unwritten") }

// ConfigChanged says that the settings of a consumer group changed; "" for all.
func (g *Groups) ConfigChanged(group string) { panic("unwritten") }

// PartitionFor is the partition of __consumer_offsets that holds a group; -1 while the topic does not exist.
func (g *Groups) PartitionFor(group string) int32 { panic("unwritten") }

func (g *Groups) Join(ctx context.Context, group string, r classic.JoinRequest) classic.JoinResponse {
	panic("unwritten")
}

func (g *Groups) Sync(ctx context.Context, group string, r classic.SyncRequest) classic.SyncResponse {
	panic("unwritten")
}

func (g *Groups) Heartbeat(ctx context.Context, group string, r classic.HeartbeatRequest) *kerr.Error {
	panic("unwritten")
}

func (g *Groups) Leave(ctx context.Context, group string, r classic.LeaveRequest) ([]classic.Left, *kerr.Error) {
	panic("unwritten")
}

func (g *Groups) ConsumerHeartbeat(ctx context.Context, group string, r consumer.HeartbeatRequest) consumer.HeartbeatResponse {
	panic("unwritten")
}

// CommitRequest is an OffsetCommit, or a TxnOffsetCommit with Producer. Version is the API's, of which some codes depend.
type CommitRequest struct {
	classic.Committer
	Version  int16
	Producer *journal.Producer
	Commits  []offsets.Commit // those that the caller refused have their Err and are left alone
}

// Commit answers with the Err of each.
func (g *Groups) Commit(ctx context.Context, group string, r CommitRequest) []offsets.Commit {
	panic("unwritten")
}

// FetchRequest is the part of an OffsetFetch about one group.
type FetchRequest struct {
	MemberID      string // "" : not said (before v9)
	MemberEpoch   int32
	RequireStable bool
	Partitions    []offsets.Partition // nil: all
}

func (g *Groups) Fetch(ctx context.Context, group string, r FetchRequest) ([]offsets.Fetched, *kerr.Error) {
	panic("unwritten")
}

// DeletedOffset is the outcome of an OffsetDelete for one partition.
type DeletedOffset struct {
	offsets.Partition
	Err *kerr.Error
}

func (g *Groups) DeleteOffsets(ctx context.Context, group string, partitions []offsets.Partition) ([]DeletedOffset, *kerr.Error) {
	panic("unwritten")
}

// Listed is a group as ListGroups tells it.
type Listed struct {
	ID, ProtocolType, State, Type string // Type is classic or consumer, State as that type names it
}

// List tells the groups in these states and of these types (all when empty; any case), by id; COORDINATOR_LOAD_IN_PROGRESS
// along with what is known when a partition is being loaded.
func (g *Groups) List(ctx context.Context, states, types []string) ([]Listed, *kerr.Error) {
	panic("unwritten")
}

// Describe answers DescribeGroups: Dead for a group that is not known (GROUP_ID_NOT_FOUND is the caller's, from v6 on), and
// for one of the new protocol.
func (g *Groups) Describe(ctx context.Context, group string) (classic.Description, *kerr.Error) {
	panic("unwritten")
}

// DescribeConsumer answers ConsumerGroupDescribe: GROUP_ID_NOT_FOUND for a group that is not known or is classic.
func (g *Groups) DescribeConsumer(ctx context.Context, group string) (consumer.Description, *kerr.Error) {
	panic("unwritten")
}

func (g *Groups) Delete(ctx context.Context, group string) *kerr.Error { panic("unwritten") }
