package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// While a log is cleaned again and again, readers see every newest record and rising offsets, and appends, truncation,
// retention and searching go on.
func TestCleaningDisturbsNobody(t *testing.T) {
	c := compactConfig().with(func(c *Config) { c.FileDeleteDelay, c.SegmentBytes, c.MinCleanableRatio = 0, 4000, 0.01 })
	dir := benchDir(t)
	o := compactOptions(vfs.OS{}, c, dir)
	settings := testSettings()
	settings.Backoff, settings.Threads = time.Millisecond, 2
	o.Cleaner = func() CleanerSettings { return settings }
	o.RetentionInterval, o.MaxOpenFiles = 3*time.Millisecond, 3
	m, l := openLog(t, o)
	// The keys below are written once, so each must be found by every reader from the start.
	const once = 50
	for i := range once {
		mustAppend(t, l, pairs(t, record.BatchOptions{}, int64(i), pair{fmt.Sprintf("once-%d", i), "v"}, pair{"often", "v"}))
	}
	l.SetHighWatermark(l.LogEndOffset())
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	for range 3 {
		running.Go(func() {
			for ctx.Err() == nil {
				readConsistently(t, l, once)
			}
		})
	}
	running.Go(func() {
		for ctx.Err() == nil {
			if _, found, err := l.OffsetForTimestamp(20); !found || err != nil {
				t.Errorf("search by time: %t %v", found, err)
			}
			if _, err := l.AbortedIn(0, math.MaxInt64); err != nil {
				t.Error(err)
			}
		}
	})
	for i := 0; i < 4000 && !t.Failed(); i++ {
		mustAppend(t, l, pairs(t, record.BatchOptions{}, 1000, pair{"often", strings.Repeat("v", i%100)}, pair{fmt.Sprintf("k%d", i%9), "v"}))
		l.SetHighWatermark(max(l.HighWatermark(), l.LogEndOffset()-10))
		if i%500 == 499 {
			if err := l.TruncateTo(l.HighWatermark()); err != nil {
				t.Fatal(err)
			}
		}
	}
	cleanings := m.CleanerStats().Cleanings
	for deadline := time.Now().Add(10 * time.Second); cleanings < 5 && time.Now().Before(deadline); cleanings = m.CleanerStats().Cleanings {
		mustAppend(t, l, pairs(t, record.BatchOptions{}, 1000, pair{"often", "v"}))
		l.SetHighWatermark(l.LogEndOffset())
	}
	cancel()
	running.Wait()
	if stats := m.CleanerStats(); stats.Cleanings < 5 || stats.Uncleanable[dir] > 0 {
		t.Errorf("stats %+v", stats)
	}
	mustClose(t, m)
}

// readConsistently reads the log from start to end as a consumer would.
func readConsistently(t *testing.T, l *Log, once int) {
	found, offset := 0, int64(0)
	for upTo := l.HighWatermark(); offset < upTo; {
		s, err := l.Read(offset, upTo, 3000, true)
		if err != nil {
			t.Errorf("read at %d: %v", offset, err)
			return
		}
		p := make([]byte, s.Size)
		if len(p) > 0 {
			_, err = s.ReadAt(p, 0)
		}
		s.Release()
		if err != nil {
			t.Errorf("read at %d: %v", offset, err)
			return
		}
		if len(p) == 0 {
			break
		}
		for len(p) > 0 {
			b, rest, err := record.Parse(p)
			if err != nil {
				break // cut short
			}
			if !b.ValidCRC() || b.LastOffset() < offset {
				t.Errorf("batch at %d read at %d, checksum holds: %t", b.BaseOffset(), offset, b.ValidCRC())
				return
			}
			for _, k := range recordsOf(t, b) {
				if strings.HasPrefix(k.key, "once-") {
					found++
				}
			}
			offset, p = b.NextOffset(), rest
		}
	}
	if found != once {
		t.Errorf("%d of %d keys", found, once)
	}
}

func TestCuttingAndDeletingEndACleaning(t *testing.T) {
	for name, cut := range map[string]func(m *Manager, l *Log) error{
		"truncate": func(_ *Manager, l *Log) error { return l.TruncateTo(3) },
		"fully":    func(_ *Manager, l *Log) error { return l.TruncateFullyAndStartAt(9) },
		"delete":   func(m *Manager, _ *Log) error { return m.Delete(testTP) },
	} {
		t.Run(name, func(t *testing.T) {
			settings := testSettings()
			settings.MaxBytesPerSecond = 1 // so that it takes for ever
			mem := vfs.NewMem()
			o := compactOptions(mem, compactConfig(), "/data")
			o.Cleaner = func() CleanerSettings { return settings }
			m, l := openLog(t, o)
			for range 100 {
				mustAppend(t, l, pairs(t, record.BatchOptions{}, 1, pair{"a", strings.Repeat("v", 100)}))
			}
			rollNow(t, l)
			ended := make(chan error)
			go func() {
				_, err := cleanAt(l, m, time.Now())
				ended <- err
			}()
			for !l.cleaning.busy() {
				runtime.Gosched()
			}
			if err := cut(m, l); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, errCleaningAborted) {
				t.Errorf("cleaning ended with %v", err)
			}
			if name == "truncate" {
				if l.LogEndOffset() != 3 || l.cleaning.busy() {
					t.Errorf("log ends at %d, busy %t", l.LogEndOffset(), l.cleaning.busy())
				}
			}
			mustClose(t, m)
		})
	}
}
