package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kbroker/kbroker/storage"
	"github.com/kbroker/kbroker/storage/vfs"
)

// movable is a host with two directories whose threads run. It must be made in a synctest bubble.
type movable struct {
	*host
	cancel context.CancelFunc
	done   chan struct{}
}

func newMovable(t *testing.T, fs vfs.FS) *movable {
	t.Helper()
	m := &movable{host: newHost(t, fs, "/a", "/b")}
	m.run()
	return m
}

func (m *movable) run() {
	ctx, cancel := context.WithCancel(m.t.Context())
	m.cancel, m.done = cancel, make(chan struct{})
	go func() {
		defer close(m.done)
		m.Run(ctx)
	}()
}

func (m *movable) stop() {
	m.cancel()
	<-m.done
	m.close()
}

// setRate sets replica.alter.log.dirs.io.max.bytes.per.second.
func (m *movable) setRate(bytes int) {
	m.t.Helper()
	_, err := m.store.SetDynamic(map[string]string{"replica.alter.log.dirs.io.max.bytes.per.second": fmt.Sprint(bytes)}, nil)
	if err != nil {
		m.t.Fatal(err)
	}
}

// described finds a partition's log, or its copy, in the description of the directories.
func (m *movable) described(future bool) (dir string, log DirLog, found bool) {
	for _, d := range m.Dirs() {
		for _, l := range d.Logs {
			if l.Topic == "t" && l.Partition == 0 && l.Future == future {
				dir, log, found = d.Path, l, true
			}
		}
	}
	return dir, log, found
}

func TestReplicaMovesWhileItIsAppendedToAndRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMovable(t, vfs.NewMem())
		defer m.stop()
		p := m.apply(leading(0, []int32{1}, []int32{1}))
		const writers, each = 4, 300
		var work sync.WaitGroup
		for range writers {
			work.Go(func() {
				for range each {
					appendTo(t, p, 2)
				}
			})
		}
		work.Go(func() {
			for at := int64(0); at < 2*writers*each; at += 100 {
				r, err := p.Read(consumerFetch(min(at, p.HighWatermark())))
				if err != nil {
					t.Errorf("read at %d: %v", at, err)
				}
				r.Slice.Release()
			}
		})
		work.Go(func() {
			for i := range 6 {
				if err := m.AlterLogDir("t", 0, []string{"/b", "/a"}[i%2]); err != nil {
					t.Error(err)
				}
			}
		})
		work.Wait()
		if err := m.AlterLogDir("t", 0, "/b"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if dir, _, _ := m.described(false); dir != "/b" || p.dir() != "/b" {
			t.Fatalf("log in %s, partition's in %s", dir, p.dir())
		}
		if _, _, found := m.described(true); found {
			t.Error("the copy is there")
		}
		wantHighWatermark(t, p, 2*writers*each)
		if next := appendTo(t, p, 1); next != 2*writers*each+1 {
			t.Errorf("next offset %d", next)
		}
		count := 0
		for at := int64(0); at < p.HighWatermark(); at += 2 {
			r, err := p.Read(consumerFetch(at))
			if err != nil || r.Slice.Size == 0 {
				t.Fatalf("read at %d: %v", at, err)
			}
			r.Slice.Release()
			count++
		}
		if count != writers*each+1 {
			t.Errorf("%d batches", count)
		}
	})
}

func TestMoveKeepsToItsRateAndGoesOnAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		m := newMovable(t, mem)
		p := m.apply(leading(0, []int32{1}, []int32{1}))
		for p.log.Size() < 3*moveChunk {
			appendTo(t, p, 2000)
		}
		m.setRate(moveChunk / 10)
		if err := m.AlterLogDir("t", 0, "/b"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		dir, l, found := m.described(true)
		if !found || dir != "/b" || l.OffsetLag != p.log.LogEndOffset()-p.log.Future().LogEndOffset() || l.OffsetLag <= 0 || l.Size <= 0 {
			t.Fatalf("copy in %q: %+v", dir, l)
		}
		elapse(9 * time.Second)
		if _, now, found := m.described(true); !found || now.Size != l.Size {
			t.Errorf("after 9 s the copy has %d bytes, at first %d", now.Size, l.Size)
		}
		elapse(3 * time.Second)
		if _, now, _ := m.described(true); now.Size <= l.Size {
			t.Errorf("after 12 s the copy has %d bytes", now.Size)
		}
		if lowest := p.TopicConfig().Log; p.log.Future().Config() != lowest {
			t.Error("the copy has another configuration")
		}
		m.stop()

		m = newMovable(t, mem)
		defer m.stop()
		m.setRate(moveChunk / 10)
		elapse(time.Minute)
		if dir, _, found := m.described(true); !found || dir != "/b" {
			t.Fatal("the copy is gone, or is filled before the partition is hosted")
		}
		p = m.apply(leading(1, []int32{1}, []int32{1}))
		if dir, _, _ := m.described(false); dir != "/a" {
			t.Errorf("log in %s at once", dir)
		}
		elapse(time.Minute)
		if dir, _, _ := m.described(false); dir != "/b" || p.dir() != "/b" {
			t.Errorf("log in %s", dir)
		}
	})
}

// elapse lets time pass for everything in the bubble.
func elapse(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestAlterLogDirRefusesAsKafkaDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMovable(t, vfs.NewMem())
		defer m.stop()
		p := m.apply(leading(0, []int32{1}, []int32{1}))
		m.setRate(0) // moves stand still
		for i := range 100 {
			appendTo(t, p, 1+i)
		}
		long := strings.Repeat("t", 214)
		for name, test := range map[string]struct {
			topic     string
			partition int32
			dir       string
			want      error
		}{
			"unknown directory":      {"t", 0, "/c", ErrNoLogDir},
			"relative directory":     {"t", 0, "a", ErrNoLogDir},
			"unknown partition":      {"t", 7, "/b", ErrUnknownPartition},
			"name without room":      {long, 0, "/b", ErrTopicNameTooLong},
			"name with room":         {long[1:], 0, "/b", ErrUnknownPartition},
			"where it is":            {"t", 0, "/a", nil},
			"elsewhere":              {"t", 0, "/b", nil},
			"elsewhere once more":    {"t", 0, "/b", nil},
			"unknown, being noted":   {"t", 8, "/b", ErrUnknownPartition},
			"unknown, noted as well": {"t", 9, "/b", ErrUnknownPartition},
		} {
			if err := m.AlterLogDir(test.topic, test.partition, test.dir); !errors.Is(err, test.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for partition := int32(7); partition < 10; partition++ {
			s := leading(0, []int32{1}, []int32{1})
			s.Partition = partition
			if p := m.apply(s); p.dir() != "/b" {
				t.Errorf("partition %d in %s", partition, p.dir())
			}
		}
		// Back to where it is: the move is given up.
		if err := m.AlterLogDir("t", 0, "/b"); err != nil {
			t.Fatal(err)
		}
		if err := m.AlterLogDir("t", 0, "/a"); err != nil {
			t.Fatal(err)
		}
		if _, _, found := m.described(true); found {
			t.Error("the copy is there")
		}
		m.setRate(1 << 30)
		elapse(time.Minute)
		if dir, _, _ := m.described(false); dir != "/a" {
			t.Errorf("log in %s", dir)
		}
	})
}

func TestDeletionOfAPartitionEndsItsMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		m := newMovable(t, mem)
		defer m.stop()
		p := m.apply(leading(0, []int32{1}, []int32{1}))
		for p.log.Size() < 3*moveChunk {
			appendTo(t, p, 2000)
		}
		m.setRate(moveChunk / 10)
		if err := m.AlterLogDir("t", 0, "/b"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := m.Stop(t.Context(), []Stop{{Topic: "t", Partition: 0, LeaderEpoch: stopDuringTopic, Delete: true}})[0]; err != nil {
			t.Fatal(err)
		}
		elapse(time.Minute)
		for _, dir := range m.Dirs() {
			if len(dir.Logs) != 0 {
				t.Errorf("%+v", dir)
			}
		}
		s := leading(0, []int32{1}, []int32{1})
		s.TopicID = [16]byte{9}
		if p := m.apply(s); p.log.LogEndOffset() != 0 || p.log.Future() != nil {
			t.Error("the new topic of that name has something of the old one")
		}
		if m.moves.pending[p.name()] != nil {
			t.Error("the move is still there")
		}
	})
}

func TestFailedTargetOfAMoveLeavesThePartitionOnline(t *testing.T) {
	for _, broken := range []string{"/b", "/a"} {
		synctest.Test(t, func(t *testing.T) {
			var fails atomic.Bool
			m := newMovable(t, vfs.NewFault(vfs.NewMem(), func(op vfs.Op, path string) error {
				if fails.Load() && strings.HasPrefix(path, broken) && op != vfs.OpClose {
					return errors.New("input/output error")
				}
				return nil
			}))
			defer m.stop()
			p := m.apply(leading(0, []int32{1}, []int32{1}))
			for p.log.Size() < 3*moveChunk {
				appendTo(t, p, 2000)
			}
			m.setRate(moveChunk / 10)
			if err := m.AlterLogDir("t", 0, "/b"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			fails.Store(true)
			elapse(time.Minute)
			_, err := p.AppendAsLeader(batch(t, 1, 0), 1, storage.FromClient)
			_, found := m.Partition("t", 0)
			if broken == "/b" {
				if err != nil || found != nil || p.log.Future() != nil {
					t.Errorf("target failed: append %v, partition %v, copy %v", err, found, p.log.Future())
				}
				if err := m.AlterLogDir("t", 0, "/b"); !errors.Is(err, ErrStorage) {
					t.Errorf("move to the failed directory: %v", err)
				}
				return
			}
			if !errors.Is(err, ErrStorage) || !errors.Is(found, ErrStorage) {
				t.Errorf("source failed: append %v, partition %v", err, found)
			}
			if err := m.AlterLogDir("t", 0, "/b"); !errors.Is(err, ErrStorage) {
				t.Errorf("move from the failed directory: %v", err)
			}
			if err := m.applyErr(leading(1, []int32{1}, []int32{1})); !errors.Is(err, ErrStorage) {
				t.Errorf("leader and isr: %v", err)
			}
		})
	}
}
