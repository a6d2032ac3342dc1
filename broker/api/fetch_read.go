package api

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
)

// read reads the items that are to be read, within the limits of the request.
func (f *fetchCall) read() {
	for _, i := range f.next {
		it := &f.items[i]
		f.bytes -= it.size()
		it.release()
		// From v3 on the first partition with records gives at least one batch, so that a client
		// whose limits are below the size of a batch still moves on.
		minOne := f.version >= 3 && f.bytes == 0
		if err := f.readItem(it, max(f.maxBytes-f.bytes, 0), minOne); err != nil {
			it.result = nothingRead()
			f.failed(it, err)
			f.settled = true
			continue
		}
		f.bytes += it.result.Slice.Len()
		f.settled = f.settled || it.result.DivergingEpoch >= 0 || it.result.PreferredReplica >= 0
	}
	f.next = f.next[:0]
	f.settled = f.settled || f.refused == f.total
}

func (f *fetchCall) readItem(it *fetchItem, left int64, minOne bool) (err error) {
	if it.partition, err = f.h.hosted(it.topic, it.key.index); err != nil {
		return err
	}
	if it.cached != nil {
		f.use.session.observe(it.cached, it.partition)
	}
	var none [16]byte
	if id := it.partition.TopicID(); f.version >= 13 && id != none && id != it.key.topicID {
		return replica.ErrInconsistentTopicID
	}
	it.code, it.leader = protocol.None, noLeader
	again := it.looked
	it.looked = true
	it.result, err = it.partition.Read(replica.ReadRequest{
		Offset:           it.offset,
		MaxBytes:         min(int64(it.maxBytes), left),
		MinOne:           minOne,
		Isolation:        f.isolation,
		CurrentEpoch:     it.currentEpoch,
		LastFetchedEpoch: it.lastFetchedEpoch,
		ReplicaID:        f.replicaID,
		LogStartOffset:   it.logStartOffset,
		Again:            again,
		Client:           f.version >= 11,
		Rack:             f.request.Rack,
		Listener:         f.call.Conn.Listener,
	})
	if err != nil || minOne {
		return err
	}
	return f.dropPart(it)
}

// dropPart drops a slice that ends within its first batch: from v3 on a client takes nothing as a sign that another partition
// had its turn, and a part as an error.
func (f *fetchCall) dropPart(it *fetchItem) error {
	slice := &it.result.Slice
	if f.version < 3 || slice.Len() == 0 {
		return nil
	}
	if slice.Len() >= record.LogOverhead {
		var head [record.LogOverhead]byte
		if _, err := slice.ReadAt(head[:], 0); err != nil {
			slice.Release()
			return fmt.Errorf("%w: read the size of a batch: %w", replica.ErrStorage, err)
		}
		if record.LogOverhead+int64(binary.BigEndian.Uint32(head[8:])) <= slice.Len() {
			return nil
		}
	}
	slice.Release()
	slice.Size, it.result.Aborted = 0, nil // what is left to be read keeps the result from being settled
	return nil
}

// satisfied reports whether the answer has to leave now.
func (f *fetchCall) satisfied() bool {
	return f.settled || f.request.MaxWaitMillis <= 0 || f.bytes >= f.minBytes
}

// awaitBytes waits until the fetch is satisfied, the maximal wait is over, the broker stops or the peer is gone.
func (f *fetchCall) awaitBytes(ctx context.Context) server.Response {
	f.wait(ctx)
	return f.finish()
}

func (f *fetchCall) wait(ctx context.Context) {
	changes := f.own
	if s := f.use.session; s != nil {
		changes = s.changes // which watches what was read already
	} else {
		f.watch()
		defer f.unwatch()
	}
	timer := time.NewTimer(time.Until(f.deadline))
	defer timer.Stop()
	for over := false; ; {
		// Look again only after registering, so that an append between the two still wakes us.
		if !f.changed() {
			changes.Pass()
			return
		}
		f.read()
		if over || f.satisfied() {
			return
		}
		select {
		case <-changes.C:
		case <-timer.C:
			over = true
		case <-f.call.Stopping():
			over = true
		case <-ctx.Done():
			return
		}
	}
}

// changed has those items read that changed. It reports false when another call took the session over.
func (f *fetchCall) changed() bool {
	if f.use.session != nil {
		return f.take(false)
	}
	f.taken = f.own.Take(f.taken[:0])
	for _, w := range f.taken {
		f.next = append(f.next, w.Slot)
	}
	clear(f.taken)
	return true
}

// watch has a fetch without a session told of changes; all that it watches is to be read again.
func (f *fetchCall) watch() {
	for i := range f.items {
		if it := &f.items[i]; it.partition != nil {
			it.watch = replica.Watch{Slot: int32(i), ReplicaID: f.replicaID}
			it.partition.Watch(f.own, &it.watch)
			f.own.Queue(&it.watch)
		}
	}
}

// unwatch undoes watch, and leaves nothing behind for the next call.
func (f *fetchCall) unwatch() {
	for i := range f.items {
		f.items[i].watch.Unwatch()
	}
	f.taken = f.own.Take(f.taken[:0])
	clear(f.taken)
	select {
	case <-f.own.C:
	default:
	}
}

// release lets go of what the reads hold.
func (f *fetchCall) release() {
	for i := range f.items {
		f.items[i].release()
	}
	f.bytes = 0
}

func (it *fetchItem) release() {
	it.result.Slice.Release()
	it.result.Slice.Size = 0
	it.converted = nil
}

// size returns how many bytes of records the item gives.
func (it *fetchItem) size() int64 {
	if it.converted != nil {
		return int64(len(it.converted))
	}
	return it.result.Slice.Len()
}
