package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

func segmentBases(l *Log) []int64 {
	var bases []int64
	for _, s := range *l.segments.Load() {
		bases = append(bases, s.base)
	}
	return bases
}

func TestAppendGivesOffsetsAndLeaderEpoch(t *testing.T) {
	_, _, l := memLog(t, testConfig())
	first, err := appendAs(l, plain(t, 5, "a", "b"), 7, FromClient)
	if err != nil || first.BaseOffset != 0 || first.LastOffset != 1 {
		t.Fatalf("got %+v %v", first, err)
	}
	second, err := appendAs(l, plain(t, 6, "c"), 8, FromClient)
	if err != nil || second.BaseOffset != 2 || second.LastOffset != 2 || l.LogEndOffset() != 3 {
		t.Fatalf("got %+v %v, log end %d", second, err, l.LogEndOffset())
	}
	p := readAll(t, l, 0)
	a, rest, err := record.Parse(p)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := record.Parse(rest)
	if err != nil {
		t.Fatal(err)
	}
	if a.PartitionLeaderEpoch() != 7 || b.PartitionLeaderEpoch() != 8 || b.BaseOffset() != 2 || !b.ValidCRC() {
		t.Errorf("epochs %d %d, base %d", a.PartitionLeaderEpoch(), b.PartitionLeaderEpoch(), b.BaseOffset())
	}
	if l.LatestEpoch() != 8 || l.EpochAt(1) != 7 || l.EpochAt(2) != 8 {
		t.Errorf("epochs in the log: %d %d %d", l.LatestEpoch(), l.EpochAt(1), l.EpochAt(2))
	}
}

func TestBatchLargerThanASegmentIsRefused(t *testing.T) {
	_, _, l := memLog(t, testConfig().with(func(c *Config) { c.SegmentBytes = 200 }))
	if _, err := appendAs(l, plain(t, 1, strings.Repeat("v", 200)), 0, FromClient); !errors.Is(err, ErrRecordListTooLarge) {
		t.Fatalf("got %v", err)
	}
}

func TestSegmentRollsBySizeAgeIndexAndOffset(t *testing.T) {
	week := 7 * 24 * time.Hour
	for name, test := range map[string]struct {
		change func(*Config)
		times  []int64 // of one batch of 100 bytes each
		want   []int64
	}{
		"size": {func(c *Config) { c.SegmentBytes = 330 }, []int64{1, 2, 3, 4}, []int64{0, 3}},
		"age, counted by timestamps": {
			func(*Config) {}, []int64{1, 2, 1 + week.Milliseconds(), 2 + week.Milliseconds(), 9}, []int64{0, 3},
		},
		"full offset index": {
			func(c *Config) { c.SegmentIndexBytes, c.IndexIntervalBytes = 24, 1 }, []int64{-1, -1, -1, -1, -1, -1}, []int64{0, 4},
		},
		"full time index": {
			func(c *Config) { c.SegmentIndexBytes, c.IndexIntervalBytes = 36, 1 }, []int64{1, 2, 3, 4, 5, 6}, []int64{0, 3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, l := memLog(t, testConfig().with(test.change))
			for _, at := range test.times {
				b := plain(t, at, strings.Repeat("v", 29))
				if len(b) != 100 {
					t.Fatalf("batch of %d bytes", len(b))
				}
				mustAppend(t, l, b)
			}
			if got := segmentBases(l); !slices.Equal(got, test.want) {
				t.Errorf("segments at %v, want %v", got, test.want)
			}
		})
	}
	t.Run("relative offset", func(t *testing.T) {
		_, _, l := memLog(t, testConfig())
		mustAppend(t, l, plain(t, 1, "v"))
		b := plain(t, 2, "v")
		b.SetBaseOffset(math.MaxInt32 + 1)
		if _, err := l.AppendAsFollower(b); err != nil {
			t.Fatal(err)
		}
		if got := segmentBases(l); !slices.Equal(got, []int64{0, math.MaxInt32 + 1}) {
			t.Errorf("segments at %v", got)
		}
	})
}

func TestFollowerRefusesWhatDoesNotContinueItsLog(t *testing.T) {
	_, _, l := memLog(t, testConfig())
	mustAppend(t, l, plain(t, 1, "a", "b", "c"))
	at := func(offset int64, values ...string) record.Batch {
		b := plain(t, 2, values...)
		b.SetBaseOffset(offset)
		return b
	}
	damaged := at(3, "damaged")
	damaged[len(damaged)-3] ^= 1
	for name, test := range map[string]struct {
		batches []byte
		want    error
	}{
		"below the end":    {at(2, "x"), ErrUnexpectedOffset},
		"bad checksum":     {damaged, record.ErrCorrupt},
		"impossible magic": {append(bytes.Repeat([]byte{0}, 11), append([]byte{40}, bytes.Repeat([]byte{9}, 60)...)...), record.ErrCorrupt},
	} {
		if _, err := l.AppendAsFollower(test.batches); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
	// What is sound before a bad batch stays, and the end tells the fetcher where to go on.
	both := append(bytes.Clone(at(3, "good")), at(3, "same offset again")...)
	a, err := l.AppendAsFollower(both)
	if !errors.Is(err, ErrUnexpectedOffset) || a.LastOffset != 3 || l.LogEndOffset() != 4 {
		t.Errorf("got %+v %v, log end %d", a, err, l.LogEndOffset())
	}
	if a, err := l.AppendAsFollower(at(9, "after a gap")); err != nil || a.BaseOffset != 9 || l.LogEndOffset() != 10 {
		t.Errorf("after a gap: %+v %v", a, err)
	}
	if a, err := l.AppendAsFollower(nil); err != nil || a.LastOffset != 9 {
		t.Errorf("nothing: %+v %v", a, err)
	}
}

func TestFollowerNotesTheEpochsOfItsBatches(t *testing.T) {
	_, _, l := memLog(t, testConfig())
	var p []byte
	for i, epoch := range []int32{3, 3, 5, 9} {
		b := plain(t, 1, "v")
		b.SetBaseOffset(int64(i))
		b.SetPartitionLeaderEpoch(epoch)
		p = append(p, b...)
	}
	if _, err := l.AppendAsFollower(p); err != nil {
		t.Fatal(err)
	}
	for epoch, want := range map[int32][2]int64{
		-1: {-1, -1}, 2: {2, 0}, 3: {3, 2}, 4: {3, 2}, 5: {5, 3}, 8: {5, 3}, 9: {9, 4}, 10: {-1, -1},
	} {
		if found, end := l.EndOffsetFor(epoch); int64(found) != want[0] || end != want[1] {
			t.Errorf("epoch %d: got %d, %d, want %v", epoch, found, end, want)
		}
	}
}

// legacyEntry makes a message of magic 0 or 1.
func legacyEntry(offset int64, magic int8, timestamp int64, value string) []byte {
	body := []byte{0, 0, 0, 0, byte(magic), 0}
	if magic == 1 {
		body = binary.BigEndian.AppendUint64(body, uint64(timestamp))
	}
	body = binary.BigEndian.AppendUint32(body, math.MaxUint32) // no key
	body = binary.BigEndian.AppendUint32(body, uint32(len(value)))
	body = append(body, value...)
	binary.BigEndian.PutUint32(body, crc32.ChecksumIEEE(body[4:]))
	p := binary.BigEndian.AppendUint64(nil, uint64(offset))
	p = binary.BigEndian.AppendUint32(p, uint32(len(body)))
	return append(p, body...)
}

func TestSegmentsOfOldFormatsAreKeptReadAndRecovered(t *testing.T) {
	mem := vfs.NewMem()
	c := testConfig().with(func(c *Config) { c.SegmentBytes, c.IndexIntervalBytes = 400, 50 })
	o := testOptions(mem, c, "/data")
	m, l := openLog(t, o)
	var p []byte
	for i := range int64(12) {
		p = append(p, legacyEntry(i, int8(i%2), 1000+i, "value")...)
	}
	if _, err := l.AppendAsFollower(p); err != nil {
		t.Fatal(err)
	}
	b := plain(t, 2000, "new")
	mustAppend(t, l, b)
	all := readAll(t, l, 0)
	check := func(how string) {
		t.Helper()
		if got := readAll(t, l, 0); !bytes.Equal(got, append(bytes.Clone(p), b...)) || l.LogEndOffset() != 13 {
			t.Errorf("%s: other bytes, log end %d", how, l.LogEndOffset())
		}
		if found, ok, err := l.OffsetForTimestamp(1004); err != nil || !ok || found.Offset != 5 || found.LeaderEpoch != -1 {
			t.Errorf("%s: offset for a timestamp: %+v %v %v", how, found, ok, err)
		}
	}
	if len(all) == 0 || len(segmentBases(l)) < 2 {
		t.Fatalf("%d bytes in segments %v", len(all), segmentBases(l))
	}
	check("as written")
	mustClose(t, m)
	if err := mem.Remove("/data/" + cleanShutdownName); err != nil {
		t.Fatal(err)
	}
	m, l = openLog(t, o)
	check("recovered")
	mustClose(t, m)
}

func TestAppendDoesNotAllocate(t *testing.T) {
	m, l := openLog(t, testOptions(vfs.OS{}, testConfig(), t.TempDir()))
	defer m.Close()
	plainBatch := plain(t, 1, strings.Repeat("v", 5000))
	idempotent := produced(t, 3, 0, 0, false, 1)
	sequence := int32(0)
	append1 := func() {
		setSequence(idempotent, sequence)
		sequence++
		mustAppend(t, l, plainBatch)
		mustAppend(t, l, idempotent)
	}
	for range 1000 { // the tails of the indexes have their full size then
		append1()
	}
	if n := testing.AllocsPerRun(2000, append1); n >= 1 {
		t.Errorf("%v allocations per append", n)
	}
}

func TestJitterIsWithinItsBounds(t *testing.T) {
	for name, test := range map[string]struct{ jitter, age, below time.Duration }{
		"none":               {0, time.Hour, 1},
		"some":               {time.Minute, time.Hour, time.Minute},
		"more than segments": {2 * time.Hour, time.Hour, time.Hour},
	} {
		c := testConfig().with(func(c *Config) { c.SegmentJitter, c.SegmentAge = test.jitter, test.age })
		seen := map[time.Duration]bool{}
		for range 100 {
			j := c.jitter()
			if j < 0 || j >= test.below {
				t.Errorf("%s: %v taken off", name, j)
			}
			seen[j] = true
		}
		if (len(seen) > 1) != (test.jitter > 0) {
			t.Errorf("%s: %d different values", name, len(seen))
		}
	}
}
