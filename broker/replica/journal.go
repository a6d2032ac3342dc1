package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/journal"
	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
)

// anyEpoch is for who does not care in which epoch this broker leads.
const anyEpoch int32 = -1

// JournalOptions are what a Journal is made of.
type JournalOptions struct {
	Topic string // __consumer_offsets or __transaction_state
	// Codec is what batches are compressed with, read at each append (offsets.topic.compression.codec). A topic whose
	// compression.type is not producer has its own way.
	Codec func() record.Codec
	// LoadBufferSize is how many bytes Load reads at once (offsets.load.buffer.size); a batch that is larger is read
	// whole all the same.
	LoadBufferSize func() int
	Logger         *zap.Logger
}

// Journal is the partitions of an internal topic that this broker leads. It is a journal.Journal, safe for concurrent use.
type Journal struct {
	manager *Manager
	options JournalOptions
	log     *zap.Logger
	buffers sync.Pool // of *[]byte, for Load

	// What waits for replicas does so until ctx ends.
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	wait   sync.WaitGroup // the goroutines of Committed
}

var _ journal.Journal = (*Journal)(nil)

// NewJournal makes the Journal of one internal topic.
func NewJournal(m *Manager, o JournalOptions) *Journal {
	ctx, cancel := context.WithCancel(context.Background())
	return &Journal{
		manager: m, options: o, ctx: ctx, cancel: cancel,
		log: o.Logger.Named("journal").With(zap.String("topic", o.Topic)),
	}
}

// Close ends what waits for replicas, with NOT_LEADER_OR_FOLLOWER, and returns when it has been told. What comes later
// is told so at once where it would have to wait.
func (j *Journal) Close() {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.cancel()
	j.wait.Wait()
}

// Leading tells whether this broker leads a partition of the topic, and in which epoch.
func (j *Journal) Leading(partition int32) (leaderEpoch int32, leads bool) {
	p, err := j.manager.Partition(j.options.Topic, partition)
	if err != nil {
		return noEpoch, false
	}
	v, err := p.look(anyEpoch, true)
	if err != nil {
		return noEpoch, false
	}
	return v.leaderEpoch, true
}

// Append is journal.Journal's. Transactional batches have the sequence 0, as Kafka's coordinators write them: the checks
// of sequences are for clients.
func (j *Journal) Append(partition, leaderEpoch int32, records []journal.Record, producer *journal.Producer, now time.Time) (int64, error) {
	end, err := j.append(partition, leaderEpoch, records, producer, now)
	if err != nil {
		return -1, j.failed("append to", partition, err)
	}
	return end, nil
}

func (j *Journal) append(partition, leaderEpoch int32, records []journal.Record, producer *journal.Producer, now time.Time) (int64, error) {
	p, err := j.manager.Partition(j.options.Topic, partition)
	if err != nil {
		return -1, err
	}
	rules := &p.TopicConfig().Rules
	options := j.batchOptions(rules, now)
	if producer != nil {
		options.Producer = &record.Producer{ID: producer.ID, Epoch: producer.Epoch, Sequence: 0}
		options.Transactional = true
	}
	builder := record.NewBuilder(options)
	for i := range records {
		builder.Append(now.UnixMilli(), records[i].Key, records[i].Value)
	}
	batch, err := builder.Build()
	if err != nil {
		return -1, err
	}
	if len(batch) > rules.MaxMessageBytes {
		return -1, fmt.Errorf("%w: %d bytes, at most %d", kerr.MessageTooLarge, len(batch), rules.MaxMessageBytes)
	}
	appended, err := p.append(record.Trust(batch), acksAll, storage.FromCoordinator, leaderEpoch)
	if err != nil {
		return -1, err
	}
	return appended.LastOffset + 1, nil
}

// batchOptions are what the broker, and then the topic, say of a batch.
func (j *Journal) batchOptions(rules *record.Rules, now time.Time) record.BatchOptions {
	var o record.BatchOptions
	if rules.Recompress {
		o.Codec, o.Level = rules.Target, rules.Level
	} else {
		o.Codec = j.options.Codec()
		o.Level = record.DefaultLevel(o.Codec)
	}
	if rules.TimestampType == record.LogAppendTime {
		o.Stamped, o.AppendTime = true, now.UnixMilli()
	}
	return o
}

// Committed is journal.Journal's.
func (j *Journal) Committed(partition, leaderEpoch int32, end int64, timeout time.Duration, done func(error)) {
	p, err := j.manager.Partition(j.options.Topic, partition)
	if err != nil {
		done(j.failed("await replicas of", partition, err))
		return
	}
	reached := func() (bool, error) { return p.reached(end, leaderEpoch) }
	p.mu.Lock()
	ok, err := reached()
	p.mu.Unlock()
	if !ok && err == nil {
		if j.awaiting(partition, p, timeout, reached, done) {
			return
		}
		err = ErrNotLeader // closed
	}
	done(j.failed("await replicas of", partition, err))
}

// awaiting starts a goroutine that waits and calls done, unless the journal is closed.
func (j *Journal) awaiting(partition int32, p *Partition, timeout time.Duration, reached func() (bool, error), done func(error)) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return false
	}
	j.wait.Go(func() {
		ctx, cancel := context.WithTimeout(j.ctx, timeout)
		defer cancel()
		err := p.await(ctx, onHighWatermark|onRole, reached)
		if errors.Is(err, context.Canceled) {
			err = ErrNotLeader // whoever comes back finds another coordinator
		}
		done(j.failed("await replicas of", partition, err))
	})
	return true
}

// failed names what was attempted, and gives the error the code by which coordinators know it.
func (j *Journal) failed(attempt string, partition int32, err error) error {
	if err == nil {
		return nil
	}
	var known *kerr.Error
	if errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s %s-%d: %w", attempt, j.options.Topic, partition, err)
	}
	return fmt.Errorf("%s %s-%d: %w: %w", attempt, j.options.Topic, partition, codeOf(err), err)
}

// codeOf is the code of an error of this package. A leadership that is over is as good as another leader: the partition is
// loaded anew.
func codeOf(err error) *kerr.Error {
	switch {
	case errors.Is(err, ErrNotLeader), errors.Is(err, ErrFencedLeaderEpoch), errors.Is(err, ErrUnknownLeaderEpoch):
		return kerr.NotLeaderForPartition
	case errors.Is(err, ErrUnknownPartition):
		return kerr.UnknownTopicOrPartition
	case errors.Is(err, ErrNotEnoughReplicas):
		return kerr.NotEnoughReplicas
	case errors.Is(err, ErrNotEnoughReplicasAfterAppend):
		return kerr.NotEnoughReplicasAfterAppend
	case errors.Is(err, ErrTimedOut):
		return kerr.RequestTimedOut
	case errors.Is(err, ErrRecordListTooLarge):
		return kerr.RecordListTooLarge
	case errors.Is(err, ErrInvalidProducerEpoch):
		return kerr.InvalidProducerEpoch
	case errors.Is(err, ErrInvalidTxnState):
		return kerr.InvalidTxnState
	case errors.Is(err, ErrStorage):
		return kerr.KafkaStorageError
	case errors.Is(err, record.ErrCorrupt):
		return kerr.CorruptMessage
	default:
		return kerr.UnknownServerError
	}
}
