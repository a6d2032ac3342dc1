package storage

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// trash has the files and folders that were renamed to be deleted and wait for
// file.delete.delay.ms. What is still in it at the end is found again by the next start.
type trash struct {
	mu    sync.Mutex
	items []discarded   // by time
	wake  chan struct{} // capacity 1
}

type discarded struct {
	due   time.Time
	dir   *directory
	paths []string
}

func newTrash() *trash { return &trash{wake: make(chan struct{}, 1)} }

// add discards files or folders after the delay.
func (t *trash) add(dir *directory, delay time.Duration, paths ...string) {
	if len(paths) == 0 {
		return
	}
	item := discarded{time.Now().Add(max(delay, 0)), dir, paths}
	t.mu.Lock()
	i, _ := slices.BinarySearchFunc(t.items, item.due, func(d discarded, due time.Time) int {
		return cmp.Or(d.due.Compare(due), -1) // after those of the same time
	})
	t.items = slices.Insert(t.items, i, item)
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// due takes out what has waited long enough, and tells when to look again (zero: never).
func (t *trash) due(now time.Time) (items []discarded, next time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for n < len(t.items) && !t.items[n].due.After(now) {
		n++
	}
	items = slices.Clone(t.items[:n])
	t.items = slices.Delete(t.items, 0, n)
	if len(t.items) > 0 {
		next = t.items[0].due
	}
	return items, next
}
