package assign

import (
	"fmt"
	"slices"
	"testing"
)

// crowd is a group of members that all subscribe to topics, or each to all but one of them.
func crowd(members, topics, partitions int, homogeneous bool) (Group, testTopics) {
	found := testTopics{}
	same := map[[16]byte]struct{}{}
	for i := range topics {
		id := topicID(i)
		found[id] = Topic{ID: id, Partitions: int32(partitions)}
		same[id] = struct{}{}
	}
	g := Group{Homogeneous: homogeneous}
	for i := range members {
		subscribed := same
		if !homogeneous {
			subscribed = map[[16]byte]struct{}{}
			for id := range same {
				if id != topicID(i%topics) {
					subscribed[id] = struct{}{}
				}
			}
		}
		g.Members = append(g.Members, Member{ID: fmt.Sprintf("member-%05d", i), Subscribed: subscribed})
	}
	return g, found
}

func BenchmarkAssign(b *testing.B) {
	for _, size := range []struct{ members, topics, partitions int }{{1000, 1, 1000}, {1000, 10, 100}, {1000, 1, 10000}, {1000, 100, 100}} {
		for _, a := range []Assignor{Range(), Uniform()} {
			for _, homogeneous := range []bool{true, false} {
				if !homogeneous && size.topics == 1 {
					continue // all but one would be none
				}
				name := fmt.Sprintf("%s/homogeneous=%v/%d-members-%dx%d", a.Name(), homogeneous, size.members, size.topics, size.partitions)
				g, topics := crowd(size.members, size.topics, size.partitions, homogeneous)
				before, err := a.Assign(Group{Members: g.Members[1:], Homogeneous: homogeneous}, topics)
				if err != nil {
					b.Fatal(err)
				}
				run := func(step string, g Group) {
					b.Run(name+"/"+step, func(b *testing.B) {
						b.ReportAllocs()
						for b.Loop() {
							if _, err := a.Assign(g, topics); err != nil {
								b.Fatal(err)
							}
						}
					})
				}
				run("first", g)
				joined := retain(g, before)
				run("joins", joined)
				after, _ := a.Assign(joined, topics)
				left := retain(g, after)
				left.Members = slices.Delete(left.Members, 500, 501)
				run("leaves", left)
			}
		}
	}
}
