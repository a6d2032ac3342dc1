package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
)

// Produce (key 0), versions 0 to 11.
//
// Appends batches to partitions that this broker leads and, with acks=-1, waits until they are below the high
// watermark or the request's timeout passes. With acks=0 there is no answer, and an error closes the connection. Calls of one
// connection are pipelined: each is appended in the order of arrival, and none waits for the answer of another.
//
//	v1  throttle time
//	v2  messages with timestamps; the answer has the log append time
//	v3  exactly one batch of magic 2 per partition; transactional id (KIP-98)
//	v5  log start offset
//	v7  zstd (KIP-110)
//	v8  which records were refused and why (KIP-467)
//	v9  flexible encoding
//	v10 the new leader, for NOT_LEADER_OR_FOLLOWER (KIP-951)
//	v11 TRANSACTION_ABORTABLE is understood (KIP-890)
func (h *Handlers) produce(_ context.Context, c *server.Call) (server.Reply, error) {
	p := h.produces.take(h, c)
	if err := p.request.UnsafeReadFrom(c.Body); err != nil {
		p.give()
		return server.Reply{}, err
	}
	p.acks = p.request.Acks
	p.timeout = time.Duration(p.request.TimeoutMillis) * time.Millisecond
	if code := p.refusal(); code != protocol.None {
		p.refuseAll(code)
	} else {
		p.appendAll()
	}
	// Names and records of the request alias the frame.
	p.keepNames()
	c.Release()
	if p.acks == acksAll && !p.replicated() {
		return server.Reply{Await: p.await}, nil
	}
	return server.Reply{Response: p.response()}, nil
}

const acksAll int16 = -1

// adminClientID is the one client id that may write to internal topics: Kafka's own tools repair them under it.
const adminClientID = "__admin_client"

// produceCall is one call while it is served. It belongs to the goroutine that serves the call.
type produceCall struct {
	h       *Handlers
	call    *server.Call
	request kmsg.ProduceRequest
	acks    int16
	timeout time.Duration
	topics  []producedTopic
	results []produced // of all partitions, in the order of the request
	buf     []byte
	chunks  [1]server.Chunk
	done    func()                                // give, made once
	await   func(context.Context) server.Response // awaitReplicas, made once
}

// producedTopic is a topic of the request with how many of the results are its.
type producedTopic struct {
	name  string
	count int
}

// produced is what became of one partition.
type produced struct {
	index          int32
	code           protocol.ErrorCode
	baseOffset     int64
	appendTime     int64
	logStartOffset int64
	refusal        *record.Refusal // or nil
	leader         leader
	partition      *replica.Partition // nil when not found
	appended       replica.Appended   // meaningful without an error, and when written
	written        bool               // it was appended
}

// producePool keeps produceCalls. The zero value is ready.
type producePool struct{ pool sync.Pool }

func (p *producePool) take(h *Handlers, c *server.Call) *produceCall {
	x, ok := p.pool.Get().(*produceCall)
	if !ok {
		x = &produceCall{h: h}
		x.done, x.await = x.give, x.awaitReplicas
	}
	x.call = c
	x.request.Version = c.Header.Version
	return x
}

func (p *produceCall) give() {
	// kmsg does not reset fields that a later request's version lacks; only the array's memory is kept.
	requested := p.request.Topics
	clear(requested)
	clear(p.topics)
	clear(p.results)
	p.request = kmsg.ProduceRequest{Topics: requested[:0]}
	p.topics, p.results, p.buf = p.topics[:0], p.results[:0], p.buf[:0]
	p.call, p.chunks[0] = nil, server.Chunk{}
	p.h.produces.pool.Put(p)
}

// refusal looks for what fails the request as a whole.
func (p *produceCall) refusal() protocol.ErrorCode {
	if p.request.TransactionID != nil {
		return protocol.None
	}
	for i := range p.request.Topics {
		for j := range p.request.Topics[i].Partitions {
			b, err := record.Header(p.request.Topics[i].Partitions[j].Records)
			if err == nil && b.IsTransactional() {
				return protocol.TransactionalIDAuthorizationFailed
			}
		}
	}
	return protocol.None
}

func (p *produceCall) refuseAll(code protocol.ErrorCode) {
	p.each(func(string, *kmsg.ProduceRequestTopicPartition, *produced) protocol.ErrorCode { return code })
}

// each adds a result for every partition of the request, with the code that f returns.
func (p *produceCall) each(f func(topic string, q *kmsg.ProduceRequestTopicPartition, r *produced) protocol.ErrorCode) {
	for i := range p.request.Topics {
		t := &p.request.Topics[i]
		p.topics = append(p.topics, producedTopic{name: t.Topic, count: len(t.Partitions)})
		for j := range t.Partitions {
			q := &t.Partitions[j]
			p.results = append(p.results, produced{
				index: q.Partition, baseOffset: -1, appendTime: record.NoTimestamp, logStartOffset: -1, leader: noLeader,
			})
			r := &p.results[len(p.results)-1]
			r.code = f(t.Topic, q, r)
		}
	}
}

func (p *produceCall) appendAll() {
	now := p.call.Arrived.UnixMilli()
	p.each(func(topic string, q *kmsg.ProduceRequestTopicPartition, r *produced) protocol.ErrorCode {
		err := p.append(topic, q.Records, r, now)
		if err == nil {
			return protocol.None
		}
		code := p.code(topic, r.index, err)
		if r.partition != nil && tellsLogStart(code) && (r.refusal == nil || !r.refusal.OfRequest) {
			r.logStartOffset = r.partition.LogStartOffset()
		}
		if code == protocol.NotLeaderOrFollower {
			r.leader = p.h.leaderOf(topic, r.index, r.partition)
		}
		return code
	})
}

// tellsLogStart reports whether an answer with this code carries the log start offset: Kafka tells it
// with all that happens at the log but for what it expects to happen (ReplicaManager.appendToLocalLog).
func tellsLogStart(code protocol.ErrorCode) bool {
	switch code {
	case protocol.UnknownTopicOrPartition, protocol.NotLeaderOrFollower, protocol.MessageTooLarge,
		protocol.RecordListTooLarge, protocol.CorruptMessage, protocol.KafkaStorageError:
		return false
	}
	return true
}

// append checks the records of one partition and appends them.
func (p *produceCall) append(topic string, records []byte, r *produced, now int64) error {
	if _, exists := p.h.partitionMetadata(topic, r.index); !exists {
		return replica.ErrUnknownPartition
	}
	if p.acks < acksAll || p.acks > 1 {
		return errInvalidAcks
	}
	if isInternal(topic) && p.call.Header.ClientID != adminClientID {
		return errInternalTopic
	}
	partition, err := p.h.hosted(topic, r.index)
	if err != nil {
		return err
	}
	r.partition = partition
	rules := partition.TopicConfig().Rules
	rules.Topic, rules.Partition = partition.Topic(), r.index // for the texts that clients see
	checked, err := record.Validate(records, rules, p.call.Header.Version, now)
	if err != nil {
		errors.As(err, &r.refusal)
		return err
	}
	if checked.Batch == nil {
		return nil // a message set of old without a message
	}
	appended, err := partition.AppendAsLeader(checked, p.acks, storage.FromClient)
	if err != nil {
		return err
	}
	r.baseOffset, r.appendTime, r.logStartOffset = appended.BaseOffset, appended.AppendTime, appended.LogStartOffset
	r.appended, r.written = appended, true
	return nil
}

// code is codeOf, but never UNKNOWN_SERVER_ERROR: an idempotent producer would send the batch again under a new sequence,
// and it would be twice in the log (KAFKA-14034). What is not understood about the log counts as a failure of the disk, upon
// which clients look for the leader and retry as they should.
func (p *produceCall) code(topic string, index int32, err error) protocol.ErrorCode {
	code := codeOf(err)
	if code != protocol.UnknownServerError {
		return code
	}
	p.h.log.Error("append failed", zap.String("topic", strings.Clone(topic)), zap.Int32("partition", index),
		zap.String("client_id", p.call.Header.ClientID), zap.Error(err))
	return protocol.KafkaStorageError
}

// keepNames replaces the names that alias the frame.
func (p *produceCall) keepNames() {
	at := 0
	for i := range p.topics {
		t := &p.topics[i]
		if t.count > 0 && p.results[at].partition != nil {
			t.name = p.results[at].partition.Topic()
		} else {
			t.name = strings.Clone(t.name)
		}
		at += t.count
	}
}

// replicated reports whether nothing has to be waited for.
func (p *produceCall) replicated() bool {
	for i := range p.results {
		r := &p.results[i]
		if r.code != protocol.None || !r.written {
			continue
		}
		// AwaitHighWatermark would be right too, but it registers where it has to wait.
		if r.partition.HighWatermark() <= r.appended.LastOffset {
			return false
		}
	}
	return p.settle(context.Background()) // none of them waits any more
}

// awaitReplicas waits until every partition's records are on all in-sync replicas.
func (p *produceCall) awaitReplicas(ctx context.Context) server.Response {
	ctx, cancel := context.WithDeadline(ctx, p.call.Arrived.Add(p.timeout))
	defer cancel()
	p.settle(ctx)
	return p.response()
}

// settle gives every partition its final code.
func (p *produceCall) settle(ctx context.Context) bool {
	at := 0
	for _, t := range p.topics {
		for i := range p.results[at : at+t.count] {
			r := &p.results[at+i]
			if r.code != protocol.None || !r.written {
				continue
			}
			if err := r.partition.AwaitHighWatermarkUntil(ctx, p.call.Stopping(), r.appended); err != nil {
				if r.code = p.code(t.name, r.index, err); r.code == protocol.NotLeaderOrFollower {
					r.leader = p.h.leaderOf(t.name, r.index, r.partition)
				}
			}
		}
		at += t.count
	}
	return true
}

// response makes the answer; with acks=0 there is none, and the only way to tell of an error is to close the connection.
func (p *produceCall) response() server.Response {
	if p.acks == 0 {
		r := server.Response{Silent: true, Done: p.done}
		if reason := p.failure(); reason != "" {
			r.Close, r.Reason = true, reason
		}
		return r
	}
	p.encode()
	p.chunks[0].Bytes = p.buf
	return server.Response{Chunks: p.chunks[:], Done: p.done}
}

// failure describes the first error, or is empty.
func (p *produceCall) failure() string {
	at := 0
	for _, t := range p.topics {
		for _, r := range p.results[at : at+t.count] {
			if r.code != protocol.None {
				return fmt.Sprintf("produce with acks=0 to %s-%d failed: %s", t.name, r.index, protocol.ErrorName(r.code))
			}
		}
		at += t.count
	}
	return ""
}
