package storage

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// benchDir is a folder in memory where there is one.
func benchDir(b testing.TB) string {
	b.Helper()
	if _, err := os.Stat("/dev/shm"); err != nil {
		return b.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "storage")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func benchmarkAppend(b *testing.B, size int, producer *record.Producer) {
	c := testConfig().with(func(c *Config) { c.SegmentBytes, c.RetentionBytes, c.FileDeleteDelay = 256<<20, 256<<20, 0 })
	m, l := openLog(b, testOptions(vfs.OS{}, c, benchDir(b)))
	defer m.Close()
	batch := batchOf(b, record.BatchOptions{Producer: producer}, 1, strings.Repeat("v", size))
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if producer != nil {
			setSequence(batch, int32(i&0x7fffffff))
		}
		if _, err := appendAs(l, batch, 0, FromClient); err != nil {
			b.Fatal(err)
		}
		if i%4096 == 0 { // so that the disk does not fill up
			l.SetHighWatermark(l.LogEndOffset())
			b.StopTimer()
			if err := l.applyRetention(time.Now()); err != nil {
				b.Fatal(err)
			}
			items, _ := m.trash.due(time.Now().Add(time.Hour))
			for _, item := range items {
				item.remove()
			}
			b.StartTimer()
		}
	}
}

// setSequence patches a batch without renewing its checksum, which an append does not look at.
func setSequence(b record.Batch, sequence int32) {
	b[53], b[54], b[55], b[56] = byte(sequence>>24), byte(sequence>>16), byte(sequence>>8), byte(sequence)
}

func BenchmarkAppend1MiB(b *testing.B)  { benchmarkAppend(b, 1<<20, nil) }
func BenchmarkAppend16KiB(b *testing.B) { benchmarkAppend(b, 16<<10, nil) }
func BenchmarkAppend16KiBIdempotent(b *testing.B) {
	benchmarkAppend(b, 16<<10, &record.Producer{ID: 7})
}
func BenchmarkAppend100B(b *testing.B) { benchmarkAppend(b, 100, nil) }

// BenchmarkRead finds the batches for a fetch, without sending them.
func BenchmarkRead(b *testing.B) {
	m, l := openLog(b, testOptions(vfs.OS{}, testConfig().with(func(c *Config) { c.SegmentBytes = 16 << 20 }), benchDir(b)))
	defer m.Close()
	batch := plain(b, 1, strings.Repeat("v", 16<<10))
	for range 4000 {
		if _, err := appendAs(l, batch, 0, FromClient); err != nil {
			b.Fatal(err)
		}
	}
	end := l.SetHighWatermark(l.LogEndOffset())
	for name, at := range map[string]func(i int) int64{
		"tail":   func(i int) int64 { return end - 1 - int64(i%8) },
		"sealed": func(i int) int64 { return int64(i*37) % (end - 1100) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				s, err := l.Read(at(i), end, 1<<20, true)
				if err != nil || s.Size == 0 {
					b.Fatal(err, s)
				}
				s.Release()
			}
		})
	}
}

// BenchmarkTenThousand creates, opens and closes a directory of ten thousand empty partitions.
func BenchmarkTenThousand(b *testing.B) {
	const count = 10_000
	for b.Loop() {
		dir := benchDir(b)
		o := testOptions(vfs.OS{}, testConfig(), dir)
		m := mustOpen(b, o)
		start := time.Now()
		for i := range count {
			l, err := m.Create(TopicPartition{fmt.Sprintf("topic-%d", i/100), int32(i % 100)}, [16]byte{1}, testConfig())
			if err != nil {
				b.Fatal(err)
			}
			if err := l.AssignEpoch(0, 0); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(time.Since(start).Seconds(), "create-s")
		start = time.Now()
		mustClose(b, m)
		b.ReportMetric(time.Since(start).Seconds(), "close-s")

		before := residentMiB(b)
		start = time.Now()
		m = mustOpen(b, o)
		b.ReportMetric(time.Since(start).Seconds(), "open-s")
		b.ReportMetric(residentMiB(b)-before, "MiB")
		b.ReportMetric(float64(openDescriptors(b)), "fds")
		start = time.Now()
		mustClose(b, m)
		b.ReportMetric(time.Since(start).Seconds(), "close-untouched-s")
	}
}

// residentMiB is what the heap takes after collecting.
func residentMiB(b testing.TB) float64 {
	b.Helper()
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapInuse+s.StackInuse) / (1 << 20)
}

func openDescriptors(b testing.TB) int {
	b.Helper()
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(os.Getpid()) + "/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
