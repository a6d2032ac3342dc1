package storage

import (
	"hash/maphash"
	"math"
	"math/bits"
)

// keySlotSize is what a key takes in the map, as in Kafka (SkimpyOffsetMap.java).
const keySlotSize = 24

// keySlot has 128 bits of hash in the place of a key, and the offset of its last record, plus one: zero is an empty slot.
type keySlot struct {
	high, low uint64
	next      int64
}

// keyMap maps keys to the offsets of their last records in a fixed amount of memory. Keys of the same hash are
// taken for the same. Nobody who chooses keys knows the seeds, which no other map shares.
type keyMap struct {
	seeds [2]maphash.Seed
	slots []keySlot
	count int
	limit int // at which the map is full, less than the slots
	// latest is the last offset that the map reflects.
	latest int64
}

// reset empties the map and gives it at most as many bytes, of which a part stays free by the load factor. Fewer
// are taken for what needs no more: a map for some hundred keys is not to cost as much as one for millions.
func (k *keyMap) reset(bytes int64, loadFactor float64, need int) {
	slots := min(max(bytes/keySlotSize, 4), math.MaxInt32)
	limit := min(max(int64(float64(slots)*loadFactor), 2), slots-1)
	if need := int64(need); need < limit && need+need/2+2 < slots {
		slots, limit = need+need/2+2, need+1
	}
	if int64(cap(k.slots)) >= slots {
		k.slots = k.slots[:slots]
		clear(k.slots)
	} else {
		k.slots = nil // first, so that not both count
		k.slots = make([]keySlot, slots)
	}
	k.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	k.count, k.limit, k.latest = 0, int(limit), -1
}

// full tells whether no other key fits.
func (k *keyMap) full() bool { return k.count >= k.limit }

// utilization is the share of the slots in use.
func (k *keyMap) utilization() float64 { return float64(k.count) / float64(max(len(k.slots), 1)) }

// hash hashes a key for find. It is apart so that a batch's keys can be hashed first and looked for then: every look misses the
// caches, and a processor waits for several at a time if there is little between them. With records of 100 bytes, each of a key of
// its own, a cleaning takes 0.6 of the time that it took with both in one.
func (k *keyMap) hash(key []byte) (high, low uint64) {
	return maphash.Bytes(k.seeds[0], key), maphash.Bytes(k.seeds[1], key)
}

// find returns the slot of a key by its hash, or the empty one where it belongs.
func (k *keyMap) find(high, low uint64) *keySlot {
	at, _ := bits.Mul64(high, uint64(len(k.slots)))
	for {
		slot := &k.slots[at]
		if slot.next == 0 || slot.high == high && slot.low == low {
			return slot
		}
		if at++; at == uint64(len(k.slots)) {
			at = 0
		}
	}
}

// put notes that a key's last record, so far, is at an offset. The map must not be full.
func (k *keyMap) put(high, low uint64, offset int64) {
	slot := k.find(high, low)
	if slot.next == 0 {
		slot.high, slot.low = high, low
		k.count++
	}
	slot.next = offset + 1
	k.latest = offset
}

// get returns the offset of a key's last record, or -1.
func (k *keyMap) get(high, low uint64) int64 { return k.find(high, low).next - 1 }
