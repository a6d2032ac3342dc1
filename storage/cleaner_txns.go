package storage

import (
	"cmp"
	"slices"

	"github.com/kbroker/kbroker/protocol/record"
)

// txnTracker follows the transactions while their batches are read in order, for telling which data was aborted and which
// markers have outlived their transactions (Kafka: CleanedTransactionMetadata in LogCleaner.scala). All that is read
// lies below the last stable offset, so every transaction is decided, and the aborted ones are in an index.
type txnTracker struct {
	coming    []abortedTxn           // whose first offset was not reached, by that
	aborted   map[int64]*abortedSeen // by producer, those not ended yet
	committed map[int64]struct{}     // producers with data of a transaction that is not ended yet
}

// abortedSeen is an aborted transaction, and whether any batch of it was there.
type abortedSeen struct {
	txn  abortedTxn
	seen bool
}

func newTxnTracker(aborted []abortedTxn) txnTracker {
	slices.SortStableFunc(aborted, func(a, b abortedTxn) int { return cmp.Compare(a.first, b.first) })
	return txnTracker{coming: aborted, aborted: map[int64]*abortedSeen{}, committed: map[int64]struct{}{}}
}

// reach takes up the transactions that begin at offset or before.
func (t *txnTracker) reach(offset int64) {
	for len(t.coming) > 0 && t.coming[0].first <= offset {
		txn := t.coming[0]
		t.coming = t.coming[1:]
		if t.aborted[txn.producerID] == nil {
			t.aborted[txn.producerID] = &abortedSeen{txn: txn}
		}
	}
}

// data notes a batch of data and tells whether it was aborted.
func (t *txnTracker) data(b record.Batch) (aborted bool) {
	t.reach(b.LastOffset())
	if !b.IsTransactional() {
		return false
	}
	if a := t.aborted[b.ProducerID()]; a != nil {
		a.seen = true
		return true
	}
	t.committed[b.ProducerID()] = struct{}{}
	return false
}

// control notes a control batch and tells whether nothing is left that it would end: a marker whose data is gone, or an
// empty batch. ended is the aborted transaction that it ends when there is data of it.
func (t *txnTracker) control(b record.Batch) (idle bool, ended *abortedTxn, err error) {
	t.reach(b.LastOffset())
	m, isMarker, err := b.Marker()
	switch {
	case err != nil:
		return false, nil, err
	case b.Count() == 0:
		return true, nil, nil
	case !isMarker:
		return false, nil, nil
	case m.Type == record.CommitMarker:
		_, open := t.committed[b.ProducerID()]
		delete(t.committed, b.ProducerID())
		return !open, nil, nil
	}
	a := t.aborted[b.ProducerID()]
	delete(t.aborted, b.ProducerID())
	if a == nil || !a.seen {
		return true, nil, nil
	}
	return false, &a.txn, nil
}
