package api

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

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

// sessionPartition is a partition that a session fetches, with what the client was last told.
type sessionPartition struct {
	key partitionKey
	wanted
	highWatermark  int64 // -1: not told, or told an error since
	logStartOffset int64

	prev, next *sessionPartition
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

	mu         sync.Mutex
	epoch      int32 // that the next request has to carry
	partitions map[partitionKey]*sessionPartition
	// The list has the partitions in the order in which they are read. Those that gave records go to its end, so that each has
	// its turn at the front, where the bytes of an answer are.
	first, last *sessionPartition
}

func newFetchSession(follower, usesIDs bool, now time.Time) *fetchSession {
	s := &fetchSession{follower: follower, usesIDs: usesIDs, created: now, partitions: make(map[partitionKey]*sessionPartition)}
	s.lastUsed.Store(now.UnixNano())
	return s
}

// put adds a partition at the end of the list, or renews what is asked of it.
func (s *fetchSession) put(k partitionKey, w wanted) *sessionPartition {
	if p, ok := s.partitions[k]; ok {
		p.wanted = w
		return p
	}
	p := &sessionPartition{key: k, wanted: w, highWatermark: -1, logStartOffset: -1}
	s.partitions[k] = p
	s.link(p)
	return p
}

func (s *fetchSession) remove(k partitionKey) {
	if p, ok := s.partitions[k]; ok {
		s.unlink(p)
		delete(s.partitions, k)
	}
}

func (s *fetchSession) link(p *sessionPartition) {
	p.prev, p.next = s.last, nil
	if s.last == nil {
		s.first = p
	} else {
		s.last.next = p
	}
	s.last = p
}

func (s *fetchSession) unlink(p *sessionPartition) {
	if p.prev == nil {
		s.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		s.last = p.prev
	} else {
		p.next.prev = p.prev
	}
}

func (s *fetchSession) moveToEnd(p *sessionPartition) {
	if s.last != p {
		s.unlink(p)
		s.link(p)
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
			s.put(partitionKey{t.TopicID, t.Topic, t.Partitions[j].Partition}, wantedOf(&t.Partitions[j]))
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
