package consumer

import (
	"slices"

	"github.com/kbroker/kbroker/coordinator/group/assign"
)

// holding is the partitions that a member holds, by topic id. It and its lists are never changed once made.
type holding map[[16]byte]held

// held is partitions of a topic, sorted, each with the member epoch at which it was assigned (KIP-1251).
type held struct{ partitions, epochs []int32 }

func (h held) find(partition int32) (epoch int32, ok bool) {
	i, ok := slices.BinarySearch(h.partitions, partition)
	if !ok {
		return 0, false
	}
	return h.epochs[i], true
}

func (h holding) find(topic [16]byte, partition int32) (epoch int32, ok bool) {
	return h[topic].find(partition)
}

// holdsAny tells whether one of the partitions that a client reports is among these. Reported lists are in any order.
func (h holding) holdsAny(reported assign.Partitions) bool {
	for topic, partitions := range reported {
		for _, p := range partitions {
			if _, ok := h.find(topic, p); ok {
				return true
			}
		}
	}
	return false
}

// holdsAll tells whether all partitions that a client reports are among these.
func (h holding) holdsAll(reported assign.Partitions) bool {
	for topic, partitions := range reported {
		for _, p := range partitions {
			if _, ok := h.find(topic, p); !ok {
				return false
			}
		}
		if _, ok := h[topic]; !ok {
			return false
		}
	}
	return true
}

// is tells whether a client reports all these partitions and no other.
func (h holding) is(reported assign.Partitions) bool {
	if len(reported) != len(h) || !h.holdsAll(reported) {
		return false
	}
	for topic, held := range h {
		if len(reported[topic]) != len(held.partitions) {
			return false
		}
	}
	return true
}

// partitions is the holding without its epochs. The lists are shared.
func (h holding) partitions() assign.Partitions {
	p := make(assign.Partitions, len(h))
	for topic, held := range h {
		p[topic] = held.partitions
	}
	return p
}

// samePartitions compares without epochs.
func samePartitions(a, b holding) bool {
	if len(a) != len(b) {
		return false
	}
	for topic, x := range a {
		if y, ok := b[topic]; !ok || !slices.Equal(x.partitions, y.partitions) {
			return false
		}
	}
	return true
}

func equalHolding(a, b holding) bool {
	if !samePartitions(a, b) {
		return false
	}
	for topic, x := range a {
		if !slices.Equal(x.epochs, b[topic].epochs) {
			return false
		}
	}
	return true
}

// heldSince makes a list of partitions that were all assigned at one epoch.
func heldSince(partitions []int32, epoch int32) held {
	h := held{partitions: partitions, epochs: make([]int32, len(partitions))}
	for i := range h.epochs {
		h.epochs[i] = epoch
	}
	return h
}

// union of two lists; where both have a partition, the epoch of b counts.
func (h held) union(b held) held {
	if len(h.partitions) == 0 {
		return b
	}
	if len(b.partitions) == 0 {
		return h
	}
	u := held{make([]int32, 0, len(h.partitions)+len(b.partitions)), make([]int32, 0, len(h.partitions)+len(b.partitions))}
	i, j := 0, 0
	for i < len(h.partitions) || j < len(b.partitions) {
		switch {
		case j == len(b.partitions) || i < len(h.partitions) && h.partitions[i] < b.partitions[j]:
			u.partitions, u.epochs = append(u.partitions, h.partitions[i]), append(u.epochs, h.epochs[i])
			i++
		default:
			if i < len(h.partitions) && h.partitions[i] == b.partitions[j] {
				i++
			}
			u.partitions, u.epochs = append(u.partitions, b.partitions[j]), append(u.epochs, b.epochs[j])
			j++
		}
	}
	return u
}

func strictlySorted(partitions []int32) bool {
	for i := 1; i < len(partitions); i++ {
		if partitions[i-1] >= partitions[i] {
			return false
		}
	}
	return true
}

// sortedUnique returns the list sorted and each partition once. It returns the list itself when it is so already.
func sortedUnique(partitions []int32) []int32 {
	if strictlySorted(partitions) {
		return partitions
	}
	sorted := slices.Clone(partitions)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}
