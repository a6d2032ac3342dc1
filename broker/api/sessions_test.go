package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
)

func inSession(id, epoch int32) fetchOptions {
	return func(q *kmsg.FetchRequest) { q.SessionID, q.SessionEpoch = id, epoch }
}

func forget(topic string, partitions ...int32) fetchOptions {
	return func(q *kmsg.FetchRequest) {
		t := kmsg.NewFetchRequestForgottenTopic()
		t.Topic, t.Partitions = topic, partitions
		if q.Version >= 13 {
			t.Topic, t.TopicID = "", topicID(topic)
		}
		q.ForgottenTopics = append(q.ForgottenTopics, t)
	}
}

// answered lists the partitions of an answer with the number of their values.
func answered(t *testing.T, r *kmsg.FetchResponse) string {
	t.Helper()
	var out []string
	for _, topic := range r.Topics {
		for _, p := range topic.Partitions {
			out = append(out, fmt.Sprintf("%d:%d", p.Partition, len(values(t, p.RecordBatches))))
		}
	}
	return strings.Join(out, " ")
}

func TestSessionAnswersWhatIsNew(t *testing.T) {
	for _, v := range []int16{7, 12, 13, 17} {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			b := newBroker(t)
			b.lead("t", 3, 1)
			fetch := func(want string, offsets map[int32]int64, options ...fetchOptions) *kmsg.FetchResponse {
				t.Helper()
				r := b.ask(fetchRequest(v, "t", offsets, options...)).(*kmsg.FetchResponse)
				if got := answered(t, r); got != want || r.ErrorCode != 0 {
					t.Errorf("answer %q, code %s; want %q", got, protocol.ErrorName(r.ErrorCode), want)
				}
				return r
			}
			produce := func(partitions ...int32) {
				t.Helper()
				records := make(map[int32][]byte)
				for _, p := range partitions {
					records[p] = batch(t, record.BatchOptions{}, "x")
				}
				b.ask(produceRequest(9, 1, "t", records))
			}
			r := fetch("0:0 1:0 2:0", map[int32]int64{0: 0, 1: 0, 2: 0}, inSession(0, 0))
			id := r.SessionID
			if id == 0 {
				t.Fatal("no session was made")
			}
			fetch("", nil, inSession(id, 1))
			produce(0, 2)
			fetch("0:1 2:1", nil, inSession(id, 2))
			// Nothing was read on by the client: it is told again. Those that gave records stand last now.
			produce(1)
			fetch("1:1 0:1 2:1", nil, inSession(id, 3))
			fetch("1:1", map[int32]int64{0: 1, 2: 1}, inSession(id, 4))
			fetch("", map[int32]int64{1: 1}, inSession(id, 5))
			produce(0, 1, 2)
			fetch("0:1 2:1", nil, inSession(id, 6), forget("t", 1))
			fetch("0:1 1:2 2:1", map[int32]int64{0: 1, 1: 0, 2: 1}, inSession(0, -1)) // without a session
		})
	}
}

func TestSessionErrors(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 2, 1)
	open := func(v int16) int32 {
		return b.ask(fetchRequest(v, "t", map[int32]int64{0: 0, 1: 0}, inSession(0, 0))).(*kmsg.FetchResponse).SessionID
	}
	byName, byID := open(12), open(13)
	for name, c := range map[string]struct {
		version   int16
		id, epoch int32
		want      protocol.ErrorCode
	}{
		"unknown session":   {12, byName + 1, 1, protocol.FetchSessionIDNotFound},
		"epoch ahead":       {12, byName, 2, protocol.InvalidFetchSessionEpoch},
		"name session, ids": {13, byName, 1, protocol.FetchSessionTopicIDError},
		"id session, names": {12, byID, 1, protocol.FetchSessionTopicIDError},
	} {
		r := b.ask(fetchRequest(c.version, "t", nil, inSession(c.id, c.epoch))).(*kmsg.FetchResponse)
		if r.ErrorCode != c.want || r.SessionID != 0 || len(r.Topics) != 0 {
			t.Errorf("%s: %s, session %d", name, protocol.ErrorName(r.ErrorCode), r.SessionID)
		}
	}
	// None of them cost the sessions anything; a request that comes twice is refused.
	for i, want := range []protocol.ErrorCode{protocol.None, protocol.InvalidFetchSessionEpoch} {
		if r := b.ask(fetchRequest(12, "t", nil, inSession(byName, 1))).(*kmsg.FetchResponse); r.ErrorCode != want {
			t.Errorf("time %d: %s", i+1, protocol.ErrorName(r.ErrorCode))
		}
	}
	// A new full fetch ends the old session.
	b.ask(fetchRequest(12, "t", map[int32]int64{0: 0}, inSession(byName, -1)))
	if r := b.ask(fetchRequest(12, "t", nil, inSession(byName, 2))).(*kmsg.FetchResponse); r.ErrorCode != protocol.FetchSessionIDNotFound {
		t.Errorf("closed session: %s", protocol.ErrorName(r.ErrorCode))
	}
	// One without partitions is no more.
	if r := b.ask(fetchRequest(13, "t", nil, inSession(byID, 1), forget("t", 0, 1))).(*kmsg.FetchResponse); r.ErrorCode != 0 || r.SessionID != 0 {
		t.Errorf("emptied session: %s, session %d", protocol.ErrorName(r.ErrorCode), r.SessionID)
	}
	if len(b.sessions.sessions) != 0 {
		t.Errorf("%d sessions are left", len(b.sessions.sessions))
	}
}

func TestSessionTellsOfAnErrorUntilItIsOverAndThen(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	id := b.ask(fetchRequest(12, "t", map[int32]int64{0: 0}, inSession(0, 0))).(*kmsg.FetchResponse).SessionID
	b.apply("t", 1, 2, []int32{2, 1}, []int32{2, 1})
	stale := func(q *kmsg.FetchRequest) {
		for i := range q.Topics {
			q.Topics[i].Partitions[0].CurrentLeaderEpoch = 1
		}
	}
	for epoch := int32(1); epoch <= 2; epoch++ {
		r := b.ask(fetchRequest(12, "t", map[int32]int64{0: 0}, inSession(id, epoch), stale)).(*kmsg.FetchResponse)
		if answered(t, r) != "0:0" || r.Topics[0].Partitions[0].ErrorCode != protocol.FencedLeaderEpoch {
			t.Errorf("%+v", r)
		}
	}
	b.apply("t", 1, 1, []int32{1}, []int32{1})
	if r := b.ask(fetchRequest(12, "t", map[int32]int64{0: 0}, inSession(id, 3))).(*kmsg.FetchResponse); answered(t, r) != "0:0" || r.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Errorf("%+v", r)
	}
	if r := b.ask(fetchRequest(12, "t", nil, inSession(id, 4))).(*kmsg.FetchResponse); answered(t, r) != "" {
		t.Errorf("%+v", r)
	}
}

// A topic id that is not known yet stays in the session, and is found when the metadata has it.
func TestSessionResolvesTopicIDsLater(t *testing.T) {
	b := newBroker(t)
	b.lead("other", 1, 1)
	r := b.ask(fetchRequest(13, "t", map[int32]int64{0: 0}, inSession(0, 0))).(*kmsg.FetchResponse)
	if r.Topics[0].Partitions[0].ErrorCode != protocol.UnknownTopicID {
		t.Fatalf("%+v", r)
	}
	b.lead("t", 1, 1)
	b.produceOne(9, 1, "t", batch(t, record.BatchOptions{}, "x"))
	r = b.ask(fetchRequest(13, "t", nil, inSession(r.SessionID, 1))).(*kmsg.FetchResponse)
	if answered(t, r) != "0:1" || r.Topics[0].TopicID != topicID("t") {
		t.Errorf("%+v", r)
	}
}

func TestSessionEpochWraps(t *testing.T) {
	for from, want := range map[int32]int32{0: 1, 1: 2, 1<<31 - 1: 1} {
		if got := nextSessionEpoch(from); got != want {
			t.Errorf("after %d comes %d, want %d", from, got, want)
		}
	}
}

func TestEviction(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	session := func(c *sessionCache, follower bool, size int, age, unused time.Duration) *fetchSession {
		s := newFetchSession(follower, true, start.Add(-age))
		s.lastUsed.Store(start.Add(-unused).UnixNano())
		s.size.Store(int32(size))
		if c != nil {
			c.add(s, start)
		}
		return s
	}
	for name, c := range map[string]struct {
		follower bool
		size     int
		age      time.Duration // of the one in the cache
		unused   time.Duration
		newcomer *fetchSession
		evicted  bool
	}{
		"stale":                      {true, 100, time.Hour, 3 * time.Minute, session(nil, false, 1, 0, 0), true},
		"young":                      {false, 1, time.Minute, 0, session(nil, false, 100, 0, 0), false},
		"settled and smaller":        {false, 1, time.Hour, 0, session(nil, false, 2, 0, 0), true},
		"settled and as large":       {false, 2, time.Hour, 0, session(nil, false, 2, 0, 0), false},
		"consumer before follower":   {false, 100, time.Second, 0, session(nil, true, 1, 0, 0), true},
		"follower before consumer":   {true, 1, time.Hour, 0, session(nil, false, 100, 0, 0), false},
		"follower before a follower": {true, 1, time.Hour, 0, session(nil, true, 2, 0, 0), true},
		"young follower":             {true, 1, time.Minute, 0, session(nil, true, 2, 0, 0), false},
	} {
		cache := newSessionCache(func() int32 { return 1 }, nil)
		old := session(cache, c.follower, c.size, c.age, c.unused)
		id := cache.add(c.newcomer, start)
		if got := id != 0; got != c.evicted || (cache.sessions[old.id] == nil) != c.evicted || len(cache.sessions) != 1 {
			t.Errorf("%s: evicted %t, %d sessions", name, got, len(cache.sessions))
		}
	}
}

func TestNoSessionWithoutSlots(t *testing.T) {
	b := newBroker(t)
	b.lead("t", 1, 1)
	b.sessions.slots = func() int32 { return 0 }
	r := b.ask(fetchRequest(12, "t", map[int32]int64{0: 0}, inSession(0, 0))).(*kmsg.FetchResponse)
	if r.ErrorCode != 0 || r.SessionID != 0 || answered(t, r) != "0:0" {
		t.Errorf("%+v", r)
	}
}

// A round looks at what changed, at what is asked, and at what it was not done with; and once in a while at all.
func TestRoundsOfASessionLookAtWhatChanged(t *testing.T) {
	start := time.Now()
	s := newFetchSession(false, false, start)
	put := func(i int32) *sessionPartition { return s.put(partitionKey{index: i}, wanted{}, consumerReplicaID) }
	round := func(first bool, now time.Time) (out []int32) {
		s.take(first, now, func(p *sessionPartition) {
			if !slices.Contains(out, p.key.index) {
				out = append(out, p.key.index)
			}
		})
		return out
	}
	want := func(what string, got []int32, want ...int32) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	var all []*sessionPartition
	for i := range int32(4) {
		all = append(all, put(i))
	}
	want("new", round(true, start), 0, 1, 2, 3)
	s.looked(all[0], true, false)
	s.looked(all[1], false, true)
	s.looked(all[2], false, false)
	s.looked(all[3], true, false)
	put(3)
	put(1)
	want("while it waits", round(false, start), 2, 1)
	s.looked(all[2], false, false)
	s.looked(all[1], false, true)
	want("those that gave are last", round(true, start), 2, 0, 3)
	for _, p := range all {
		s.looked(p, false, true)
	}
	want("nothing", round(true, start))
	s.remove(partitionKey{index: 2})
	s.remove(partitionKey{index: 9})
	put(0)
	s.remove(partitionKey{index: 0})
	got := round(true, start.Add(lookAtAll))
	slices.Sort(got)
	want("all", got, 1, 3)
	want("and not again", round(true, start.Add(lookAtAll)))
}
