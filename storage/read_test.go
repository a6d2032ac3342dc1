package storage

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

func TestReadKeepsToItsBounds(t *testing.T) {
	_, _, l := memLog(t, testConfig())
	for i := range int64(10) { // two records each
		mustAppend(t, l, plain(t, i, "first", "second"))
	}
	l.SetHighWatermark(14)
	size := l.Size() / 10
	for name, test := range map[string]struct {
		offset, upTo, maxBytes int64
		minOne                 bool
		position, size         int64 // in batches
		bytes                  int64 // beyond whole batches
	}{
		"all":                             {0, 20, 1 << 20, true, 0, 10, 0},
		"inside a batch":                  {5, 20, 1 << 20, true, 2, 8, 0},
		"up to the high watermark":        {4, 14, 1 << 20, true, 2, 5, 0},
		"up to another offset":            {4, 8, 1 << 20, true, 2, 2, 0},
		"up to an offset inside a batch":  {4, 9, 1 << 20, true, 2, 2, 0},
		"beyond the log end":              {4, 1 << 40, 1 << 20, true, 2, 8, 0},
		"two batches":                     {4, 20, 2 * size, true, 2, 2, 0},
		"a batch and a part":              {4, 20, size + 10, true, 2, 1, 10},
		"first is larger":                 {4, 20, 5, true, 2, 1, 0},
		"first is larger and not wanted":  {4, 20, 5, false, 2, 0, 5},
		"nothing wanted":                  {4, 20, 0, false, 0, 0, 0},
		"at the bound":                    {8, 8, 1 << 20, true, 0, 0, 0},
		"beyond the bound":                {9, 8, 1 << 20, true, 0, 0, 0},
		"at the log end":                  {20, 20, 1 << 20, true, 0, 0, 0},
		"bound inside the offset's batch": {4, 5, 1 << 20, true, 0, 0, 0},
	} {
		s, err := l.Read(test.offset, test.upTo, test.maxBytes, test.minOne)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := test.size*size + test.bytes; s.Size != want || s.Len() != want || want > 0 && s.Position != test.position*size {
			t.Errorf("%s: got %d bytes at %d, want %d at %d", name, s.Size, s.Position, want, test.position*size)
		}
		if s.NextOffset > max(test.upTo, test.offset) || s.Size > 0 && s.NextOffset <= test.offset {
			t.Errorf("%s: next offset %d", name, s.NextOffset)
		}
		s.Release()
	}
	for _, offset := range []int64{-1, 21} {
		if _, err := l.Read(offset, 20, 100, true); !errors.Is(err, ErrOffsetOutOfRange) {
			t.Errorf("offset %d: %v", offset, err)
		}
	}
}

func TestSliceIsSentAsItIsRead(t *testing.T) {
	_, _, l := memLog(t, testConfig())
	mustAppend(t, l, plain(t, 1, strings.Repeat("v", 1000)))
	mustAppend(t, l, plain(t, 2, strings.Repeat("w", 1000)))
	s, err := l.Read(1, 2, 1<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	client, server := net.Pipe()
	sent := make(chan error, 1)
	go func() {
		sent <- s.SendTo(server)
		server.Close()
	}()
	got, err := io.ReadAll(client)
	if err := errors.Join(err, <-sent); err != nil {
		t.Fatal(err)
	}
	want := make([]byte, s.Size)
	if n, err := s.ReadAt(want, 0); int64(n) != s.Size || err != nil && err != io.EOF {
		t.Fatal(n, err)
	}
	if !bytes.Equal(got, want) || record.Batch(got).BaseOffset() != 1 {
		t.Errorf("sent %d bytes, read %d", len(got), len(want))
	}
	if n, err := s.ReadAt(make([]byte, 100), s.Size-10); n != 10 || err != io.EOF {
		t.Errorf("read over the end: %d %v", n, err)
	}
	var empty Slice
	empty.Release()
	if err := empty.SendTo(server); err != nil {
		t.Errorf("empty: %v", err)
	}
}

func TestOffsetsAreFoundByTimestamp(t *testing.T) {
	c := testConfig().with(func(c *Config) { c.SegmentBytes, c.IndexIntervalBytes = 600, 100 })
	_, _, l := memLog(t, c)
	times := []int64{100, 110, 105, 120, 90, 130, 125, 130, 140, 135, 150, 145}
	for i, at := range times {
		b := plain(t, at, strings.Repeat("v", 50), "w") // and one a millisecond later
		if _, err := appendAs(l, b, int32(i/4), FromClient); err != nil {
			t.Fatal(err)
		}
	}
	l.SetHighWatermark(l.LogEndOffset())
	check := func(how string) {
		t.Helper()
		for timestamp := int64(80); timestamp < 160; timestamp++ {
			want := int64(-1)
			for i := range 2 * len(times) {
				if int64(i) >= l.LogStartOffset() && times[i/2]+int64(i%2) >= timestamp {
					want = int64(i)
					break
				}
			}
			got, found, err := l.OffsetForTimestamp(timestamp)
			if err != nil || found != (want >= 0) || found && (got.Offset != want || got.LeaderEpoch != int32(want/8)) {
				t.Errorf("%s: timestamp %d: %+v %v %v, want offset %d", how, timestamp, got, found, err, want)
			}
		}
		got, found, err := l.MaxTimestampOffset()
		if err != nil || !found || got != (TimestampOffset{21, 151, 2}) {
			t.Errorf("%s: largest timestamp: %+v %v %v", how, got, found, err)
		}
	}
	check("written")
	if err := l.AdvanceLogStart(3); err != nil {
		t.Fatal(err)
	}
	check("after deleting records")
	if err := l.TruncateTo(22); err != nil {
		t.Fatal(err)
	}
	times = times[:11]
	check("truncated")
	_, _, empty := memLog(t, testConfig())
	if _, found, err := empty.OffsetForTimestamp(0); found || err != nil {
		t.Errorf("empty: %v %v", found, err)
	}
	if _, found, err := empty.MaxTimestampOffset(); found || err != nil {
		t.Errorf("empty: %v %v", found, err)
	}
}

func TestIndexesOfALargeSegmentAreSearchedInFileAndMemory(t *testing.T) {
	c := testConfig().with(func(c *Config) { c.IndexIntervalBytes = 1 })
	mem, m, l := memLog(t, c)
	const count = 5000
	for i := range int64(count) {
		mustAppend(t, l, plain(t, 1000+i, "v"))
	}
	check := func(how string) {
		t.Helper()
		size := l.Size() / count
		for offset := int64(0); offset < count; offset += 7 {
			s, err := l.Read(offset, count, 1, true)
			if err != nil || s.Position != offset*size {
				t.Fatalf("%s: offset %d found at %d, %v", how, offset, s.Position, err)
			}
			s.Release()
			found, ok, err := l.OffsetForTimestamp(1000 + offset)
			if err != nil || !ok || found.Offset != offset {
				t.Fatalf("%s: timestamp of offset %d: %+v %v %v", how, offset, found, ok, err)
			}
		}
	}
	s := l.active()
	first, entries := s.offsets.split()
	if first == 0 || len(entries) == 0 || len(entries) > maxTail {
		t.Fatalf("%d entries in the file, %d in memory", first, len(entries))
	}
	check("half in memory")
	mustClose(t, m)
	_, l = openLog(t, testOptions(mem, c, "/data"))
	if first, entries := l.active().offsets.split(); first != count-1 || len(entries) != 0 {
		t.Fatalf("%d entries in the file, %d in memory", first, len(entries))
	}
	check("in the file")
}

func TestEndOffsetsOfEpochsFollowTruncationAndStart(t *testing.T) {
	mem, m, l := memLog(t, testConfig())
	for i, epoch := range []int32{0, 0, 2, 2, 4, 4} {
		if _, err := appendAs(l, plain(t, int64(i), "v"), epoch, FromClient); err != nil {
			t.Fatal(err)
		}
	}
	l.SetHighWatermark(6)
	if err := l.TruncateTo(4); err != nil {
		t.Fatal(err)
	}
	if l.LatestEpoch() != 2 || l.HighWatermark() != 4 {
		t.Errorf("latest epoch %d, high watermark %d", l.LatestEpoch(), l.HighWatermark())
	}
	if err := l.AssignEpoch(7, 4); err != nil {
		t.Fatal(err)
	}
	if epoch, end := l.EndOffsetFor(2); epoch != 2 || end != 4 {
		t.Errorf("end of epoch 2: %d %d", epoch, end)
	}
	if err := l.TruncateTo(9); err != nil { // nothing to cut but the epoch without records
		t.Fatal(err)
	}
	if l.LatestEpoch() != 2 {
		t.Errorf("latest epoch %d", l.LatestEpoch())
	}
	if err := l.AdvanceLogStart(3); err != nil {
		t.Fatal(err)
	}
	if epoch, end := l.EndOffsetFor(0); epoch != 0 || end != 3 {
		t.Errorf("end of epoch 0: %d %d", epoch, end)
	}
	if err := l.AdvanceLogStart(5); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Errorf("start above the high watermark: %v", err)
	}
	if err := l.AssignEpoch(9, 4); err != nil { // led, and appended nothing
		t.Fatal(err)
	}
	mustClose(t, m)
	_, l = openLog(t, testOptions(mem, testConfig(), "/data"))
	if got := l.epochs.entries; !slices.Equal(got, []epochStart{{2, 3}}) || l.LogStartOffset() != 3 {
		t.Errorf("epochs %v, start %d", got, l.LogStartOffset())
	}
	if err := l.AssignEpoch(-1, 0); err == nil {
		t.Error("a negative epoch was taken")
	}
}

// TestEpochWithoutRecordsDoesNotComeBack: a leader appended nothing in its epoch, then took records of an older epoch from another,
// and was killed.
func TestEpochWithoutRecordsDoesNotComeBack(t *testing.T) {
	t.Run("disk with space", func(t *testing.T) { epochWithoutRecords(t, false) })
	t.Run("full disk", func(t *testing.T) { epochWithoutRecords(t, true) })
}

func epochWithoutRecords(t *testing.T, fullAtTheCut bool) {
	var killed, full atomic.Bool
	mem, c := vfs.NewMem(), testConfig()
	c.SegmentBytes = 100 // one batch each; a flush of sealed segments writes the file of epochs
	m, l := openLog(t, testOptions(vfs.NewFault(mem, func(op vfs.Op, _ string) error {
		switch {
		case killed.Load():
			return errors.New("killed")
		case full.Load() && op == vfs.OpWrite:
			return syscall.ENOSPC
		}
		return nil
	}), c, "/data"))
	for i := range int64(2) {
		if _, err := appendAs(l, plain(t, i, "v"), 1, FromClient); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.AssignEpoch(3, 2); err != nil {
		t.Fatal(err)
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	full.Store(fullAtTheCut)
	if err := l.TruncateTo(2); err != nil {
		t.Fatal(err)
	}
	full.Store(false)
	if _, err := appendAs(l, plain(t, 2, "v"), 1, FromClient); err != nil {
		t.Fatal(err)
	}
	killed.Store(true)
	_ = m.Close() // it cannot do anything any more
	m, l = openLog(t, testOptions(mem, c, "/data"))
	defer mustClose(t, m)
	if epoch, end := l.EndOffsetFor(3); epoch != -1 {
		t.Errorf("epoch 3 is answered with %d, which ends at %d", epoch, end)
	}
	if epoch, end := l.EndOffsetFor(1); epoch != 1 || end != 3 {
		t.Errorf("epoch 1 is answered with %d, which ends at %d of %d", epoch, end, l.LogEndOffset())
	}
}

// TestNothingThatWasCutComesBackBetweenNewBatches: a follower cut its log, wrote other batches of the same size, and lost power.
func TestNothingThatWasCutComesBackBetweenNewBatches(t *testing.T) {
	const cut, end = 2, 8
	for seed := range uint64(200) {
		mem, m, l := memLog(t, testConfig())
		write := func(from int64, epoch int32) {
			for i := from; i < end; i++ {
				if _, err := appendAs(l, plain(t, i, "v"), epoch, FromClient); err != nil {
					t.Fatal(err)
				}
			}
		}
		write(0, 1)
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := l.TruncateTo(cut); err != nil {
			t.Fatal(err)
		}
		write(cut, 2)
		after := mem.CrashClone(seed)
		mustClose(t, m)
		m, l = openLog(t, testOptions(after, testConfig(), "/data"))
		var epochs []int32
		for offset := int64(0); offset < l.LogEndOffset(); offset++ {
			s, err := l.Read(offset, math.MaxInt64, 1, true)
			if err != nil {
				t.Fatal(err)
			}
			p := make([]byte, s.Size)
			if _, err := s.ReadAt(p, 0); err != nil {
				t.Fatal(err)
			}
			s.Release()
			b, _, err := record.Parse(p)
			if err != nil {
				t.Fatal(err)
			}
			epochs = append(epochs, b.PartitionLeaderEpoch())
		}
		mustClose(t, m)
		if len(epochs) > cut && (slices.Contains(epochs[cut:], 1) || slices.Contains(epochs[:cut], 2)) {
			t.Fatalf("seed %d: after the cut at %d the epochs are %v", seed, cut, epochs)
		}
	}
}
