package storage

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

func testSettings() CleanerSettings {
	return CleanerSettings{
		Threads: 1, DedupeBufferSize: 4 << 20, IOBufferSize: 64 << 10, LoadFactor: 0.9,
		MaxBytesPerSecond: math.MaxFloat64, Backoff: 15 * time.Second,
	}
}

// compactConfig is of a compacted topic with small segments, all of whose sealed segments are worth cleaning.
func compactConfig() *Config {
	return testConfig().with(func(c *Config) {
		c.Compact, c.Delete, c.SegmentBytes, c.IndexIntervalBytes = true, false, 2000, 300
		c.DeleteRetention, c.MaxCompactionLag = 24*time.Hour, math.MaxInt64
	})
}

func compactOptions(fsys vfs.FS, c *Config, dirs ...string) Options {
	o := testOptions(fsys, c, dirs...)
	o.Cleaner = testSettings
	return o
}

func compactLog(t testing.TB, c *Config) (*vfs.Mem, *Manager, *Log) {
	t.Helper()
	mem := vfs.NewMem()
	m, l := openLog(t, compactOptions(mem, c, "/data"))
	t.Cleanup(func() { m.Close() })
	return mem, m, l
}

// cleanAt cleans a log as a thread would at a moment, whether or not it is due.
func cleanAt(l *Log, m *Manager, now time.Time) (cleaned, error) {
	d, err := m.cleaner.dirtySection(l, l.Config(), now)
	if err != nil {
		return cleaned{}, err
	}
	ctx, ok := l.cleaning.begin(context.Background())
	if !ok {
		return cleaned{}, errCleaningAborted
	}
	defer l.cleaning.end()
	t := &cleanerThread{c: m.cleaner}
	return t.clean(ctx, &d, now)
}

func mustCleanAt(t testing.TB, l *Log, m *Manager, now time.Time) cleaned {
	t.Helper()
	done, err := cleanAt(l, m, now)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// rollNow seals the active segment and lets all be read, so that everything may be cleaned.
func rollNow(t testing.TB, l *Log) {
	t.Helper()
	l.mu.Lock()
	err := l.roll(l.end.Load())
	l.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	l.SetHighWatermark(l.LogEndOffset())
}

// pair is a record to write; a nil value is a tombstone.
type pair struct {
	key   string
	value any
}

func pairs(t testing.TB, o record.BatchOptions, timestamp int64, list ...pair) record.Batch {
	t.Helper()
	n := record.NewBuilder(o)
	for _, p := range list {
		var key, value []byte
		if p.key != "" {
			key = []byte(p.key)
		}
		if v, ok := p.value.(string); ok {
			value = []byte(v)
		}
		n.Append(timestamp, key, value, record.RecordHeader{Key: "h", Value: key})
	}
	b, err := n.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// kept is a record that was read back.
type kept struct {
	offset, timestamp int64
	key, value        string
	tombstone         bool
}

// keptRecords reads every record of data, aborted ones too.
func keptRecords(t testing.TB, l *Log) []kept {
	t.Helper()
	var records []kept
	for p := readAll(t, l, l.LogStartOffset()); len(p) > 0; {
		size, _, err := record.EntrySize(p)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, recordsOf(t, p[:size])...)
		p = p[size:]
	}
	return records
}

func recordsOf(t testing.TB, entry []byte) (records []kept) {
	t.Helper()
	if b, _, err := record.Parse(entry); err == nil && b.IsControl() {
		return nil
	}
	it, err := record.IterateEntry(entry)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for it.Next() {
		r := it.Record()
		records = append(records, kept{r.Offset, r.Timestamp, string(r.Key), string(r.Value), r.Value == nil})
	}
	if it.Err() != nil {
		t.Fatal(it.Err())
	}
	return records
}
