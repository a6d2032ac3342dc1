package group

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
)

// image is the topics of a test, which are never changed but replaced.
type image struct {
	version uint64
	topics  map[string]assign.Topic
}

func topicID(name string) (id [16]byte) {
	copy(id[:], name)
	return id
}

func newImage(version uint64, partitions map[string]int32) *image {
	i := &image{version: version, topics: make(map[string]assign.Topic)}
	for name, n := range partitions {
		i.topics[name] = assign.Topic{ID: topicID(name), Partitions: n}
	}
	return i
}

func (i *image) Version() uint64 { return i.version }

func (i *image) Topic(id [16]byte) (assign.Topic, bool) {
	name, ok := i.Name(id)
	return i.topics[name], ok
}

func (i *image) TopicByName(name string) (assign.Topic, bool) {
	t, ok := i.topics[name]
	return t, ok
}

func (i *image) Name(id [16]byte) (string, bool) {
	for name, t := range i.topics {
		if t.ID == id {
			return name, true
		}
	}
	return "", false
}

func (i *image) Names() []string {
	var names []string
	for name := range i.topics {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// settings are what a test may change of Options' functions.
type settings struct {
	mu     sync.Mutex
	config Config
	image  *image
	ids    int
}

func newSettings() *settings {
	s := &settings{image: newImage(1, map[string]int32{"orders": 4, "payments": 3, "refunds": 1})}
	s.config = Config{
		Classic: classic.Config{
			MinSessionTimeout: 6 * time.Second, MaxSessionTimeout: 30 * time.Minute,
			InitialRebalanceDelay: 3 * time.Second, MaxSize: 100, NewID: s.newID,
		},
		Offsets:       offsets.Config{MetadataMaxBytes: 4096, Retention: 7 * 24 * time.Hour},
		CommitTimeout: 5 * time.Second, RetentionCheck: 10 * time.Minute, ConsumerProtocol: true,
	}
	return s
}

func (s *settings) newID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids++
	return strconv.Itoa(s.ids)
}

func (s *settings) setImage(i *image) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.image = i
}

func (s *settings) consumer(string) *consumer.Config {
	return &consumer.Config{
		SessionTimeout: 45 * time.Second, HeartbeatInterval: 5 * time.Second, MaxSize: 100,
		Assignors: []assign.Assignor{assign.Uniform(), assign.Range()},
		Upgrade:   true, Downgrade: true, RegexRefresh: time.Minute, NewID: s.newID,
	}
}

// newGroups makes a coordinator of one partition of __consumer_offsets that leads nothing yet. It is closed with the test.
func newGroups(t testing.TB, j *memoryJournal, s *settings, change ...func(*Options)) *Groups {
	t.Helper()
	o := Options{
		Journal:    j,
		Partitions: func() int32 { return 1 },
		Config: func() Config {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.config
		},
		Consumer: s.consumer,
		Image: func() consumer.Image {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.image
		},
		EndOffset: func(string, int32) (int64, bool) { return 0, false },
		Logger:    zap.NewNop(),
	}
	for _, f := range change {
		f(&o)
	}
	g := New(o)
	t.Cleanup(g.Close)
	return g
}

// lead makes the groups of partition 0 live here.
func lead(g *Groups, j *memoryJournal, epoch int32) {
	j.lead(0, epoch)
	g.LeadershipChanged(0, epoch, true)
}

// dump is what must be the same after a replay, as text.
type dump struct{ members, offsets string }

// dumpOf tells what is stored of a group; a group that nothing is stored of is like none. It must not run beside the actor.
// stored is false while the members are not what the log has: in a rebalance of the classic protocol.
func dumpOf(a *actor, partitions []offsets.Partition) (d dump, stored bool) {
	const nothing = "no members stored"
	d = dump{members: nothing}
	if a == nil || a.gone {
		return d, true
	}
	stored = true
	switch {
	case a.consumer != nil:
		d.members = consumerText(a.consumer.Describe())
	case a.classic.Generation() > 0:
		d.members = classicText(a.classic)
		fallthrough
	default:
		stored = a.classic.State() == classic.Empty || a.classic.State() == classic.Stable
	}
	for _, f := range a.offsets.Fetch(nil, false) {
		d.offsets += fmt.Sprintf("%+v\n", f)
	}
	for _, f := range a.offsets.Fetch(partitions, true) {
		if f.Err != nil {
			d.offsets += fmt.Sprintf("%v pending\n", f.Partition)
		}
	}
	return d, stored
}

func classicText(g *classic.Group) string {
	s := g.Snapshot()
	text := fmt.Sprintf("classic generation %d type %q protocol %q leader %q", s.Generation, s.ProtocolType, s.Protocol, s.Leader)
	if g.State() == classic.Empty {
		text += fmt.Sprintf(" since %d", g.EmptySince().UnixMilli())
	}
	for _, m := range s.Members {
		text += fmt.Sprintf("\n%s %q %v session %v rebalance %v metadata %q assignment %q",
			m.ID, deref(m.InstanceID), m.Client, m.SessionTimeout, m.RebalanceTimeout, m.Metadata, m.Assignment)
	}
	return text
}

func consumerText(d consumer.Description) string {
	text := fmt.Sprintf("consumer %s epoch %d assignment epoch %d assignor %q", d.State, d.Epoch, d.AssignmentEpoch, d.Assignor)
	for _, m := range d.Members {
		text += fmt.Sprintf("\n%s %q %q epoch %d %v topics %q regex %q has %v target %v classic %v",
			m.ID, deref(m.InstanceID), deref(m.Rack), m.Epoch, m.Client, m.Topics, m.TopicRegex, m.Assignment, m.Target, m.Classic)
	}
	return text
}

func deref(s *string) string {
	if s == nil {
		return "none"
	}
	return *s
}
