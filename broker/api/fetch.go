package api

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// Fetch (key 1), versions 0 to 17.
//
// Reads batches as they are stored: to consumers up to the high watermark or the last stable offset, to followers up
// to the log end. It answers at once when there are at least min bytes, else when there are, or when the maximal wait is over.
//
//	v0  messages of magic 0
//	v1  throttle time
//	v2  messages of magic 1
//	v3  limit for the whole answer; a first batch above the limits is given whole (KIP-74)
//	v4  batches of magic 2; isolation level, aborted transactions (KIP-98)
//	v5  log start offset (KIP-107)
//	v6  KAFKA_STORAGE_ERROR is understood
//	v7  incremental fetch sessions (KIP-227)
//	v9  current leader epoch (KIP-320)
//	v10 zstd (KIP-110)
//	v11 rack; a preferred replica in the answer (KIP-392)
//	v12 flexible encoding; last fetched epoch, diverging epoch (KIP-595)
//	v13 topic ids instead of names (KIP-516)
//	v15 the replica's id and epoch in a tagged field (KIP-903)
//	v16 the new leader, for NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH (KIP-951)
//	v17 the follower's directory id (KIP-853), which has no meaning here
func (h *Handlers) fetch(_ context.Context, c *server.Call) (server.Reply, error) {
	f := h.fetches.take(h, c)
	if err := f.request.ReadFrom(c.Body); err != nil {
		f.give()
		return server.Reply{}, err
	}
	c.Release() // ReadFrom copies what it keeps
	f.begin()
	if f.code != protocol.None {
		return server.Reply{Response: f.response()}, nil
	}
	if f.read(); f.satisfied() {
		return server.Reply{Response: f.finish()}, nil
	}
	return server.Reply{Await: f.await}, nil
}

const (
	consumerReplicaID = -1
	readUncommitted   = 0 // isolation levels
	readCommitted     = 1
	largestItemsKept  = 4096
)

// fetchCall is one fetch while it is served. It belongs to the goroutine that serves the call.
type fetchCall struct {
	h         *Handlers
	call      *server.Call
	version   int16
	request   kmsg.FetchRequest
	replicaID int32
	isolation replica.Isolation
	maxBytes  int64
	minBytes  int64
	deadline  time.Time
	use       sessionUse

	code      protocol.ErrorCode // of the answer as a whole
	sessionID int32              // in the answer
	items     []fetchItem
	next      []int32 // items that are to be read
	total     int     // partitions that are fetched; items are those among them that have to be looked at
	refused   int     // items of that kind
	settled   bool    // something that is found shall be answered at once
	bytes     int64   // of records in items

	own   *replica.Watchlist // of a call without a session, made once
	taken []*replica.Watch   // scratch

	buf    []byte
	parts  []part
	chunks []server.Chunk
	done   func()                                // give, made once
	await  func(context.Context) server.Response // awaitBytes, made once
}

// fetchItem is one partition of a fetch.
type fetchItem struct {
	key    partitionKey
	topic  string // empty: the topic id is not known
	cached *sessionPartition
	wanted

	partition *replica.Partition // nil when it was not found
	watch     replica.Watch      // where there is no session
	refused   bool               // by resolve: it is not read
	looked    bool               // it was read before, in this call
	code      protocol.ErrorCode
	result    replica.ReadResult
	leader    leader
	converted []byte // the records, when they are not those of result.Slice
	omitted   bool   // from the answer, which would say nothing new
}

// fetchPool keeps fetchCalls. The zero value is ready.
type fetchPool struct{ pool sync.Pool }

func (p *fetchPool) take(h *Handlers, c *server.Call) *fetchCall {
	f, ok := p.pool.Get().(*fetchCall)
	if !ok {
		f = &fetchCall{h: h, own: replica.NewWatchlist()}
		f.done, f.await = f.give, f.awaitBytes
	}
	f.call, f.version, f.request.Version = c, c.Header.Version, c.Header.Version
	return f
}

func (f *fetchCall) give() {
	clear(f.items)
	clear(f.chunks)
	// kmsg does not reset fields that a later request's version lacks; only the arrays' memory is kept.
	topics, forgotten := f.request.Topics, f.request.ForgottenTopics
	clear(topics)
	clear(forgotten)
	f.request = kmsg.FetchRequest{Topics: topics[:0], ForgottenTopics: forgotten[:0]}
	if cap(f.items) > largestItemsKept {
		f.items, f.parts, f.chunks, f.request, f.next, f.taken = nil, nil, nil, kmsg.FetchRequest{}, nil, nil
	}
	if cap(f.buf) > largestKept {
		f.buf = nil
	}
	f.call, f.use, f.code, f.sessionID, f.settled, f.bytes = nil, sessionUse{}, protocol.None, 0, false, 0
	f.total, f.refused, f.next = 0, 0, f.next[:0]
	f.items, f.parts, f.chunks, f.buf = f.items[:0], f.parts[:0], f.chunks[:0], f.buf[:0]
	f.h.fetches.pool.Put(f)
}

// begin resolves session, limits and topics.
func (f *fetchCall) begin() {
	q := &f.request
	f.replicaID = replicaOf(q)
	f.isolation = replica.ReadUncommitted
	switch {
	case f.replicaID != consumerReplicaID:
		f.isolation = replica.ReadLogEnd
	case q.IsolationLevel == readCommitted:
		f.isolation = replica.ReadCommitted
	}
	f.maxBytes = min(int64(q.MaxBytes), int64(f.h.rooms.Config.Broker().FetchMaxBytes))
	f.minBytes = min(int64(q.MinBytes), f.maxBytes)
	f.deadline = f.call.Arrived.Add(time.Duration(q.MaxWaitMillis) * time.Millisecond)

	f.use, f.code = f.h.sessions.use(q, f.call.Arrived)
	if f.code != protocol.None {
		return
	}
	f.list()
}

// list makes the items: those of the session that have to be looked at, or those of the request where that names all
// partitions.
func (f *fetchCall) list() {
	if s := f.use.session; s != nil {
		f.sessionID = s.id
		f.take(true)
		return
	}
	image := f.h.rooms.Metadata.Load()
	for i := range f.request.Topics {
		t := &f.request.Topics[i]
		for j := range t.Partitions {
			q := &t.Partitions[j]
			f.add(image, fetchItem{key: partitionKey{t.TopicID, t.Topic, q.Partition}, wanted: wantedOf(q)})
		}
	}
	f.total = len(f.items)
}

// take has the items read that changed in the session. It reports false when another call took the session over.
func (f *fetchCall) take(first bool) bool {
	s := f.use.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != f.use.epoch {
		return false
	}
	image := f.h.rooms.Metadata.Load()
	s.take(first, f.call.Arrived, func(p *sessionPartition) {
		if p.call != f.use.epoch {
			p.call, p.at = f.use.epoch, int32(len(f.items))
			f.add(image, fetchItem{key: p.key, cached: p, wanted: p.wanted})
		} else if !first && !f.items[p.at].refused {
			f.next = append(f.next, p.at)
		}
	})
	f.total = len(s.partitions)
	return true
}

// add adds an item, which is to be read. It finds the name of a topic id and refuses what does not exist. What it refuses
// does not keep the others from waiting, as in Kafka: the client learns of it with the next answer.
func (f *fetchCall) add(image *metadata.Image, it fetchItem) {
	it.result, it.leader = nothingRead(), noLeader
	topic, known := image.Topic(it.key.topic)
	if f.version >= 13 {
		topic, known = image.TopicByID(it.key.topicID)
	}
	switch {
	case f.version >= 13 && !known:
		it.refused, it.code = true, protocol.UnknownTopicID
	case known:
		it.topic = topic.Name
		_, known = topic.Partition(it.key.index)
	default:
		it.topic = it.key.topic
	}
	if !known && !it.refused {
		it.refused, it.code = true, protocol.UnknownTopicOrPartition
	}
	if it.refused {
		f.refused++
	} else {
		f.next = append(f.next, int32(len(f.items)))
	}
	f.items = append(f.items, it)
}

// nothingRead is the result of a partition that was not read.
func nothingRead() replica.ReadResult {
	return replica.ReadResult{HighWatermark: -1, LastStableOffset: -1, LogStartOffset: -1, DivergingEpoch: -1, DivergingEnd: -1, PreferredReplica: -1}
}

// finish makes the answer of what the last read found.
func (f *fetchCall) finish() server.Response {
	f.convert()
	f.settleSession()
	return f.response()
}

// settleSession leaves out of the answer what the session's client knows already, or makes the session of a full fetch.
func (f *fetchCall) settleSession() {
	if f.use.create {
		f.createSession()
		return
	}
	s := f.use.session
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != f.use.epoch {
		for i := range f.items {
			if p := f.items[i].cached; !p.gone {
				s.changes.Queue(&p.watch)
			}
		}
		f.fail(protocol.InvalidFetchSessionEpoch) // another request took the session over
		return
	}
	for i := range f.items {
		it := &f.items[i]
		r := &it.result
		size := it.size()
		it.omitted = !it.cached.news(it.code, r.HighWatermark, r.LogStartOffset, size, r.DivergingEpoch >= 0 || r.PreferredReplica >= 0)
		s.looked(it.cached, size > 0, r.Settled && it.code == protocol.None)
	}
}

func (f *fetchCall) createSession() {
	s := newFetchSession(f.replicaID != consumerReplicaID, f.version >= 13, f.call.Arrived)
	for i := range f.items {
		it := &f.items[i]
		p := s.put(it.key, it.wanted, f.replicaID)
		p.news(it.code, it.result.HighWatermark, it.result.LogStartOffset, 0, false)
	}
	s.size.Store(int32(len(s.partitions)))
	if len(s.partitions) > 0 {
		f.sessionID = f.h.sessions.add(s, f.call.Arrived)
	}
}

// fail makes the answer one without partitions.
func (f *fetchCall) fail(code protocol.ErrorCode) {
	f.release()
	f.code, f.sessionID, f.items = code, 0, f.items[:0]
}

// failed notes why a partition gives nothing.
func (f *fetchCall) failed(it *fetchItem, err error) {
	it.code = codeOf(err)
	switch it.code {
	case protocol.NotLeaderOrFollower, protocol.FencedLeaderEpoch:
		if f.version >= 16 {
			it.leader = f.h.leaderOf(it.topic, it.key.index, it.partition)
		}
	case protocol.KafkaStorageError:
		if f.version <= 5 {
			it.code = protocol.NotLeaderOrFollower // clients of then know no other code upon which they retry
		}
	case protocol.UnknownServerError:
		f.h.log.Error("read failed", zap.String("topic", it.topic), zap.Int32("partition", it.key.index),
			zap.Int64("offset", it.offset), zap.String("client_id", f.call.Header.ClientID), zap.Error(err))
	}
}
