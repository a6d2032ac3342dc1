package consumer

import (
	"slices"
	"testing"

	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// TestPartitionsOfOtherWritersAreSorted: Kafka writes sets in any order, and before 4.3 without epochs.
func TestPartitionsOfOtherWritersAreSorted(t *testing.T) {
	topic := [16]byte{7}
	for _, c := range []struct {
		name               string
		partitions, epochs []int32
		want, wantEpochs   []int32
	}{
		{"sorted", []int32{0, 2}, []int32{3, 4}, []int32{0, 2}, []int32{3, 4}},
		{"any order", []int32{2, 0, 1}, []int32{4, 3, 5}, []int32{0, 1, 2}, []int32{3, 5, 4}},
		{"twice", []int32{1, 1}, []int32{4, 4}, []int32{1}, []int32{4}},
		{"without epochs", []int32{2, 0}, nil, []int32{0, 2}, []int32{9, 9}},
		{"with too few epochs", []int32{0, 2}, []int32{1}, []int32{0, 2}, []int32{9, 9}},
	} {
		g := New("g", newWorld(t).config)
		g.Replay(g.currentKey("a"), &journal.ConsumerGroupCurrentMemberAssignmentValue{
			MemberEpoch:        9,
			AssignedPartitions: []journal.ConsumerTopicPartitions{{TopicID: topic, Partitions: c.partitions, AssignmentEpochs: c.epochs}},
		})
		if h := g.members["a"].assigned[topic]; !slices.Equal(h.partitions, c.want) || !slices.Equal(h.epochs, c.wantEpochs) {
			t.Errorf("%s: partitions %v epochs %v", c.name, h.partitions, h.epochs)
		}
		g.Replay(g.targetKey("a"), &journal.ConsumerGroupTargetAssignmentMemberValue{
			TopicPartitions: []journal.ConsumerTopicPartitions{{TopicID: topic, Partitions: c.partitions}},
		})
		if !g.targets["a"].Equal(assign.Partitions{topic: c.want}) {
			t.Errorf("%s: target %v", c.name, g.targets["a"])
		}
	}
}

// TestAMemberOfAnUnknownStateBeginsAnew: a later version may have stored a state that this one cannot continue from.
func TestAMemberOfAnUnknownStateBeginsAnew(t *testing.T) {
	w := newWorld(t)
	w.setTopic("foo", 1)
	c := &client{id: "a", topics: []string{"foo"}, full: true}
	w.turn(func(x *journal.Turn) { w.g.Heartbeat(x, w.image, c.request(), c.hear) })
	m := w.g.members["a"].clone()
	m.state = 77
	w.turn(func(x *journal.Turn) { w.g.store(x, []change{currentSet{m}}, nil, nil) })
	c.settle()
	var codes []string
	for range 2 {
		w.turn(func(x *journal.Turn) {
			w.g.Heartbeat(x, w.image, c.request(), func(r HeartbeatResponse) {
				if r.Err != nil {
					codes = append(codes, r.Err.Message)
				}
				c.hear(r)
			})
		})
	}
	if !slices.Equal(codes, []string{"FENCED_MEMBER_EPOCH"}) || w.g.State() != "Stable" {
		t.Errorf("answers %v, state %s", codes, w.g.State())
	}
}
