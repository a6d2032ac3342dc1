//go:build synctests

package simulation

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap/zapcore"
)

// TestSeeds runs the seeds from KBROKER_SIM_SEED on: KBROKER_SIM_SEEDS of them, or as many as fit into KBROKER_SIM_FOR.
// KBROKER_SIM_ONLY names the only fault that happens, KBROKER_SIM_DEBUG has everybody log more, and KBROKER_SIM_FIRST ends with
// the first seed that fails.
func TestSeeds(t *testing.T) {
	first, count := number(t, "KBROKER_SIM_SEED", 1), number(t, "KBROKER_SIM_SEEDS", 5)
	var limit time.Duration
	if s := os.Getenv("KBROKER_SIM_FOR"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		limit, count = d, 1<<40
	}
	began := time.Now()
	records, faults, resets, done := 0, 0, 0, uint64(0)
	stopAtFirst := os.Getenv("KBROKER_SIM_FIRST") != ""
	for seed := first; seed < first+count && (limit == 0 || time.Since(began) < limit) && !(stopAtFirst && t.Failed()); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := NewPlan(seed)
				plan.Only = os.Getenv("KBROKER_SIM_ONLY")
				plan.Journal = os.Getenv("KBROKER_SIM_JOURNAL")
				if os.Getenv("KBROKER_SIM_DEBUG") != "" {
					plan.Log, plan.ClientLog = zapcore.DebugLevel, kgo.LogLevelDebug
				}
				r := Run(plan)
				records, faults, resets = records+r.Records, faults+r.Faults, resets+r.Resets
				report(t, r)
			})
		})
		done++
	}
	t.Logf("%d seeds in %s: %d faults, %d records acknowledged, %d producers began anew", done, time.Since(began).Round(time.Millisecond), faults, records, resets)
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
		t.Error(v)
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("kbroker-simulation-%d.log", r.Plan.Seed))
	if err := os.WriteFile(path, r.Journal.Text(), 0o600); err != nil {
		t.Error(err)
	}
	lines := strings.Split(string(r.Journal.Text()), "\n")
	const tail = 40
	t.Logf("repeat: KBROKER_SIM_SEED=%d KBROKER_SIM_SEEDS=1 go test -tags synctests -run TestSeeds ./integration/simulation\nthe whole journal is in %s; its end:\n%s",
		r.Plan.Seed, path, strings.Join(lines[max(0, len(lines)-tail):], "\n"))
}
