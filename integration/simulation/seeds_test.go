//go:build synctests

package simulation

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap/zapcore"
)

// TestSeeds runs the seeds from KBROKER_SIM_SEED on: KBROKER_SIM_SEEDS of them, or as many as fit into KBROKER_SIM_FOR.
// KBROKER_SIM_ONLY names the only fault that happens, KBROKER_SIM_DEBUG has everybody log more, KBROKER_SIM_JOURNAL names a file for
// the journal of a single seed, and KBROKER_SIM_FIRST ends with the first seed that fails.
func TestSeeds(t *testing.T) {
	first, count := number(t, "KBROKER_SIM_SEED", 1), number(t, "KBROKER_SIM_SEEDS", 5)
	q := &queue{next: first, end: first + count, stopAtFirst: os.Getenv("KBROKER_SIM_FIRST") != ""}
	if s := os.Getenv("KBROKER_SIM_FOR"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		q.until, q.end = time.Now().Add(d), 1<<63
	}
	began := time.Now()
	t.Run("each", func(t *testing.T) { // each core has a bubble at a time
		for worker := range min(runtime.GOMAXPROCS(0), int(count)) {
			t.Run(fmt.Sprint("core", worker), func(t *testing.T) {
				t.Parallel()
				for seed, ok := q.take(); ok; seed, ok = q.take() {
					t.Run(fmt.Sprint(seed), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { q.add(runSeed(t, seed)) })
					})
				}
			})
		}
	})
	for _, text := range q.broken { // again, where the end of the output is all that is left of it
		t.Error(text)
	}
	t.Logf("%d seeds from %d on in %s: %d faults, %d records acknowledged, %d producers began anew",
		q.done, first, time.Since(began).Round(time.Millisecond), q.faults, q.records, q.resets)
}

// queue gives seeds to workers and adds up what they say.
type queue struct {
	until       time.Time // zero: until end
	stopAtFirst bool

	mu                            sync.Mutex
	next, end                     uint64
	broken                        []string // the first violation of each seed that failed
	done, faults, records, resets int
}

func (q *queue) take() (seed uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.next == q.end || q.stopAtFirst && len(q.broken) > 0 || !q.until.IsZero() && time.Now().After(q.until) {
		return 0, false
	}
	q.next++
	return q.next - 1, true
}

func (q *queue) add(r Result) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(r.Violations) > 0 {
		q.broken = append(q.broken, fmt.Sprintf("seed %d: %s", r.Plan.Seed, r.Violations[0]))
	}
	q.done++
	q.faults += r.Faults
	q.records += r.Records
	q.resets += r.Resets
}

func runSeed(t *testing.T, seed uint64) Result {
	t.Helper()
	plan := NewPlan(seed)
	plan.Only = os.Getenv("KBROKER_SIM_ONLY")
	plan.Journal = os.Getenv("KBROKER_SIM_JOURNAL")
	if os.Getenv("KBROKER_SIM_DEBUG") != "" {
		plan.Log, plan.ClientLog = zapcore.DebugLevel, kgo.LogLevelDebug
	}
	r := Run(plan)
	report(t, r)
	return r
}

func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// report fails the test for what is broken, and keeps the journal.
func report(t *testing.T, r Result) {
	t.Helper()
	if len(r.Violations) == 0 {
		return
	}
	const most = 20
	for _, v := range r.Violations[:min(most, len(r.Violations))] {
		t.Errorf("seed %d: %s", r.Plan.Seed, v)
	}
	if r.Journal == nil {
		return
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("kbroker-simulation-%d.log", r.Plan.Seed))
	if err := os.WriteFile(path, r.Journal.Text(), 0o600); err != nil {
		t.Error(err)
	}
	t.Logf("seed %d: repeat: KBROKER_SIM_SEED=%d KBROKER_SIM_SEEDS=1 go test -tags synctests -run TestSeeds ./integration/simulation\nthe whole journal is in %s",
		r.Plan.Seed, r.Plan.Seed, path)
}
