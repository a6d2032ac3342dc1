package broker

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/metadata"
)

func newStore(t *testing.T) *config.Store {
	t.Helper()
	s, _, err := config.NewStore(map[string]config.Setting{
		"broker.id": {Value: "1"}, "zookeeper.connect": {Value: "127.0.0.1:1"}, "log.dirs": {Value: "/logs"},
		"group.consumer.assignors": {Value: "range"}, "group.consumer.max.size": {Value: "9"},
		"group.consumer.migration.policy": {Value: "upgrade"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAGroupsOwnSettingsComeFirst(t *testing.T) {
	s := newGroupSettings(newStore(t))
	all := s.of("a")
	if all.SessionTimeout != 45*time.Second || all.HeartbeatInterval != 5*time.Second || all.MaxSize != 9 || !all.Upgrade || all.Downgrade ||
		len(all.Assignors) != 1 || all.Assignors[0].Name() != "range" {
		t.Errorf("%+v", all)
	}
	if s.of("a") != all || s.of("b") != all {
		t.Error("settings that did not change are made anew")
	}
	s.set("a", map[string]string{"consumer.session.timeout.ms": "50000"})
	own := s.of("a")
	if own.SessionTimeout != 50*time.Second || own.HeartbeatInterval != 5*time.Second || s.of("a") != own || s.of("b").SessionTimeout != 45*time.Second {
		t.Errorf("%+v", own)
	}
	s.set("a", nil)
	if got := s.of("a").SessionTimeout; got != 45*time.Second {
		t.Errorf("%v after they were taken away", got)
	}
	s.setAll(map[string]map[string]string{"b": {"consumer.heartbeat.interval.ms": "6000"}})
	if s.of("b").HeartbeatInterval != 6*time.Second || s.of("a").HeartbeatInterval != 5*time.Second {
		t.Errorf("%+v, %+v", s.of("a"), s.of("b"))
	}
}

// Such settings cannot change while a broker of Kafka 3.9 runs; what is made of them must not depend on that.
func TestSettingsFollowTheBrokers(t *testing.T) {
	store := newStore(t)
	s := newGroupSettings(store)
	before := s.of("a")
	if _, err := store.SetDynamic(map[string]string{"message.max.bytes": "2000000"}, nil); err != nil {
		t.Fatal(err)
	}
	if after := s.of("a"); after == before || after.SessionTimeout != before.SessionTimeout {
		t.Errorf("%+v", after)
	}
}

func TestTheTopicsStayTheSameUntilTheyMove(t *testing.T) {
	rack := "r1"
	v := &topicsView{cache: metadata.NewCache("c")}
	apply := func(leader int32, partitions ...int32) {
		u := metadata.Update{Brokers: []metadata.Broker{{ID: 1, Rack: &rack}, {ID: 2}}}
		topic := metadata.Topic{Name: "t", ID: [16]byte{1}}
		for _, p := range partitions {
			topic.Partitions = append(topic.Partitions, metadata.Partition{Index: p, Leader: leader, Replicas: []int32{1, 2}})
		}
		u.Topics = []metadata.Topic{topic}
		v.cache.Apply(u)
	}
	if !v.moved() || v.moved() {
		t.Error("the first look is news, the second is not")
	}
	apply(1, 0)
	first := v.image()
	if !v.moved() {
		t.Error("a topic came unnoticed")
	}
	apply(2, 0)
	if v.moved() || v.image() != first {
		t.Error("another leader is no other topic")
	}
	topic, ok := first.TopicByName("t")
	if !ok || topic.Partitions != 1 || len(topic.Racks) != 1 || len(topic.Racks[0]) != 1 {
		t.Errorf("%+v", topic)
	}
	if name, ok := first.Name([16]byte{1}); !ok || name != "t" || !slices.Equal(first.Names(), []string{"t"}) {
		t.Errorf("name %q of %q", name, first.Names())
	}
	apply(2, 1)
	if second := v.image(); !v.moved() || second.Version() == first.Version() {
		t.Error("a partition came unnoticed")
	} else if topic, _ := second.Topic([16]byte{1}); topic.Partitions != 2 {
		t.Errorf("%+v", topic)
	}
	if _, ok := v.image().Topic([16]byte{9}); ok {
		t.Error("a topic that is not there was found")
	}
}

func TestRandomIDs(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	short := regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{21}$`)
	for range 200 {
		if id := randomUUID(); !uuid.MatchString(id) {
			t.Fatal(id)
		}
		if id := randomShortID(); !short.MatchString(id) {
			t.Fatal(id)
		}
	}
}

func TestGroupsAreConfigured(t *testing.T) {
	static := map[string]config.Setting{"broker.id": {Value: "1"}, "zookeeper.connect": {Value: "z:1"}}
	for key, value := range map[string]string{
		"group.min.session.timeout.ms": "1000", "group.max.session.timeout.ms": "2000", "group.initial.rebalance.delay.ms": "3000",
		"group.max.size": "4", "offset.metadata.max.bytes": "5", "offsets.retention.minutes": "6", "offsets.commit.timeout.ms": "7000",
		"offsets.retention.check.interval.ms": "8000", "group.coordinator.rebalance.protocols": "classic",
	} {
		static[key] = config.Setting{Value: value}
	}
	s, _, err := config.NewStore(static)
	if err != nil {
		t.Fatal(err)
	}
	c := groupConfig(s.Broker())
	if k := c.Classic; k.MinSessionTimeout != time.Second || k.MaxSessionTimeout != 2*time.Second ||
		k.InitialRebalanceDelay != 3*time.Second || k.MaxSize != 4 {
		t.Errorf("classic groups: %+v", k)
	}
	if c.Offsets.MetadataMaxBytes != 5 || c.Offsets.Retention != 6*time.Minute || c.CommitTimeout != 7*time.Second ||
		c.RetentionCheck != 8*time.Second || c.ConsumerProtocol {
		t.Errorf("groups: %+v", c)
	}
}
