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

// read reads all partitions within the limits of the request.
func (f *fetchCall) read() {
	f.settled, f.bytes = false, 0
	left := f.maxBytes
	// From v3 on the first partition with records gives at least one batch, so that a client
	// whose limits are below the size of a batch still moves on.
	minOne := f.version >= 3
	found := false
	for i := range f.items {
		it := &f.items[i]
		if it.refused {
			continue
		}
		found = true
		if err := f.readItem(it, left, minOne); err != nil {
			it.result = nothingRead()
			f.failed(it, err)
			f.settled = true
			continue
		}
		if size := it.result.Slice.Len(); size > 0 {
			f.bytes += size
			left = max(left-size, 0)
			minOne = false
		}
		f.settled = f.settled || it.result.DivergingEpoch >= 0 || it.result.PreferredReplica >= 0
	}
	f.settled = f.settled || !found
}

func (f *fetchCall) readItem(it *fetchItem, left int64, minOne bool) (err error) {
	if it.partition, err = f.h.hosted(it.topic, it.key.index); err != nil {
		return err
	}
	var none [16]byte
	if id := it.partition.TopicID(); f.version >= 13 && id != none && id != it.key.topicID {
		return replica.ErrInconsistentTopicID
	}
	it.code, it.leader = protocol.None, noLeader
	it.result, err = it.partition.Read(replica.ReadRequest{
		Offset:           it.offset,
		MaxBytes:         min(int64(it.maxBytes), left),
		MinOne:           minOne,
		Isolation:        f.isolation,
		CurrentEpoch:     it.currentEpoch,
		LastFetchedEpoch: it.lastFetchedEpoch,
		ReplicaID:        f.replicaID,
		LogStartOffset:   it.logStartOffset,
		Again:            f.again,
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
	slice.Size, it.result.Aborted = 0, nil
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
	w := replica.NewWaiter()
	f.watch(w)
	defer f.unwatch(w)
	timer := time.NewTimer(time.Until(f.deadline))
	defer timer.Stop()
	for over := false; ; {
		// Look again only after registering, so that an append between the two still wakes us.
		f.release()
		f.again = true
		f.read()
		if over || f.satisfied() {
			return
		}
		select {
		case <-w.C:
		case <-timer.C:
			over = true
		case <-f.call.Stopping():
			over = true
		case <-ctx.Done():
			return
		}
	}
}

func (f *fetchCall) watch(w *replica.Waiter) {
	for i := range f.items {
		if p := f.items[i].partition; p != nil {
			p.Watch(w)
			f.items[i].watched = p
		}
	}
}

func (f *fetchCall) unwatch(w *replica.Waiter) {
	for i := range f.items {
		if p := f.items[i].watched; p != nil {
			p.Unwatch(w)
			f.items[i].watched = nil
		}
	}
}

// release lets go of what the last read holds.
func (f *fetchCall) release() {
	for i := range f.items {
		it := &f.items[i]
		it.result.Slice.Release()
		it.result.Slice.Size = 0
		it.converted = nil
	}
}

// size returns how many bytes of records the item gives.
func (it *fetchItem) size() int64 {
	if it.converted != nil {
		return int64(len(it.converted))
	}
	return it.result.Slice.Len()
}
