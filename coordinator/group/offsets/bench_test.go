package offsets

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// BenchmarkCommit is a commit from the request to the reply, of a group with a thousand partitions, without the log.
func BenchmarkCommit(b *testing.B) {
	for _, count := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			g := New("my-group")
			for i := range int32(1000) {
				g.Replay(int64(i), Partition{"my-topic", i}, &Offset{Offset: 1, ExpireTime: -1}, nil)
			}
			commits := make([]Commit, count)
			for i := range commits {
				commits[i].Partition = Partition{"my-topic", int32(500 + i)}
			}
			x := &journal.Turn{Now: time.UnixMilli(1)}
			b.ReportAllocs()
			for b.Loop() {
				for i := range commits {
					commits[i].Offset = Offset{7, 1, "", -1, -1}
				}
				g.Commit(x, storyConfig, commits, nil, func([]Commit) {})
				w := x.Writes[0]
				w.Applied(x)
				w.Done(x, nil)
				x.Writes = x.Writes[:0]
			}
		})
	}
}

// BenchmarkMemory tells what a stored offset takes, in a few large groups and in many small ones.
func BenchmarkMemory(b *testing.B) {
	for _, size := range []struct{ groups, topics, partitions int }{{1, 100, 10000}, {1000, 10, 100}, {100000, 1, 10}} {
		b.Run(fmt.Sprintf("%dx%dx%d", size.groups, size.topics, size.partitions), func(b *testing.B) {
			for b.Loop() {
				before := heap()
				groups := make([]*Group, size.groups)
				for i := range groups {
					groups[i] = New("my-group")
					for t := range size.topics {
						for p := range size.partitions {
							groups[i].Replay(0, Partition{fmt.Sprintf("my-topic-%d", t), int32(p)}, &Offset{Offset: 1, ExpireTime: -1}, nil)
						}
					}
				}
				b.ReportMetric(float64(heap()-before)/float64(size.groups*size.topics*size.partitions), "B/offset")
				runtime.KeepAlive(groups)
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
