package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// modelLog is what a log should be: whole batches in a list.
type modelLog struct {
	batches    []record.Batch
	start, end int64
}

func (m *modelLog) append(b record.Batch) {
	m.batches = append(m.batches, bytes.Clone(b))
	m.end = b.NextOffset()
}

func (m *modelLog) truncate(offset int64) {
	if offset >= m.end {
		return
	}
	m.batches = slices.DeleteFunc(m.batches, func(b record.Batch) bool { return b.LastOffset() >= offset })
	m.end, m.start = offset, min(m.start, offset)
}

// read is what Read promises: from the batch that holds offset on, below upTo, without
// regard to the limit of bytes.
func (m *modelLog) read(offset, upTo int64) []byte {
	var p []byte
	for _, b := range m.batches {
		if b.LastOffset() >= upTo {
			break
		}
		if b.LastOffset() >= offset {
			p = append(p, b...)
		}
	}
	return p
}

// modelRun applies random operations to a log and to the model.
type modelRun struct {
	t     *testing.T
	r     *rand.Rand
	fs    *vfs.Mem
	o     Options
	m     *Manager
	l     *Log
	model modelLog
	epoch int32
	now   int64
	trace []string
}

func (x *modelRun) note(format string, args ...any) {
	x.trace = append(x.trace, fmt.Sprintf(format, args...))
}

func (x *modelRun) check(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatalf("%v\nafter %s", err, strings.Join(x.trace, "\n      "))
	}
}

func (x *modelRun) batch() record.Batch {
	values := make([]string, 1+x.r.IntN(5))
	for i := range values {
		values[i] = strings.Repeat("v", x.r.IntN(150))
	}
	x.now += int64(x.r.IntN(20)) - 5
	return plain(x.t, x.now, values...)
}

func (x *modelRun) step() {
	switch n := x.r.IntN(100); {
	case n < 50:
		b := x.batch()
		x.note("append %d", b.Count())
		_, err := appendAs(x.l, b, x.epoch, FromClient)
		x.check(err)
		x.model.append(b)
	case n < 60:
		x.follow()
	case n < 65:
		offset := max(x.model.end-int64(x.r.IntN(30)), 0)
		x.note("truncate to %d of %d", offset, x.model.end)
		x.check(x.l.TruncateTo(offset))
		first := (*x.l.segments.Load())[0].base
		if x.model.truncate(offset); offset < first {
			x.t.Fatalf("segments begin at %d after truncating to %d", first, offset)
		}
	case n < 66:
		offset := x.model.end + int64(x.r.IntN(20)) - 10
		if offset < 0 {
			return
		}
		x.note("truncate fully, start at %d", offset)
		x.check(x.l.TruncateFullyAndStartAt(offset))
		x.model = modelLog{start: offset, end: offset}
	case n < 70:
		x.l.SetHighWatermark(x.model.end)
		offset := x.model.start + int64(x.r.IntN(int(min(x.model.end-x.model.start+1, 40))))
		x.note("advance start to %d", offset)
		x.check(x.l.AdvanceLogStart(offset))
		x.model.start = max(x.model.start, offset)
		x.check(x.l.applyRetention(time.Now()))
	case n < 75:
		x.note("flush")
		x.check(x.l.Flush())
	case n < 78:
		x.note("reopen")
		x.check(x.m.checkpointStartOffsets())
		x.check(x.m.Close())
		x.open()
	case n < 80:
		x.note("crash")
		x.check(x.l.Flush())
		x.check(x.m.checkpointStartOffsets())
		if x.r.IntN(2) == 0 {
			x.check(x.m.checkpointRecoveryPoints())
		}
		x.fs = x.fs.CrashClone(x.r.Uint64())
		x.o.FS = x.fs
		x.m.Close()
		x.open()
	default:
		x.read()
	}
}

// follow appends several batches at once, perhaps after a gap and with a last one cut short.
func (x *modelRun) follow() {
	var p []byte
	next := x.model.end + int64(x.r.IntN(3))
	for range 1 + x.r.IntN(6) {
		b := x.batch()
		b.SetBaseOffset(next)
		b.SetPartitionLeaderEpoch(x.epoch)
		next = b.NextOffset() + int64(x.r.IntN(2))
		p = append(p, b...)
		x.model.append(b)
	}
	x.note("follow to %d", x.model.end)
	cut := plain(x.t, x.now, "cut")
	cut.SetBaseOffset(next)
	a, err := x.l.AppendAsFollower(append(p, cut[:x.r.IntN(len(cut))]...))
	x.check(err)
	if a.LastOffset+1 != x.model.end {
		x.t.Fatalf("appended to %d, want %d", a.LastOffset, x.model.end-1)
	}
}

func (x *modelRun) open() {
	x.m, x.l = openLog(x.t, x.o)
	x.epoch++
	x.forgetGap()
	x.verify()
}

// forgetGap follows the log where a truncation into a batch, which goes whole, left a gap before the log
// end: the files do not tell of it.
func (x *modelRun) forgetGap() {
	m := &x.model
	last := m.start
	if n := len(m.batches); n > 0 {
		last = max(last, m.batches[n-1].NextOffset())
	}
	if end := x.l.LogEndOffset(); end >= last && end < m.end {
		m.end = end
	}
}

func (x *modelRun) read() {
	m := &x.model
	offset := m.start + int64(x.r.IntN(int(m.end-m.start+3))) - 1
	upTo := m.end - int64(x.r.IntN(int(min(m.end-m.start+1, 10))))
	limit := int64(x.r.IntN(2000))
	if x.r.IntN(3) == 0 {
		x.l.SetHighWatermark(upTo)
	}
	x.note("read [%d,%d) of [%d,%d), %d bytes", offset, upTo, m.start, m.end, limit)
	s, err := x.l.Read(offset, upTo, limit, true)
	if offset < m.start || offset > m.end {
		if !errors.Is(err, ErrOffsetOutOfRange) {
			x.t.Fatalf("read at %d: %v", offset, err)
		}
		return
	}
	x.check(err)
	defer s.Release()
	got := make([]byte, s.Size)
	if len(got) > 0 {
		_, err = s.ReadAt(got, 0)
		x.check(err)
	}
	want := m.read(offset, upTo)
	if !bytes.HasPrefix(want, got) {
		x.t.Fatalf("other bytes\nafter %s", strings.Join(x.trace, "\n      "))
	}
	if len(got) == 0 && len(want) > 0 {
		x.t.Fatalf("nothing although there is\nafter %s", strings.Join(x.trace, "\n      "))
	}
	for _, base := range offsetsInPrefix(got) {
		if base >= s.NextOffset {
			x.t.Fatalf("offset %d in a slice bounded by %d", base, s.NextOffset)
		}
	}
}

func offsetsInPrefix(p []byte) (bases []int64) {
	for {
		e, err := parseFetched(p)
		if err != nil {
			return bases
		}
		bases, p = append(bases, e.base), p[e.size:]
	}
}

func (x *modelRun) verify() {
	x.t.Helper()
	if x.l.LogStartOffset() != x.model.start || x.l.LogEndOffset() != x.model.end {
		x.t.Fatalf("log is [%d,%d), want [%d,%d)\nafter %s", x.l.LogStartOffset(), x.l.LogEndOffset(),
			x.model.start, x.model.end, strings.Join(x.trace, "\n      "))
	}
	if !bytes.Equal(readAll(x.t, x.l, x.model.start), x.model.read(x.model.start, x.model.end)) {
		x.t.Fatalf("other bytes\nafter %s", strings.Join(x.trace, "\n      "))
	}
}

func TestLogIsWhatASimpleListWouldBe(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			mem := vfs.NewMem()
			x := &modelRun{t: t, r: rand.New(rand.NewPCG(seed, 1)), fs: mem, now: 1_000_000}
			c := testConfig().with(func(c *Config) {
				c.SegmentBytes = int64(1500 + x.r.IntN(4000))
				c.IndexIntervalBytes = x.r.IntN(800)
			})
			x.o = testOptions(mem, c, "/data")
			x.o.MaxOpenFiles = 1 + x.r.IntN(4)
			x.open()
			for range 150 {
				x.step()
			}
			x.verify()
			x.check(x.m.Close())
			x.open()
			x.check(x.m.Close())
		})
	}
}
