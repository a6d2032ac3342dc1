package replica

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/storage/vfs"
)

func TestATopicsOverridesReachItsLogs(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.overrides["t"] = map[string]string{"segment.bytes": "1048576"}
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	s := leading(0, []int32{1}, []int32{1})
	s.Partition = 1
	second := h.apply(s)
	if got := p.log.Config().SegmentBytes; got != 1<<20 {
		t.Errorf("segment.bytes %d", got)
	}
	h.SetTopicOverrides("t", map[string]string{"segment.bytes": "2097152", "max.message.bytes": "77"})
	h.SetTopicOverrides("other", map[string]string{"segment.bytes": "2097152"})
	for _, p := range []*Partition{p, second} {
		if got := p.log.Config().SegmentBytes; got != 2<<20 {
			t.Errorf("segment.bytes %d", got)
		}
		if got := p.TopicConfig().Rules.MaxMessageBytes; got != 77 {
			t.Errorf("max.message.bytes %d", got)
		}
	}
	if _, ok := h.topics["other"]; ok {
		t.Error("keeps a topic that it does not host")
	}
}

func TestADynamicBrokerChangeReachesEveryLog(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	plain := leading(0, []int32{1}, []int32{1})
	plain.Topic = "plain"
	h.overrides["t"] = map[string]string{"max.message.bytes": "77"}
	p, q := h.apply(leading(0, []int32{1}, []int32{1})), h.apply(plain)
	if _, err := h.store.SetDynamic(nil, map[string]string{"log.segment.bytes": "3145728"}); err != nil {
		t.Fatal(err)
	}
	h.BrokerConfigChanged()
	for _, p := range []*Partition{p, q} {
		if got := p.log.Config().SegmentBytes; got != 3<<20 {
			t.Errorf("%s: segment.bytes %d", p.Topic(), got)
		}
	}
	if got := p.TopicConfig().Rules.MaxMessageBytes; got != 77 {
		t.Errorf("max.message.bytes %d", got)
	}
}

// TestPartitionsOfATopicGoInAnyOrder: those that stay are found, and the topic goes with the last.
func TestPartitionsOfATopicGoInAnyOrder(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	const count = 7
	hosted := map[int32]*Partition{}
	for i := range int32(count) {
		s := leading(0, []int32{1}, []int32{1})
		s.Partition = i
		hosted[i] = h.apply(s)
	}
	for _, gone := range []int32{0, 6, 3, 1, 5, 4, 2} {
		if errs := h.Stop(t.Context(), []Stop{{Topic: "t", Partition: gone, LeaderEpoch: stopDuringTopic, Delete: true}}); errs[0] != nil {
			t.Fatal(errs[0])
		}
		delete(hosted, gone)
		listed := h.byTopic()
		if len(hosted) == 0 {
			if len(listed) > 0 {
				t.Errorf("lists %v after the last partition is gone", listed)
			}
			return
		}
		for topic, partitions := range listed {
			if len(partitions) != len(hosted) {
				t.Errorf("topic %s has %d partitions after %d is gone, want %d", topic.name, len(partitions), gone, len(hosted))
			}
			for _, p := range partitions {
				if hosted[p.index] != p {
					t.Errorf("lists partition %d after %d is gone", p.index, gone)
				}
			}
		}
	}
}

// TestAChangeToldWhileTheTopicIsReadWins: the notification is newer than what the reader found.
func TestAChangeToldWhileTheTopicIsReadWins(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.topicOverrides = func(_ context.Context, topic string) (map[string]string, error) {
		h.SetTopicOverrides(topic, map[string]string{"max.message.bytes": "2"})
		return map[string]string{"max.message.bytes": "1"}, nil
	}
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	if got := p.TopicConfig().Rules.MaxMessageBytes; got != 2 {
		t.Errorf("max.message.bytes %d", got)
	}
}

// TestWhileATopicIsReadTheControllerIsHeard: ZooKeeper may be away, and the controller not.
func TestWhileATopicIsReadTheControllerIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, vfs.NewMem())
		defer h.close()
		ctx, cancel := context.WithCancel(t.Context())
		h.topicOverrides = func(ctx context.Context, _ string) (map[string]string, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		applied := make(chan []error, 1)
		go func() { applied <- h.Apply(ctx, 9, 5, []State{leading(0, []int32{1}, []int32{1})}) }()
		synctest.Wait()
		if _, err := h.UpdateMetadata(5, -1, metadata.Update{ControllerID: 9}); err != nil || h.metadata.Load().ControllerID != 9 {
			t.Errorf("controller %d, %v", h.metadata.Load().ControllerID, err)
		}
		cancel()
		if errs := <-applied; !errors.Is(errs[0], context.Canceled) {
			t.Errorf("applied: %v", errs)
		}
		if len(h.topics) > 0 {
			t.Error("keeps a topic that it does not host")
		}
	})
}

func TestTopicsWithoutOverridesShareTheirConfiguration(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	a, b := leading(0, []int32{1}, []int32{1}), leading(0, []int32{1}, []int32{1})
	b.Topic = "u"
	if h.apply(a).TopicConfig() != h.apply(b).TopicConfig() {
		t.Error("two configurations")
	}
}

func TestMetricsFollowThePartitions(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1, 2}))
	s := following(0, 2)
	s.Topic = "u"
	h.apply(s)
	appendTo(t, p, 1)
	size := p.log.Size()
	r, err := p.Read(consumerFetch(0))
	if err != nil {
		t.Fatal(err)
	}
	r.Slice.Release()
	want := strings.ReplaceAll(`
# HELP kbroker_leader_partitions Partitions led by this broker.
# TYPE kbroker_leader_partitions gauge
kbroker_leader_partitions 1
# HELP kbroker_partitions Partitions hosted by this broker.
# TYPE kbroker_partitions gauge
kbroker_partitions 2
# HELP kbroker_topic_bytes_in_total Bytes appended by producers.
# TYPE kbroker_topic_bytes_in_total counter
kbroker_topic_bytes_in_total{topic="t"} SIZE
kbroker_topic_bytes_in_total{topic="u"} 0
# HELP kbroker_topic_bytes_out_total Bytes read for consumers.
# TYPE kbroker_topic_bytes_out_total counter
kbroker_topic_bytes_out_total{topic="t"} SIZE
kbroker_topic_bytes_out_total{topic="u"} 0
# HELP kbroker_topic_log_size_bytes Bytes in the logs of the topic's partitions on this broker.
# TYPE kbroker_topic_log_size_bytes gauge
kbroker_topic_log_size_bytes{topic="t"} SIZE
kbroker_topic_log_size_bytes{topic="u"} 0
# HELP kbroker_under_replicated_partitions Partitions led by this broker with fewer in-sync replicas than replicas.
# TYPE kbroker_under_replicated_partitions gauge
kbroker_under_replicated_partitions 1
`, "SIZE", strconv.FormatInt(size, 10))
	err = testutil.GatherAndCompare(h.registry, strings.NewReader(want), "kbroker_partitions", "kbroker_leader_partitions",
		"kbroker_under_replicated_partitions", "kbroker_topic_bytes_in_total", "kbroker_topic_bytes_out_total", "kbroker_topic_log_size_bytes")
	if err != nil {
		t.Error(err)
	}
	h.Stop(t.Context(), []Stop{{Topic: "t", LeaderEpoch: -2, Delete: true}, {Topic: "u", LeaderEpoch: -2, Delete: true}})
	if n, err := testutil.GatherAndCount(h.registry, "kbroker_topic_log_size_bytes", "kbroker_topic_bytes_in_total"); err != nil || n != 0 {
		t.Errorf("%d series of deleted topics, %v", n, err)
	}
}
