package replica

import (
	"runtime"
	"testing"

	"github.com/kbroker/kbroker/storage/vfs"
)

// BenchmarkAppend is one batch of one record to a partition with one replica, in memory.
func BenchmarkAppend(b *testing.B) {
	h := newHost(b, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	checked := batch(b, 1, 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.AppendAsLeader(checked, -1, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppended is what an append costs beyond the log: high watermark and waiters.
func BenchmarkAppended(b *testing.B) {
	h := newHost(b, vfs.NewMem())
	p := h.apply(leading(0, []int32{1}, []int32{1}))
	b.ReportAllocs()
	for b.Loop() {
		p.appended()
	}
}

// BenchmarkApplyTenThousand makes 10,000 logs on the disk and leads them.
func BenchmarkApplyTenThousand(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		h := newHost(b, vfs.OS{}, b.TempDir())
		states := manyStates(10_000)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		h.Apply(b.Context(), 9, 0, states)
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/10_000, "bytes/partition")
		h.close()
		b.StartTimer()
	}
}
