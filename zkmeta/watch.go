package zkmeta

import (
	"slices"
	"sync"

	"github.com/go-zookeeper/zk"
)

// Notify is given to a read that shall set a watch: it is called at most once, from a
// goroutine that must not be blocked, when what was read may have changed (also on expiry, and when the
// connection was lost and found again). The reader then reads again, which sets the next watch. It may be called
// before the read returns; it is not called after the read returned an error. nil sets none.
type Notify func()

// watchKind is what of a znode is watched: its data and existence, or the list of its children.
type watchKind int8

const (
	watchData watchKind = iota
	watchChildren
)

type watchKey struct {
	path string // as the server names it, chroot included
	kind watchKind
}

// dispatcher holds all watches by path and calls whoever must be called, in order, from one goroutine.
// Events of the session go through the same queue, so that everyone sees Expired before what follows from it.
type dispatcher struct {
	mu      sync.Mutex
	entries map[watchKey]*watchEntry
	queue   []func()
	closed  bool
	wake    chan struct{} // capacity 1
	done    chan struct{}
}

// watchEntry is one watch of the server and those who wait for it. It leaves the map when it fires.
type watchEntry struct {
	onServer bool // the server is known to hold the watch, so the next reader need not set it again
	watches  []*watch
}

// watch is one Notify on its way.
type watch struct {
	key    watchKey
	entry  *watchEntry
	notify Notify
}

func newDispatcher() *dispatcher {
	d := &dispatcher{
		entries: make(map[watchKey]*watchEntry),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
	go d.run()
	return d
}

// register takes n before the read that it belongs to is sent. A nil n gives a nil watch, which is fine to
// use.
func (d *dispatcher) register(path string, kind watchKind, n Notify) *watch {
	if n == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key := watchKey{path, kind}
	entry := d.entries[key]
	if entry == nil {
		entry = &watchEntry{}
		d.entries[key] = entry
	}
	w := &watch{key: key, entry: entry, notify: n}
	entry.watches = append(entry.watches, w)
	return w
}

// wanted tells whether a read of path must ask the server for a watch: somebody waits, and the server is not known to
// hold one.
func (d *dispatcher) wanted(path string, kind watchKind) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	entry := d.entries[watchKey{path, kind}]
	return entry != nil && !entry.onServer
}

// armed notes that the read of w was answered, so that the server holds the watch. If it fired since, the entry is out of
// the map and the note is lost with it.
func (d *dispatcher) armed(w *watch) {
	if w == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	w.entry.onServer = true
}

// drop forgets w, whose read failed.
func (d *dispatcher) drop(w *watch) {
	if w == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	entry := w.entry
	if at := slices.Index(entry.watches, w); at >= 0 {
		entry.watches = slices.Delete(entry.watches, at, at+1)
	}
	if len(entry.watches) == 0 && !entry.onServer && d.entries[w.key] == entry {
		delete(d.entries, w.key)
	}
}

// fire takes an event of the server.
func (d *dispatcher) fire(path string, event zk.EventType) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch event {
	case zk.EventNodeCreated, zk.EventNodeDataChanged:
		d.fireEntry(watchKey{path, watchData})
	case zk.EventNodeChildrenChanged:
		d.fireEntry(watchKey{path, watchChildren})
	case zk.EventNodeDeleted:
		d.fireEntry(watchKey{path, watchData})
		d.fireEntry(watchKey{path, watchChildren})
	}
}

// fireAll is for when events may have been missed.
func (d *dispatcher) fireAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key := range d.entries {
		d.fireEntry(key)
	}
}

// fireEntry is called with the lock held.
func (d *dispatcher) fireEntry(key watchKey) {
	entry := d.entries[key]
	if entry == nil {
		return
	}
	delete(d.entries, key)
	for _, w := range entry.watches {
		d.push(w.notify)
	}
	entry.watches = nil
}

// post queues a call. The queue has no bound of its own: it holds no more than one call per armed watch
// and a few session events.
func (d *dispatcher) post(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.push(f)
}

func (d *dispatcher) push(f func()) {
	if d.closed {
		return
	}
	d.queue = append(d.queue, f)
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// run makes the calls until close; those still queued then are not made.
func (d *dispatcher) run() {
	defer close(d.done)
	for range d.wake {
		for {
			d.mu.Lock()
			calls, closed := d.queue, d.closed
			d.queue = nil
			d.mu.Unlock()
			if closed {
				return
			}
			if len(calls) == 0 {
				break
			}
			for _, call := range calls {
				call()
			}
		}
	}
}

// close ends the calls and waits for the one under way. Not to be called from such a call.
func (d *dispatcher) close() {
	d.mu.Lock()
	d.closed = true
	d.queue = nil
	select {
	case d.wake <- struct{}{}:
	default:
	}
	d.mu.Unlock()
	<-d.done
}
