package consumer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// client is a member as a well-behaved client is one.
type client struct {
	id       string
	instance *string
	topics   []string
	regex    *string
	epoch    int32
	owned    assign.Partitions
	alive    bool
	full     bool // the next heartbeat says everything
	lazy     int  // heartbeats before it gives up revoked partitions
	wanted   assign.Partitions
	waiting  bool // for an answer

	// terse: as librdkafka it waits no longer than a heartbeat interval for an answer, makes nothing of missing one, and says what it
	// owns only when that is new.
	terse bool
	news  bool // what it owns is
	asked time.Time
	beats int
}

func (c *client) request() HeartbeatRequest {
	r := HeartbeatRequest{
		Client: classic.Client{ID: "client", Host: "/10.0.0.1"}, MemberID: c.id, MemberEpoch: c.epoch,
		InstanceID: c.instance, RebalanceTimeout: -1, Version: 1,
	}
	if c.full || c.epoch == 0 {
		r.RebalanceTimeout, r.Topics, r.TopicRegex = 20*time.Second, c.topics, c.regex
		r.Owned = c.owned
		if r.Owned == nil || c.epoch == 0 {
			r.Owned = assign.Partitions{}
		}
		if r.Topics == nil && r.TopicRegex == nil {
			r.Topics = []string{}
		}
	} else if c.wanted != nil && (c.news || !c.terse) {
		r.Owned = c.owned
	}
	return r
}

// hear takes an answer as a client does.
func (c *client) hear(r HeartbeatResponse) {
	switch r.Err {
	case nil:
		c.full = false
		if c.epoch >= 0 {
			c.epoch = r.MemberEpoch
		}
		if r.Assignment != nil {
			c.wanted = r.Assignment
		}
	case kerr.FencedMemberEpoch, kerr.UnknownMemberID, kerr.GroupIDNotFound, kerr.UnreleasedInstanceID:
		c.epoch, c.owned, c.wanted, c.full = 0, nil, nil, true
	default:
		c.full = true // the outcome is not known: say everything again
	}
}

// settle gives up and takes partitions as the last assignment says.
func (c *client) settle() {
	if c.wanted == nil {
		return
	}
	if c.lazy > 0 {
		c.lazy--
		return
	}
	c.news = c.news || !c.owned.Equal(c.wanted)
	c.owned = c.wanted
}

// walk is a random life of a group.
type walk struct {
	*world
	r       *rand.Rand
	clients []*client
	old     []*oldClient
}

func (w *walk) beat(c *client) {
	gaveUp := c.terse && w.now.Sub(c.asked) >= w.config.HeartbeatInterval
	if c.waiting && !gaveUp {
		return
	}
	c.waiting, c.asked, c.beats = true, w.now, c.beats+1
	beat, r := c.beats, c.request()
	w.sayf("%s beats epoch %d owned %v", c.id, r.MemberEpoch, w.named(r.Owned))
	lost := w.r.IntN(12) == 0
	if lost && c.terse { // it was held up on its way, too long
		r.Arrived = w.now.Add(-w.config.HeartbeatInterval)
	}
	w.turn(func(x *journal.Turn) {
		w.g.Heartbeat(x, w.image, r, func(resp HeartbeatResponse) {
			w.sayf("%s <- %d %v %s", c.id, resp.MemberEpoch, resp.Err, w.named(resp.Assignment))
			if beat != c.beats {
				return
			}
			c.waiting = false
			if lost {
				c.full = c.full || !c.terse
				return
			}
			c.news = c.news && (resp.Err != nil || r.Owned == nil)
			c.hear(resp)
		})
	})
	c.settle()
}

func (w *walk) add() {
	w.ids++
	c := &client{id: fmt.Sprintf("m%d", w.ids), alive: true, full: true, terse: w.r.IntN(3) == 0}
	switch w.r.IntN(4) {
	case 0:
		instance := fmt.Sprintf("i%d", w.r.IntN(3))
		c.instance = &instance
	case 1:
		regex := []string{"t.*", "t[01]", "[^t].*"}[w.r.IntN(3)]
		c.regex = &regex
	}
	if c.regex == nil || w.r.IntN(2) == 0 {
		c.topics = w.someTopics()
	}
	w.clients = append(w.clients, c)
}

func (w *walk) someTopics() []string {
	var names []string
	for i := range 4 {
		if w.r.IntN(2) == 0 {
			names = append(names, fmt.Sprintf("t%d", i))
		}
	}
	return names
}

func (w *walk) step() {
	var c *client
	if len(w.clients) > 0 {
		c = w.clients[w.r.IntN(len(w.clients))]
	}
	switch n := w.r.IntN(100); {
	case n < 8 && len(w.clients) < 7:
		w.add()
	case n < 9 && len(w.old) < 3:
		w.ids++
		w.old = append(w.old, &oldClient{id: fmt.Sprintf("c%d", w.ids), topics: w.someTopics(), rejoin: true})
	case n < 12:
		w.setTopic(fmt.Sprintf("t%d", w.r.IntN(4)), int32(w.r.IntN(6)))
	case n < 22:
		w.advance(time.Duration(w.r.IntN(8000)) * time.Millisecond)
	case n < 24:
		w.sayf("restart")
		w.restart()
		w.hold = false
		for _, c := range w.clients {
			c.full, c.waiting = c.full || c.waiting, false
		}
		for _, c := range w.old {
			c.waiting = false
		}
	case n < 26:
		if w.hold = w.r.IntN(2) == 0; !w.hold {
			w.release([]error{nil, kerr.RequestTimedOut}[w.r.IntN(2)])
		}
	case n < 28:
		w.fail = nil
		if w.r.IntN(3) == 0 {
			w.fail = []error{kerr.NotEnoughReplicas, kerr.NotLeaderForPartition}[w.r.IntN(2)]
		}
	case n < 45 && len(w.old) > 0:
		w.beatOld(w.old[w.r.IntN(len(w.old))])
	case n < 47 && len(w.old) > 0:
		w.endOld(w.old[w.r.IntN(len(w.old))])
	case c == nil:
	case n < 51: // dies without a word
		w.clients = slices.DeleteFunc(w.clients, func(o *client) bool { return o == c })
	case n < 55: // leaves
		c.epoch = leaveEpoch
		if c.instance != nil && w.r.IntN(2) == 0 {
			c.epoch = staticLeaveEpoch
		}
		w.beat(c)
		w.clients = slices.DeleteFunc(w.clients, func(o *client) bool { return o == c })
	case n < 58:
		c.topics, c.full = w.someTopics(), true
	case n < 60:
		c.lazy = w.r.IntN(20)
	default:
		w.beat(c)
	}
}

// calm lets all members beat until nothing moves any more.
func (w *walk) calm() {
	w.fail, w.hold = nil, false
	w.release(nil)
	for round := 0; round < 60; round++ {
		for _, c := range w.clients {
			c.lazy = 0
			w.beat(c)
		}
		for _, c := range w.old {
			w.beatOld(c)
		}
		w.advance(5 * time.Second)
	}
	if len(w.g.members) > 0 && w.g.State() != "Stable" {
		w.t.Fatalf("the group is %s after a calm time\n%s\n%s", w.g.State(), dump(w.g), w.out)
	}
	for name, topic := range w.image.byName {
		for p := range topic.Partitions {
			_, owned := w.g.owners[ownedPartition{topic.ID, p}]
			if owned != w.g.Subscribed(name) {
				w.t.Fatalf("partition %s-%d: subscribed %v, owned %v\n%s", name, p, w.g.Subscribed(name), owned, w.out)
			}
		}
	}
	for _, c := range w.clients {
		if s := w.g.members[c.id]; s != nil && !s.assigned.partitions().Equal(c.owned) && len(s.assigned)+len(c.owned) > 0 {
			w.t.Fatalf("%s holds %s and believes %s\n%s", c.id, w.named(s.assigned.partitions()), w.named(c.owned), w.out)
		}
	}
}

// oldClient is a member of the classic protocol, with a cooperative assignor.
type oldClient struct {
	id         string
	topics     []string
	generation int32
	owned      map[string][]int32
	rejoin     bool
	waiting    bool
}

func (c *oldClient) fail(err *kerr.Error) {
	switch err {
	case kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.FencedInstanceID:
		c.owned, c.rejoin = nil, true
	case nil:
	default:
		c.rejoin = true
	}
}

func (w *walk) beatOld(c *oldClient) {
	if c.waiting {
		return
	}
	w.sayf("%s beats generation %d rejoin %v", c.id, c.generation, c.rejoin)
	if !c.rejoin {
		w.turn(func(x *journal.Turn) {
			c.fail(w.g.ClassicHeartbeat(x, classic.HeartbeatRequest{MemberID: c.id, Generation: c.generation}))
		})
		return
	}
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics = 3, c.topics
	for topic, list := range c.owned {
		m.OwnedPartitions = append(m.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: topic, Partitions: list})
	}
	c.waiting = true
	w.turn(func(x *journal.Turn) {
		w.g.ClassicJoin(x, w.image, classic.JoinRequest{
			MemberID: c.id, SessionTimeout: 10 * time.Second, RebalanceTimeout: 20 * time.Second, ProtocolType: "consumer",
			Protocols: []classic.Protocol{{Name: "sticky", Metadata: m.AppendTo(nil)}},
		}, func(r classic.JoinResponse) {
			c.waiting = false
			c.fail(r.Err)
			c.rejoin, c.generation = r.Err != nil, r.Generation
		})
	})
	if c.rejoin || c.waiting {
		return
	}
	c.waiting = true
	w.turn(func(x *journal.Turn) {
		w.g.ClassicSync(x, w.image, classic.SyncRequest{MemberID: c.id, Generation: c.generation}, func(r classic.SyncResponse) {
			c.waiting = false
			if c.fail(r.Err); r.Err != nil {
				return
			}
			var a kmsg.ConsumerMemberAssignment
			if err := a.ReadFrom(r.Assignment); err != nil {
				w.t.Fatal(err)
			}
			owned := map[string][]int32{}
			for _, t := range a.Topics {
				owned[t.Topic] = t.Partitions
			}
			for topic, list := range c.owned {
				for _, p := range list {
					c.rejoin = c.rejoin || !slices.Contains(owned[topic], p) // it gave something up
				}
			}
			c.owned = owned
		})
	})
}

// endOld ends a member, with a word or without.
func (w *walk) endOld(c *oldClient) {
	w.old = slices.DeleteFunc(w.old, func(o *oldClient) bool { return o == c })
	if w.r.IntN(2) == 0 {
		w.turn(func(x *journal.Turn) {
			w.g.Leave(x, w.image, classic.LeaveRequest{Members: []classic.Leaving{{MemberID: c.id}}}, func([]classic.Left) {})
		})
	}
}

func TestRandomWalk(t *testing.T) {
	// Of these, 37 needs assignments to be told again.
	for seed := uint64(25); seed < 40; seed++ {
		w := &walk{world: newWorld(t), r: rand.New(rand.NewPCG(seed, 1))}
		for range 4 {
			for range 60 {
				w.step()
			}
			w.calm()
			w.out.Reset()
		}
	}
}
