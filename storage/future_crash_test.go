package storage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kbroker/kbroker/storage/vfs"
)

// TestNothingAcknowledgedIsLostByACrashDuringAMove crashes before every sync and rename of a log that is appended to while it
// moves to another directory and back.
func TestNothingAcknowledgedIsLostByACrashDuringAMove(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { crashWhileMoving(t, seed) })
	}
}

func crashWhileMoving(t *testing.T, seed uint64) {
	t.Helper()
	mem := vfs.NewMem()
	rec := &crashRecorder{t: t, mem: mem, may: [][]byte{nil}, seed: seed<<32 | 1<<20}
	c := small().with(func(c *Config) { c.FlushMessages = 1 })
	v := newMover(t, vfs.NewFault(mem, rec.inject), c)
	r := rand.New(rand.NewPCG(seed, 3))
	appendSome := func(count int) {
		for range count {
			rec.append(v.l, plain(t, 1000, strings.Repeat("v", r.IntN(100))))
		}
	}
	appendSome(10)
	for move := range 3 {
		to := []string{"/b", "/a"}[move%2]
		// The copy's appends are not synced one by one: what was acknowledged must be, when it takes its place.
		v.begin(to).SetConfig(small())
		for step := range 12 {
			if step%3 == 0 {
				appendSome(2)
			}
			if move == 2 && step == 8 {
				rec.truncate(v.l, max(v.l.LogEndOffset()-7, 0))
			}
			v.step(300)
		}
		if move == 1 {
			if err := v.m.checkpointRecoveryPoints(); err != nil {
				t.Fatal(err)
			}
			v.reopen()
		}
		v.fill()
		if err := v.m.SettleFuture(testTP); err != nil {
			t.Fatal(err)
		}
		appendSome(1)
		v.fill()
		v.replace().SetConfig(c)
		appendSome(3)
	}
	mustClose(t, v.m)
	if len(rec.points) < 300 {
		t.Fatalf("only %d crashes", len(rec.points))
	}
	for i, p := range rec.points {
		checkCrashedMove(t, p, c, i%6 == 0)
	}
}

// checkCrashedMove looks at what a start finds, and has the move go on to its end.
func checkCrashedMove(t *testing.T, p crashPoint, c *Config, goOn bool) {
	t.Helper()
	o := testOptions(p.disk, c, "/a", "/b")
	m, err := Open(o)
	if err != nil {
		t.Fatalf("%s: %v", p.when, err)
	}
	v := &mover{t: t, fs: p.disk, o: o, m: m}
	defer func() { v.m.Close() }()
	var found bool
	if v.l, found = m.Log(testTP); !found {
		if p.acked > 0 {
			t.Errorf("%s: the partition is gone", p.when)
		}
		return
	}
	got := readAll(t, v.l, 0)
	isPrefix := false
	for _, may := range p.may {
		isPrefix = isPrefix || bytes.HasPrefix(may, got)
	}
	if v.l.LogEndOffset() < p.acked || !isPrefix {
		t.Errorf("%s: log in %s ends at %d with %d bytes", p.when, v.l.Dir(), v.l.LogEndOffset(), len(got))
		return
	}
	if !goOn {
		return
	}
	if _, found := m.Future(testTP); !found {
		v.begin(map[string]string{"/a": "/b", "/b": "/a"}[v.l.Dir()])
	}
	mustAppend(t, v.l, plain(t, 1, "after the crash"))
	want := readAll(t, v.l, 0)
	v.fill()
	if got := readAll(t, v.replace(), 0); !bytes.Equal(got, want) {
		t.Errorf("%s: moved %d bytes, want %d", p.when, len(got), len(want))
	}
	v.reopen()
	if got := readAll(t, v.l, 0); !bytes.Equal(got, want) {
		t.Errorf("%s: after a move and a restart %d bytes, want %d", p.when, len(got), len(want))
	}
}
