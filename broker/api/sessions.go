package api

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/protocol"
)

// Epochs of fetch requests that ask for all of their partitions (KIP-227).
const (
	firstSessionEpoch int32 = 0  // and for a new session
	noSessionEpoch    int32 = -1 // and for none
)

// partitionKey names a partition in a session: by the topic's id from Fetch v13 on, by its name before.
type partitionKey struct {
	topicID [16]byte
	topic   string
	index   int32
}

// wanted is what a fetch asks of one partition.
type wanted struct {
	offset           int64
	logStartOffset   int64 // of a follower
	maxBytes         int32
	currentEpoch     int32
	lastFetchedEpoch int32
}

func wantedOf(q *kmsg.FetchRequestTopicPartition) wanted {
	return wanted{q.FetchOffset, q.LogStartOffset, q.PartitionMaxBytes, q.CurrentLeaderEpoch, q.LastFetchedEpoch}
}

// replicaOf is who sends a fetch: a follower's id, or consumerReplicaID.
func replicaOf(q *kmsg.FetchRequest) int32 {
	if q.Version >= 15 {
		return q.ReplicaState.ID
	}
	return q.ReplicaID
}

// sessionPartition is a partition that a session fetches, with what the client was last told.
type sessionPartition struct {
	key partitionKey
	wanted
	highWatermark  int64 // -1: not told, or told an error since
	logStartOffset int64

	watch replica.Watch // registered from the first read on
	gone  bool          // from the session
	given bool          // it is in the session's list of that name
	// The place among the items of the call that has this epoch of the session.
	call, at int32
}

// fetchSession remembers what a client fetches, so that its requests and the answers carry
// only what changed (Kafka: FetchSession.scala).
type fetchSession struct {
	id       int32
	follower bool
	usesIDs  bool
	created  time.Time
	lastUsed atomic.Int64 // Unix nanoseconds
	size     atomic.Int32 // of partitions, for who looks without the lock

	// changes has the partitions that a round has to look at, in the order in which they are read: those that changed,
	// those that the request names, and those that were not done with. A round costs what they are, not what the
	// session has.
	changes *replica.Watchlist

	mu         sync.Mutex
	closed     bool  // nothing is watched any more
	epoch      int32 // that the next request has to carry
	partitions map[partitionKey]*sessionPartition
	// given has those that gave records, which are read after the others, so that each has its turn at the front, where
	// the bytes of an answer are.
	given  []*sessionPartition
	taken  []*replica.Watch // scratch
	lookAt time.Time        // when all are to be looked at
}

// lookAtAll is how often a session looks at all of its partitions, for what nobody tells of: log starts that
// retention moved, and topics that the metadata has no more.
const lookAtAll = 5 * time.Second

func newFetchSession(follower, usesIDs bool, now time.Time) *fetchSession {
	s := &fetchSession{
		follower: follower, usesIDs: usesIDs, created: now, lookAt: now.Add(lookAtAll),
		changes: replica.NewWatchlist(), partitions: make(map[partitionKey]*sessionPartition),
	}
	s.lastUsed.Store(now.UnixNano())
	return s
}

// put adds a partition, or renews what is asked of it. The next round looks at it.
func (s *fetchSession) put(k partitionKey, w wanted, replicaID int32) *sessionPartition {
	p, ok := s.partitions[k]
	if !ok {
		p = &sessionPartition{key: k, highWatermark: -1, logStartOffset: -1}
		p.watch.Owner, p.watch.ReplicaID = p, replicaID
		s.partitions[k] = p
	}
	p.wanted = w
	s.changes.Queue(&p.watch)
	return p
}

func (s *fetchSession) remove(k partitionKey) {
	if p, ok := s.partitions[k]; ok {
		p.gone = true
		p.watch.Unwatch()
		delete(s.partitions, k)
	}
}

// close ends the watching. Calls of the session that are under way go on to their end.
func (s *fetchSession) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, p := range s.partitions {
		p.watch.Unwatch()
	}
}

// observe has the session told of changes of a partition, which is read next.
func (s *fetchSession) observe(p *sessionPartition, partition *replica.Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || p.gone || p.watch.Partition() == partition {
		return
	}
	p.watch.Unwatch() // a topic that was deleted and is there again
	partition.Watch(s.changes, &p.watch)
}

// take calls look for the partitions that have to be looked at, in order; in the first round of a call that includes
// those that gave records.
func (s *fetchSession) take(first bool, now time.Time, look func(*sessionPartition)) {
	s.taken = s.changes.Take(s.taken[:0])
	for _, w := range s.taken {
		if p := w.Owner.(*sessionPartition); !p.gone && !p.given {
			look(p)
		}
	}
	clear(s.taken)
	if !first {
		return
	}
	for _, p := range s.given {
		if p.given = false; !p.gone {
			look(p)
		}
	}
	clear(s.given)
	s.given = s.given[:0]
	if now.Before(s.lookAt) {
		return
	}
	s.lookAt = now.Add(lookAtAll)
	for _, p := range s.partitions {
		look(p)
	}
}

// looked notes what a round has found of a partition: one that may have more to say is looked at in the next.
func (s *fetchSession) looked(p *sessionPartition, gave, settled bool) {
	switch {
	case gave:
		if !p.given {
			p.given = true
			s.given = append(s.given, p)
		}
	case settled:
		s.changes.Rest(&p.watch)
	default:
		s.changes.Queue(&p.watch)
	}
}

// advance applies an incremental request. The epoch is checked before anything else, so that a request that was
// sent twice changes nothing.
func (s *fetchSession) advance(q *kmsg.FetchRequest) protocol.ErrorCode {
	if q.SessionEpoch != s.epoch {
		return protocol.InvalidFetchSessionEpoch
	}
	if s.usesIDs != (q.Version >= 13) {
		return protocol.FetchSessionTopicIDError
	}
	for i := range q.Topics {
		t := &q.Topics[i]
		for j := range t.Partitions {
			s.put(partitionKey{t.TopicID, t.Topic, t.Partitions[j].Partition}, wantedOf(&t.Partitions[j]), replicaOf(q))
		}
	}
	for i := range q.ForgottenTopics {
		t := &q.ForgottenTopics[i]
		for _, index := range t.Partitions {
			s.remove(partitionKey{t.TopicID, t.Topic, index})
		}
	}
	s.size.Store(int32(len(s.partitions)))
	s.epoch = nextSessionEpoch(s.epoch)
	return protocol.None
}

// nextSessionEpoch counts from 1 up; 0 and -1 have meanings of their own.
func nextSessionEpoch(epoch int32) int32 {
	if epoch == 1<<31-1 {
		return 1
	}
	return epoch + 1
}

// news reports whether an answer has something to say of the partition, and remembers what it says. other is something to say
// that no later answer will contradict: where logs diverge, or from where to read instead.
func (p *sessionPartition) news(code protocol.ErrorCode, highWatermark, logStartOffset, size int64, other bool) bool {
	news := size > 0 || other
	if p.highWatermark != highWatermark {
		p.highWatermark, news = highWatermark, true
	}
	if p.logStartOffset != logStartOffset {
		p.logStartOffset, news = logStartOffset, true
	}
	if code != protocol.None {
		p.highWatermark, news = -1, true // so that the client hears when the error is over
	}
	return news
}
