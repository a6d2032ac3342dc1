package storage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// crashPoint is a disk after a crash, and what must or may be on it.
type crashPoint struct {
	when  string
	disk  *vfs.Mem
	acked int64
	// may are the contents of which the log must be a prefix, one of them: there are two from a truncation until
	// the next acknowledgement.
	may [][]byte
}

// crashRecorder lets a log do its work and crashes its disk before every sync.
type crashRecorder struct {
	t      *testing.T
	mem    *vfs.Mem
	points []crashPoint
	acked  int64
	may    [][]byte
	seed   uint64
}

func (c *crashRecorder) inject(op vfs.Op, path string) error {
	if op == vfs.OpSync || op == vfs.OpSyncDir || op == vfs.OpRename {
		for range 2 {
			c.seed++
			may := make([][]byte, len(c.may))
			for i, m := range c.may {
				may[i] = bytes.Clone(m)
			}
			c.points = append(c.points, crashPoint{
				fmt.Sprintf("%v %s, %d acknowledged", op, path, c.acked), c.mem.CrashClone(c.seed), c.acked, may,
			})
		}
	}
	return nil
}

// append adds a batch, which may be on the disk from now on and must be when acknowledged.
func (c *crashRecorder) append(l *Log, b record.Batch) {
	c.t.Helper()
	b.SetBaseOffset(l.LogEndOffset())
	b.SetPartitionLeaderEpoch(0)
	current := append(bytes.Clone(c.may[0]), b...)
	c.may = append([][]byte{current}, c.may[1:]...)
	mustAppend(c.t, l, b)
	c.acked, c.may = l.LogEndOffset(), c.may[:1]
}

func (c *crashRecorder) truncate(l *Log, offset int64) {
	c.t.Helper()
	kept := c.may[0]
	for p := kept; len(p) > 0; {
		e, err := parseFetched(p)
		if err != nil {
			c.t.Fatal(err)
		}
		if e.last >= offset {
			kept = kept[:len(kept)-len(p)]
			break
		}
		p = p[e.size:]
	}
	c.may = [][]byte{kept, c.may[0]}
	c.acked = min(c.acked, offset)
	if err := l.TruncateTo(offset); err != nil {
		c.t.Fatal(err)
	}
}

func TestWhatWasAcknowledgedWithASyncSurvivesACrashAtAnySync(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { crashEverywhere(t, seed) })
	}
}

func crashEverywhere(t *testing.T, seed uint64) {
	t.Helper()
	mem := vfs.NewMem()
	rec := &crashRecorder{t: t, mem: mem, may: [][]byte{nil}, seed: seed << 32}
	c := testConfig().with(func(c *Config) {
		c.SegmentBytes, c.IndexIntervalBytes, c.FlushMessages = 700, 150, 1
	})
	o := testOptions(vfs.NewFault(mem, rec.inject), c, "/data")
	m, l := openLog(t, o)
	r := rand.New(rand.NewPCG(seed, 2))
	for step := range 90 {
		switch {
		case step%13 == 12:
			rec.truncate(l, max(l.LogEndOffset()-int64(r.IntN(9)), 0))
		case step == 40:
			mustClose(t, m)
			m, l = openLog(t, o)
		case step%7 == 6:
			rec.append(l, markerBatch(t, record.AbortMarker, 1, 0, 0))
		case step%7 > 3:
			rec.append(l, batchOf(t, record.BatchOptions{
				Producer: &record.Producer{ID: 1, Sequence: nextSequence(l)}, Transactional: true,
			}, 1000, strings.Repeat("t", r.IntN(60))))
		default:
			rec.append(l, plain(t, 1000+int64(step), strings.Repeat("v", r.IntN(100))))
		}
		if step == 20 || step == 60 {
			if err := m.checkpointRecoveryPoints(); err != nil {
				t.Fatal(err)
			}
		}
	}
	mustClose(t, m)
	if len(rec.points) < 300 {
		t.Fatalf("only %d crashes", len(rec.points))
	}
	for _, p := range rec.points {
		checkCrash(t, p, c)
	}
}

// nextSequence continues the producer where the log, which may have been truncated, left it.
func nextSequence(l *Log) int32 {
	if p := l.Producers(); len(p) > 0 {
		return p[0].LastSequence + 1
	}
	return 0
}

func checkCrash(t *testing.T, p crashPoint, c *Config) {
	t.Helper()
	m, err := Open(testOptions(p.disk, c, "/data"))
	if err != nil {
		t.Fatalf("%s: %v", p.when, err)
	}
	defer m.Close()
	l, found := m.Log(testTP)
	if !found {
		if p.acked > 0 {
			t.Errorf("%s: the partition is gone", p.when)
		}
		return
	}
	if l.LogEndOffset() < p.acked {
		t.Errorf("%s: log ends at %d", p.when, l.LogEndOffset())
	}
	got := readAll(t, l, 0)
	for _, may := range p.may {
		if bytes.HasPrefix(may, got) {
			checkTransactions(t, p, l, got)
			return
		}
	}
	t.Errorf("%s: the log's %d bytes are not what was written", p.when, len(got))
}

// checkTransactions compares the index of aborted transactions and the open one with those in the batches.
func checkTransactions(t *testing.T, p crashPoint, l *Log, content []byte) {
	t.Helper()
	var want []Aborted
	open, last := noOffset, record.NoSequence
	for len(content) > 0 {
		e, err := parseFetched(content)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.batch.IsControl() && open != noOffset:
			want = append(want, Aborted{1, open})
			open = noOffset
		case !e.batch.IsControl() && e.batch.IsTransactional():
			last = e.batch.LastSequence()
			if open == noOffset {
				open = e.base
			}
		}
		content = content[e.size:]
	}
	got, err := l.AbortedIn(0, l.LogEndOffset())
	if err != nil || len(got) != len(want) {
		t.Errorf("%s: aborted %v %v, want %v", p.when, got, err, want)
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: aborted %v, want %v", p.when, got, want)
		}
	}
	if producers := l.Producers(); len(producers) > 0 && (producers[0].LastSequence != last || producers[0].CurrentTxnFirstOffset != open) {
		t.Errorf("%s: producer %+v, want sequence %d, transaction at %d", p.when, producers[0], last, open)
	} else if len(producers) == 0 && last != record.NoSequence {
		t.Errorf("%s: the producer is forgotten", p.when)
	}
}
