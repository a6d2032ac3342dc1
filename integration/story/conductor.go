package story

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

const (
	partitions = 6
	// pace is the time between two records.
	pace = 5 * time.Millisecond
	// patience bounds each step: sessions time out after 3 s, and Apache Kafka takes some seconds to start.
	patience = 60 * time.Second
)

// conductor leads the workers of one group through the story.
type conductor struct {
	client  Client
	subject harness.Subject // of Tell
	address string
	topic   string
	group   string
	kafka   *kgo.Client
	admin   *kadm.Client
	ledger  *ledger
	workers []*worker // those alive
	started int

	begun         time.Time
	stopProducing context.CancelFunc
	stopWatching  context.CancelFunc
	producing     sync.WaitGroup
	watching      sync.WaitGroup
}

// Tell tells the story with a client's workers.
func Tell(t *testing.T, subject harness.Subject, client Client) {
	t.Helper()
	c := newConductor(t, subject.Address(), client)
	c.subject = subject
	harness.CreateTopic(t, c.kafka, c.topic, partitions, nil)
	defer c.begin(t)()

	c.join(t, 3)
	c.settle(t, 3)
	c.chapter(t, "three workers share the topic")
	c.join(t, 1)
	c.settle(t, 4)
	c.chapter(t, "a fourth has joined")
	c.part(1).leave(t)
	c.settle(t, 3)
	c.chapter(t, "one has left")
	c.part(0).kill()
	c.settle(t, 2)
	c.chapter(t, "one was killed and is out")
	c.join(t, 1)
	c.interrupt(t)
	c.chapter(t, "the broker was killed during a rebalance")
	subject.Restart(t)
	c.chapter(t, "it is back")
	c.settle(t, 3)
	c.chapter(t, "three workers share the topic again")
	c.conclude(t)
}

// join starts workers.
func (c *conductor) join(t *testing.T, count int) {
	t.Helper()
	for range count {
		seat := Seat{Address: c.address, Topic: c.topic, Group: c.group, Name: fmt.Sprintf("w%d", c.started)}
		c.started++
		c.workers = append(c.workers, start(t, c.client, seat, c.ledger.hear))
	}
}

// part takes a worker out of those that are expected to live.
func (c *conductor) part(i int) *worker {
	w := c.workers[i]
	c.workers = slices.Delete(c.workers, i, i+1)
	return w
}

// settle waits until the group is stable with so many members that share the partitions, coordinator and workers agree on
// that, and every worker has shown a record since.
func (c *conductor) settle(t *testing.T, members int) {
	t.Helper()
	harness.Eventually(t, patience, func() error { return c.shared(t, members) })
	before := map[*worker]int{}
	for _, w := range c.workers {
		_, before[w] = w.state()
	}
	harness.Eventually(t, patience, func() error {
		for w, n := range before {
			if _, now := w.state(); now == n {
				return errors.Join(fmt.Errorf("worker %s shows no record", w.name), w.alive())
			}
		}
		return nil
	})
}

// shared says what is missing until the group is stable with so many members, each with partitions, each partition with one
// owner, and all that as the workers tell it.
func (c *conductor) shared(t *testing.T, members int) error {
	for _, w := range c.workers {
		if err := w.alive(); err != nil {
			t.Fatal(err)
		}
	}
	g, err := c.describe(t.Context())
	if err != nil {
		return err
	}
	want := "Stable"
	if members == 0 {
		want = "Empty"
	}
	if g.state != want || len(g.members) != members {
		return fmt.Errorf("the group is %s with %d members, not %s with %d", g.state, len(g.members), want, members)
	}
	if members == 0 {
		return nil
	}
	if err := oneOwnerEach("coordinator", g.members); err != nil || c.client.Mute {
		return err
	}
	var told [][]int32
	for _, w := range c.workers {
		owns, _ := w.state()
		told = append(told, owns)
	}
	return oneOwnerEach("workers", told)
}

// oneOwnerEach checks that the members share the partitions.
func oneOwnerEach(teller string, members [][]int32) error {
	all := slices.Sorted(slices.Values(slices.Concat(members...)))
	for p := range int32(partitions) {
		if len(all) != partitions || all[p] != p {
			return fmt.Errorf("the %s tell of the partitions %v", teller, members)
		}
	}
	for _, owned := range members {
		if len(owned) == 0 {
			return fmt.Errorf("the %s tell of a member without partitions: %v", teller, members)
		}
	}
	return nil
}

// interrupt kills the broker when a rebalance has begun and is not over.
func (c *conductor) interrupt(t *testing.T) {
	t.Helper()
	c.awaitRebalance(t)
	c.subject.Kill()
}

// awaitRebalance returns when a rebalance has begun and is not over.
func (c *conductor) awaitRebalance(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		g, err := c.describe(t.Context())
		if err != nil {
			t.Fatalf("describe the group: %v", err)
		}
		if g.state != "Stable" {
			t.Logf("the group was %s with %d members", g.state, len(g.members))
			return
		}
		time.Sleep(2 * time.Millisecond) // a poll, against another process
	}
	t.Fatalf("no rebalance within %s of a worker's start", patience)
}

// drain waits until every record is delivered and every partition's end is committed.
func (c *conductor) drain(t *testing.T) {
	t.Helper()
	harness.Eventually(t, patience, func() error {
		for _, w := range c.workers {
			if err := w.alive(); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.ledger.undelivered(c.client.Drops); err != nil {
			return err
		}
		ends, err := c.admin.ListEndOffsets(t.Context(), c.topic)
		if err != nil {
			return fmt.Errorf("list the end offsets: %w", err)
		}
		for p := range int32(partitions) {
			end, _ := ends.Lookup(c.topic, p)
			if committed := c.ledger.committedOffset(p); committed != end.Offset {
				return fmt.Errorf("partition %d ends at %d, committed is %d", p, end.Offset, committed)
			}
		}
		return nil
	})
}
