package zkmetatest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kbroker/kbroker/zkmeta"
)

func testWatchesFireOnce(e *env) {
	watcher, p := e.started()
	writer, _, lease := e.controller()
	a := e.withTopic(writer, lease, "t", 1)
	tp := zkmeta.TopicPartition{Topic: "t"}
	topics, assignment, state, marker, none := e.signal(), e.signal(), e.signal(), e.signal(), e.signal()

	_, err := watcher.Topics(e.ctx, topics.notify)
	e.must(err)
	_, err = watcher.Topics(e.ctx, topics.notify) // two on one watch
	e.must(err)
	_, err = watcher.Assignments(e.ctx, []string{"t"}, func(string) zkmeta.Notify { return assignment.notify })
	e.must(err)
	_, err = watcher.PartitionStates(e.ctx, []zkmeta.TopicPartition{tp}, func(zkmeta.TopicPartition) zkmeta.Notify { return state.notify })
	e.must(err)
	_, err = watcher.DeletionMarkers(e.ctx, marker.notify)
	e.must(err)
	// A read that fails sets no watch, even if the znode comes.
	_, err = watcher.Broker(e.ctx, 9, none.notify)
	e.mustBe(err, zkmeta.ErrNoNode)
	_, err = writer.RegisterBroker(e.ctx, broker(9))
	e.must(err)

	for round := range 2 {
		e.must(writer.CreateTopic(e.ctx, nil, topic(fmt.Sprint("u", round), 1), nil))
		e.must(writer.SetAssignment(e.ctx, lease, a))
		e.must(writer.MarkForDeletion(e.ctx, fmt.Sprint("t", round)))
		states := firstStates(a, lease)
		s := states[tp]
		s.PartitionEpoch = int32(round)
		states[tp] = s
		outcomes, err := writer.UpdatePartitionStates(e.ctx, lease, states)
		e.must(err)
		e.must(outcomes[tp].Err)
		equal(e, "partition epoch", outcomes[tp].State.PartitionEpoch, int32(round+1))
		if round > 0 {
			break
		}
		topics.await("a topic was created")
		topics.await("a topic was created, the second Notify")
		assignment.await("the assignment was written")
		state.await("the state was written")
		marker.await("a topic was marked")
	}
	// One more event through the same dispatcher: what had to come before has come.
	last := e.signal()
	_, err = watcher.Brokers(e.ctx, last.notify)
	e.must(err)
	p.Drop()
	last.await("the end")
	for _, s := range []*signal{topics, assignment, state, marker, none} {
		s.silent("a watch fires once")
	}
}

// testWatchStorm: many watches, all of which fire, while their readers read again.
func testWatchStorm(e *env) {
	const count = 2000
	watcher, p := e.started()
	writer, _, lease := e.controller()
	var names []string
	for i := range count {
		names = append(names, fmt.Sprint("t", i))
	}
	var creating sync.WaitGroup
	for worker := range 10 {
		creating.Go(func() {
			for i := worker; i < count; i += 10 {
				if err := writer.CreateTopic(e.ctx, &lease, topic(names[i], 1), nil); err != nil {
					e.Error(err)
				}
			}
		})
	}
	creating.Wait()

	fired := make([]atomic.Int32, count)
	var first, second sync.WaitGroup
	watch := func(names []string, offset int, done *sync.WaitGroup) {
		done.Add(len(names))
		index := make(map[string]int)
		for i, name := range names {
			index[name] = i + offset
		}
		found, err := watcher.Assignments(e.ctx, names, func(name string) zkmeta.Notify {
			return func() {
				fired[index[name]].Add(1)
				done.Done()
			}
		})
		e.must(err)
		equal(e, "topics", len(found), len(names))
	}
	watch(names, 0, &first)
	for worker := range 10 {
		creating.Go(func() {
			for i := worker; i < count/2; i += 10 {
				if err := writer.SetAssignment(e.ctx, lease, topic(names[i], 2)); err != nil {
					e.Error(err)
				}
			}
		})
	}
	creating.Wait()
	// The other half fires because the session ends.
	states := e.states(watcher)
	p.Expire()
	e.awaitState(states, zkmeta.Disconnected)
	e.awaitState(states, zkmeta.Expired)
	e.awaitState(states, zkmeta.Connected)
	e.awaitAll("the first round", &first)
	watch(names[:count/2], 0, &second)
	p.Drop()
	e.awaitAll("the second round", &second)
	for i := range fired {
		want := int32(1)
		if i < count/2 {
			want = 2
		}
		equal(e, "calls for "+names[i], fired[i].Load(), want)
	}
}

func (e *env) awaitAll(what string, group *sync.WaitGroup) {
	e.Helper()
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		e.Fatalf("not all fired: %s", what)
	}
}
