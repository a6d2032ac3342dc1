package storage

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kbroker/kbroker/storage/vfs"
)

// running runs a manager's background work in a synctest bubble.
func running(t *testing.T, m *Manager) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	return func() { cancel(); <-done }
}

func TestRetentionBySizeTimeAndStart(t *testing.T) {
	hour := time.Hour.Milliseconds()
	for name, test := range map[string]struct {
		change    func(*Config)
		high      int64
		start     int64 // advanced to before
		wantStart int64
		wantBase  int64
	}{
		"nothing":                       {func(*Config) {}, 12, 0, 0, 0},
		"time":                          {func(c *Config) { c.RetentionAge = 5 * time.Hour }, 12, 0, 6, 6},
		"time, all":                     {func(c *Config) { c.RetentionAge = 0 }, 12, 0, 12, 12},
		"size":                          {func(c *Config) { c.RetentionBytes = 600 }, 12, 0, 6, 6},
		"size, not quite a segment":     {func(c *Config) { c.RetentionBytes = 901 }, 12, 0, 0, 0},
		"not above the high watermark":  {func(c *Config) { c.RetentionBytes = 0 }, 5, 0, 3, 3},
		"start offset":                  {func(*Config) {}, 12, 7, 7, 6},
		"start offset at a base":        {func(*Config) {}, 12, 6, 6, 6},
		"compacted, by start only":      {func(c *Config) { c.Delete, c.Compact, c.RetentionBytes, c.RetentionAge = false, true, 0, 0 }, 12, 4, 4, 3},
		"compacted and deleted, by age": {func(c *Config) { c.Compact, c.RetentionAge = true, 5*time.Hour }, 12, 0, 6, 6},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := testConfig().with(func(c *Config) { c.SegmentBytes = 310 })
				mem := vfs.NewMem()
				o := testOptions(mem, c, "/data")
				o.RetentionInterval = time.Minute
				m, l := openLog(t, o)
				now := time.Now().UnixMilli()
				for i := range int64(12) { // the oldest is twelve hours old
					b := plain(t, now-(12-i)*hour, strings.Repeat("v", 29))
					if len(b) != 100 {
						t.Fatalf("batch of %d bytes", len(b))
					}
					mustAppend(t, l, b)
				}
				l.SetHighWatermark(test.high)
				if err := l.AdvanceLogStart(test.start); err != nil {
					t.Fatal(err)
				}
				l.SetConfig(c.with(test.change))
				stop := running(t, m)
				time.Sleep(90 * time.Second)
				synctest.Wait()
				if l.LogStartOffset() != test.wantStart || segmentBases(l)[0] != test.wantBase || l.LogEndOffset() != 12 {
					t.Errorf("start %d, segments %v", l.LogStartOffset(), segmentBases(l))
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				stop()
				mustClose(t, m)
				entries, err := mem.ReadDir("/data/topic-0")
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range entries {
					if offset, _, ok := parseSegmentName(e.Name()); ok && offset < test.wantBase {
						t.Errorf("%s is still there", e.Name())
					}
				}
			})
		})
	}
}

func TestRolledSegmentsAndOldRecordsAreFlushedInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testConfig().with(func(c *Config) { c.SegmentBytes, c.FlushInterval = 310, 10*time.Minute })
		mem := vfs.NewMem()
		o := testOptions(mem, c, "/data")
		o.FlushInterval, o.CheckpointInterval = time.Second, time.Minute
		m, l := openLog(t, o)
		stop := running(t, m)
		synctest.Wait()
		for i := range int64(7) {
			mustAppend(t, l, plain(t, i, strings.Repeat("v", 29)))
		}
		synctest.Wait()
		if got := l.RecoveryPoint(); got != 6 {
			t.Errorf("recovery point %d after rolling", got)
		}
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if got := l.RecoveryPoint(); got != 7 {
			t.Errorf("recovery point %d after flush.ms", got)
		}
		// The checkpoint lags at most by the active segment.
		if err := m.dirs[0].recoveryPoints.load(); err != nil {
			t.Fatal(err)
		}
		if point, found := m.dirs[0].recoveryPoints.get(testTP); !found || point != 6 {
			t.Errorf("checkpointed recovery point %d %v", point, found)
		}
		stop()
		mustClose(t, m)
	})
}

func TestMetadataOfNewLogsIsWrittenInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		m, _ := openLog(t, testOptions(mem, testConfig(), "/data"))
		stop := running(t, m)
		synctest.Wait()
		clone := mem.CrashClone(5)
		if id, err := readPartitionMeta(clone, "/data/topic-0"); err != nil || id != [16]byte{1} {
			t.Errorf("got %v %v", id, err)
		}
		stop()
		mustClose(t, m)
	})
}

// slowSyncs makes syncs of segments take a while and counts them.
type slowSyncs struct{ count atomic.Int64 }

func (s *slowSyncs) inject(op vfs.Op, path string) error {
	if op == vfs.OpSync && strings.HasSuffix(path, logSuffix) {
		s.count.Add(1)
		time.Sleep(5 * time.Millisecond) // of a bubble
	}
	return nil
}

func TestManyAppendsShareASync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var syncs slowSyncs
		mem := vfs.NewMem()
		c := testConfig().with(func(c *Config) { c.FlushMessages = 1 })
		m, l := openLog(t, testOptions(vfs.NewFault(mem, syncs.inject), c, "/data"))
		const writers, each = 20, 10
		var running sync.WaitGroup
		for w := range writers {
			running.Go(func() {
				for i := range each {
					a, err := appendAs(l, produced(t, int64(w), 0, int32(i), false, 1), 0, FromClient)
					if err != nil || l.RecoveryPoint() <= a.LastOffset {
						t.Errorf("acknowledged %d, recovery point %d, %v", a.LastOffset, l.RecoveryPoint(), err)
						return
					}
				}
			})
		}
		running.Wait()
		if n := syncs.count.Load(); n > 3*each {
			t.Errorf("%d syncs for %d appends", n, writers*each)
		}
		mustClose(t, m)
	})
}

func TestAppendsDoNotWaitForASync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var syncs slowSyncs
		m, l := openLog(t, testOptions(vfs.NewFault(vfs.NewMem(), syncs.inject), testConfig(), "/data"))
		mustAppend(t, l, plain(t, 1, "v"))
		var flushing sync.WaitGroup
		flushing.Go(func() {
			if err := l.Flush(); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait() // it sleeps in the sync
		start := time.Now()
		mustAppend(t, l, plain(t, 2, "v"))
		if took := time.Since(start); took > 0 {
			t.Errorf("the append took %v", took)
		}
		flushing.Wait()
		if l.RecoveryPoint() != 1 {
			t.Errorf("recovery point %d", l.RecoveryPoint())
		}
		mustClose(t, m)
	})
}

// Readers, writers, retention, truncation, flushes and a changing high watermark all at
// once; every byte that is read must be of a whole batch that was written.
func TestReadersSeeWholeBatchesWhateverElseGoesOn(t *testing.T) {
	c := testConfig().with(func(c *Config) {
		c.SegmentBytes, c.IndexIntervalBytes, c.RetentionBytes, c.FileDeleteDelay = 5000, 300, 20000, 0
	})
	o := testOptions(vfs.OS{}, c, t.TempDir())
	o.MaxOpenFiles, o.RetentionInterval = 3, time.Millisecond
	m, l := openLog(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	deadline := time.Now().Add(700 * time.Millisecond)
	batches := make([][]byte, 8)
	for i := range batches {
		batches[i] = plain(t, int64(i), strings.Repeat(string(rune('a'+i)), 50+i*20))
	}
	running.Go(func() {
		defer cancel()
		for i := 0; time.Now().Before(deadline); i++ {
			if _, err := appendAs(l, bytes.Clone(batches[i%len(batches)]), 0, FromClient); err != nil {
				t.Error(err)
				return
			}
			l.SetHighWatermark(l.LogEndOffset() - int64(i%5))
			if i%500 == 499 {
				if err := errors.Join(l.TruncateTo(l.LogEndOffset()-3), l.Flush()); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for g := range uint64(3) {
		running.Go(func() {
			r := rand.New(rand.NewPCG(g, g))
			for ctx.Err() == nil {
				readSomewhere(t, l, r)
			}
		})
	}
	running.Wait()
	mustClose(t, m)
}

func readSomewhere(t *testing.T, l *Log, r *rand.Rand) {
	start, high := l.LogStartOffset(), l.HighWatermark()
	if high <= start {
		return
	}
	offset := start + r.Int64N(high-start)
	s, err := l.Read(offset, high, 3000, true)
	if errors.Is(err, ErrOffsetOutOfRange) {
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	defer s.Release()
	p := make([]byte, s.Size)
	if n, err := s.ReadAt(p, 0); int64(n) != s.Size {
		if l.LogEndOffset() > high+10 { // not cut by a truncation just now
			t.Errorf("read %d of %d bytes: %v", n, s.Size, err)
		}
		return
	}
	first, err := parseFetched(p)
	switch {
	case len(p) == 0 || errors.Is(err, errBadCRC): // cut by a truncation and overwritten while it was read
	case err != nil:
		t.Errorf("at %d: %v", offset, err)
	case first.last < offset || first.base > offset && first.base != offset:
		t.Errorf("asked for %d, got [%d, %d]", offset, first.base, first.last)
	}
	if _, err := l.AbortedIn(offset, high); err != nil {
		t.Error(err)
	}
	if _, _, err := l.OffsetForTimestamp(r.Int64N(10)); err != nil {
		t.Error(err)
	}
}

func TestCheckpointFilesAreReadStrictly(t *testing.T) {
	good := map[TopicPartition]int64{{"a", 0}: 1, {"a", 10}: 2, {"b-c", 3}: 1 << 40}
	if got, err := parseOffsets(formatOffsets(good)); err != nil || len(got) != 3 || got[TopicPartition{"b-c", 3}] != 1<<40 {
		t.Errorf("got %v %v", got, err)
	}
	if want := "0\n3\na 0 1\na 10 2\nb-c 3 1099511627776\n"; string(formatOffsets(good)) != want {
		t.Errorf("wrote %q", formatOffsets(good))
	}
	if got, err := parseOffsets(nil); err != nil || len(got) != 0 { // as Kafka makes it before it has something to write
		t.Errorf("empty: got %v %v", got, err)
	}
	for _, bad := range []string{"\n", "0", "1\n0\n", "0\n-1\n", "0\n2\na 0 1\n", "0\n1\na 0\n", "0\n1\na x 1\n", "0\n1\na 0 y\n", "0\n1\na 0 1\nb 0 1\n"} {
		if got, err := parseOffsets([]byte(bad)); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
	mem := vfs.NewMem()
	if err := mem.MkdirAll("/data"); err != nil {
		t.Fatal(err)
	}
	(&disk{t: t, mem: mem}).put("/data/"+highWatermarksName, []byte("0\n9\n"))
	if _, err := Open(testOptions(mem, testConfig(), "/data")); !errors.Is(err, ErrOffline) {
		t.Errorf("high watermarks that cannot be read: %v", err)
	}
}

func TestReadersOfADeletedPartitionDoNoHarm(t *testing.T) {
	c := testConfig().with(func(c *Config) { c.SegmentBytes, c.IndexIntervalBytes = 1000, 100 })
	o := testOptions(vfs.OS{}, c, t.TempDir())
	o.MaxOpenFiles = 1
	m, l := openLog(t, o)
	for range 20 {
		for i := range int64(40) {
			mustAppend(t, l, plain(t, i, strings.Repeat("v", 50)))
		}
		l.SetHighWatermark(40)
		var readers sync.WaitGroup
		for range 2 {
			readers.Go(func() {
				for i := range int64(1000) {
					s, err := l.Read(i%40, 40, 300, true)
					s.Release()
					if err == nil {
						_, _, err = l.OffsetForTimestamp(i % 40)
					}
					if errors.Is(err, ErrClosed) || errors.Is(err, ErrOffsetOutOfRange) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		if err := m.Delete(testTP); err != nil {
			t.Fatal(err)
		}
		readers.Wait()
		var err error
		if l, err = m.Create(testTP, [16]byte{1}, c); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, m)
}
