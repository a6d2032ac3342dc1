package storage

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// fillForCleaning writes about a number of bytes of records, each key about as often as told, in batches of 16 KiB.
func fillForCleaning(tb testing.TB, l *Log, bytes int64, valueSize, repeats int, codec record.Codec) {
	tb.Helper()
	value := strings.Repeat("v", valueSize)
	count := int(bytes) / (valueSize + 25)
	keys := max(count/repeats, 1)
	perBatch := max(16<<10/(valueSize+25), 1)
	list := make([]pair, perBatch)
	for i := 0; i < count; i += perBatch {
		for j := range list {
			list[j] = pair{fmt.Sprintf("key-%09d", (i+j)*7919%keys), value}
		}
		mustAppend(tb, l, pairs(tb, record.BatchOptions{Codec: codec, Level: record.DefaultLevel(codec)}, int64(i), list...))
	}
	rollNow(tb, l)
}

// BenchmarkClean cleans logs in memory with one thread; MB/s are of the log, which is read twice.
func BenchmarkClean(b *testing.B) {
	for _, test := range []struct {
		name                   string
		valueSize, repeats     int
		codec                  record.Codec
		cleanBefore, bufferMiB int
	}{
		{"values=1000,each=2", 1000, 2, record.None, 0, 128},
		{"values=1000,each=1", 1000, 1, record.None, 0, 128},
		{"values=100,each=10", 100, 10, record.None, 0, 128},
		{"values=100,each=1", 100, 1, record.None, 0, 128},
		{"values=1000,each=2,lz4", 1000, 2, record.LZ4, 0, 128},
		{"values=1000,each=2,zstd", 1000, 2, record.Zstd, 0, 128},
	} {
		b.Run(test.name, func(b *testing.B) {
			c := compactConfig().with(func(c *Config) {
				c.SegmentBytes, c.IndexIntervalBytes, c.FileDeleteDelay = 64<<20, 4096, 0
			})
			for range b.N {
				b.StopTimer()
				o := compactOptions(vfs.OS{}, c, benchDir(b))
				settings := testSettings()
				settings.DedupeBufferSize, settings.IOBufferSize = int64(test.bufferMiB)<<20, 512<<10
				o.Cleaner = func() CleanerSettings { return settings }
				m, l := openLog(b, o)
				fillForCleaning(b, l, 192<<20, test.valueSize, test.repeats, test.codec)
				b.SetBytes(l.Size())
				runtime.GC()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				b.StartTimer()
				done := mustCleanAt(b, l, m, time.Now())
				b.StopTimer()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/(1<<20), "alloc-MiB")
				b.ReportMetric(float64(done.bytesWritten)/float64(max(done.bytesRead, 1)), "kept")
				mustClose(b, m)
			}
		})
	}
}

// BenchmarkAppendWhileCleaning shows what a cleaning on another thread costs those who append.
func BenchmarkAppendWhileCleaning(b *testing.B) {
	for _, cleaning := range []bool{false, true} {
		b.Run(fmt.Sprintf("cleaning=%t", cleaning), func(b *testing.B) {
			c := compactConfig().with(func(c *Config) {
				c.SegmentBytes, c.IndexIntervalBytes, c.FileDeleteDelay = 16<<20, 4096, 0
			})
			m, l := openLog(b, compactOptions(vfs.OS{}, c, benchDir(b)))
			defer m.Close()
			fillForCleaning(b, l, 64<<20, 1000, 2, record.None)
			stop := make(chan struct{})
			var running sync.WaitGroup
			if cleaning {
				running.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
							mustCleanAt(b, l, m, time.Now())
							items, _ := m.trash.due(time.Now().Add(time.Hour))
							for _, item := range items {
								_ = item.remove()
							}
						}
					}
				})
			}
			batch := pairs(b, record.BatchOptions{}, 1, pair{"k", strings.Repeat("v", 1000)})
			took := make([]time.Duration, 0, b.N)
			b.ResetTimer()
			for range b.N {
				began := time.Now()
				if _, err := appendAs(l, batch, 0, FromClient); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
				l.SetHighWatermark(l.LogEndOffset())
			}
			b.StopTimer()
			close(stop)
			running.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
			b.ReportMetric(float64(took[len(took)*9999/10000].Microseconds()), "p99.99-us")
		})
	}
}
