package placement

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Ongoing is a reassignment in progress.
type Ongoing struct {
	Partition
	Adding, Removing []int32 // of Replicas
}

// Throttle is what a throttled reassignment sets, as kafka-reassign-partitions does: rates at Brokers, and the replicas they hold
// for in the two configurations of each topic.
type Throttle struct {
	Brokers   []int32
	Leaders   map[string]string // leader.replication.throttled.replicas by topic
	Followers map[string]string // follower.replication.throttled.replicas by topic
}

// Throttles computes the throttle of a plan, given where its partitions are, and what is being reassigned already. Sources are the
// replicas a partition has, without those that are being added; what is added is throttled at the follower.
func Throttles(plan, current []Partition, ongoing []Ongoing) Throttle {
	type move struct{ sources, destinations []int32 }
	moves := map[string]map[int32]move{}
	put := func(topic string, partition int32, m move) {
		if moves[topic] == nil {
			moves[topic] = map[int32]move{}
		}
		moves[topic][partition] = m
	}
	for _, o := range ongoing {
		put(o.Topic, o.Partition.Partition, move{without(o.Replicas, o.Adding), o.Adding})
	}
	now := map[string][]int32{}
	for _, p := range current {
		now[p.Name()] = p.Replicas
	}
	for _, p := range plan {
		sources := now[p.Name()]
		if m, ok := moves[p.Topic][p.Partition]; ok {
			sources = m.sources
		}
		put(p.Topic, p.Partition, move{sources, without(p.Replicas, sources)})
	}

	t := Throttle{Leaders: map[string]string{}, Followers: map[string]string{}}
	involved := map[int32]bool{}
	for topic, partitions := range moves {
		var leaders, followers []string
		for partition, m := range partitions {
			for _, b := range m.sources {
				involved[b] = true
				leaders = append(leaders, fmt.Sprintf("%d:%d", partition, b))
			}
			for _, b := range m.destinations {
				involved[b] = true
				followers = append(followers, fmt.Sprintf("%d:%d", partition, b))
			}
		}
		slices.Sort(leaders)
		slices.Sort(followers)
		t.Leaders[topic], t.Followers[topic] = strings.Join(leaders, ","), strings.Join(followers, ",")
	}
	t.Brokers = slices.Sorted(maps.Keys(involved))
	return t
}

func without(list, gone []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(list), func(b int32) bool { return slices.Contains(gone, b) })
}
