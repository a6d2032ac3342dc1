package group

import (
	"context"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// shard is the groups of one partition of __consumer_offsets, for as long as this broker leads it without a break. Whatever its
// actors append carries the epoch in which that began, so that a shard that does not know yet that it is over cannot write.
type shard struct {
	groups    *Groups
	partition int32
	epoch     int32
	log       *zap.Logger
	stop      context.CancelFunc // of the load

	// mu is held for moments only, and taken before the lock of a mailbox. Who posts to an actor that it found here does so
	// under mu: what is posted before the end of the shard then runs before the last turn of the actor.
	mu     sync.RWMutex
	state  shardState
	actors map[string]*actor
	later  []func() // what waits for the end of the load
	// open is the groups with offsets in the open transaction of a producer.
	open map[int64]map[string]struct{}
}

// shardState goes from loading to active, loadFailed or over, and from any to over.
type shardState int8

const (
	loading shardState = iota
	active
	loadFailed
	over
)

// kind is the type of a group; none says that a request makes no group.
type kind int8

const (
	none kind = iota
	classicKind
	consumerKind
)

func (k kind) String() string {
	switch k {
	case classicKind:
		return "classic"
	case consumerKind:
		return "consumer"
	default:
		return "unknown"
	}
}

// task is something that a group is to do.
type task struct {
	group  string
	create kind // none: refuse it with GROUP_ID_NOT_FOUND if there is no such group
	run    func(a *actor, x *journal.Turn)
	refuse func(*kerr.Error) // may be nil
}

func (t task) refused(err *kerr.Error) {
	if t.refuse != nil {
		t.refuse(err)
	}
}

// submit brings a task to its group. It returns at once.
func (s *shard) submit(t task) {
	if a := s.hand(t); a != nil {
		go a.box.Lend()
	}
}

// hand brings a task to its group. If nobody runs the group it returns the actor, for the caller to lend its goroutine to.
func (s *shard) hand(t task) (idle *actor) {
	s.mu.RLock()
	if err := s.unable(); err != nil {
		s.mu.RUnlock()
		t.refused(err)
		return nil
	}
	if a := s.actors[t.group]; a != nil {
		defer s.mu.RUnlock()
		return a.post(t)
	}
	s.mu.RUnlock()
	if t.create == none {
		t.refused(kerr.GroupIDNotFound)
		return nil
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	// Both may have changed between the locks.
	if err := s.unable(); err != nil {
		t.refused(err)
		return nil
	}
	a := s.actors[t.group]
	if a == nil {
		a = newActor(s, t.group, t.create)
		s.actors[t.group] = a
	}
	return a.post(t)
}

// claim finds a group, and claims its mailbox for the caller if nobody runs the group. It returns nil if somebody does, or if
// there is no such group, or if it cannot be asked: then the request is for hand.
func (s *shard) claim(group string) *actor {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if a := s.actors[group]; s.state == active && a != nil && a.box.Claim() {
		return a
	}
	return nil
}

// available is nil, COORDINATOR_LOAD_IN_PROGRESS or NOT_COORDINATOR.
func (s *shard) available() *kerr.Error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.unable()
}

// unable is available for who holds mu.
func (s *shard) unable() *kerr.Error {
	switch s.state {
	case active:
		return nil
	case loading:
		return kerr.CoordinatorLoadInProgress
	default:
		return kerr.NotCoordinator
	}
}

// activate ends the load: the groups begin to live, and then what waited is done.
func (s *shard) activate(actors map[string]*actor, open map[int64]map[string]struct{}) bool {
	s.mu.Lock()
	if s.state != loading {
		s.mu.Unlock()
		return false
	}
	s.actors, s.open = actors, open
	for _, a := range actors {
		a.box.Post(a.loaded)
	}
	s.state = active
	later := s.later
	s.later = nil
	s.mu.Unlock()

	for _, f := range later {
		f()
	}
	return true
}

// fail leaves the shard refusing everything until its leadership changes.
func (s *shard) fail() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == loading {
		s.state, s.later = loadFailed, nil
	}
}

func (s *shard) failed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state == loadFailed
}

// end closes all groups. Whoever waits for one is answered NOT_COORDINATOR. It returns at once.
func (s *shard) end() {
	s.stop()
	s.mu.Lock()
	s.state, s.later = over, nil
	actors := s.actors
	s.actors, s.open = nil, nil
	for _, a := range actors {
		s.groups.running.Add(1)
		a.box.Post(func() {
			defer s.groups.running.Done()
			a.end(kerr.NotCoordinator)
		})
	}
	s.mu.Unlock()
	if len(actors) > 0 {
		s.log.Info("unloaded groups", zap.Int("groups", len(actors)))
	}
}

// remove forgets a group that was deleted; only its actor calls it.
func (s *shard) remove(a *actor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.actors[a.id] == a {
		delete(s.actors, a.id)
	}
}

// whenLoaded calls f now, or at the end of the load, or never if that fails.
func (s *shard) whenLoaded(f func()) {
	s.mu.Lock()
	if s.state == loading {
		s.later = append(s.later, f)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	f()
}

// all is the groups that live now.
func (s *shard) all() []*actor {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*actor, 0, len(s.actors))
	for _, a := range s.actors {
		all = append(all, a)
	}
	return all
}

// each has f run by every group that lives now.
func (s *shard) each(f func(a *actor, x *journal.Turn)) {
	for _, a := range s.all() {
		s.submit(task{group: a.id, run: f})
	}
}

func (s *shard) topicsChanged(deleted map[string][]int32) {
	var gone []offsets.Partition
	for topic, partitions := range deleted {
		for _, p := range partitions {
			gone = append(gone, offsets.Partition{Topic: topic, Index: p})
		}
	}
	slices.SortFunc(gone, comparePartitions)
	s.each(func(a *actor, x *journal.Turn) { a.topicsChanged(x, gone) })
}

// txnOpened notes that a group has offsets in the transaction of a producer.
func (s *shard) txnOpened(producerID int64, group string) {
	s.mu.RLock()
	_, known := s.open[producerID][group]
	s.mu.RUnlock()
	if known {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == active {
		addOpen(s.open, producerID, group)
	}
}

func addOpen(open map[int64]map[string]struct{}, producerID int64, group string) {
	groups := open[producerID]
	if groups == nil {
		groups = make(map[string]struct{})
		open[producerID] = groups
	}
	groups[group] = struct{}{}
}

func (s *shard) endTxn(producerID int64, commit bool) {
	s.mu.Lock()
	groups := s.open[producerID]
	delete(s.open, producerID)
	s.mu.Unlock()
	for group := range groups {
		s.submit(task{group: group, run: func(a *actor, x *journal.Turn) {
			a.offsets.EndTxn(producerID, commit)
		}})
	}
}
