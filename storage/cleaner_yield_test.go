package storage

import (
	"testing"
	"time"
)

// TestCleanerKeepsItsShare: beside others who take the core for long, a cleaning must not be left with next to nothing.
func TestCleanerKeepsItsShare(t *testing.T) {
	for _, test := range []struct{ waited, turn time.Duration }{
		{0, shortestTurn},
		{time.Microsecond, shortestTurn},
		{4 * time.Millisecond, time.Millisecond},
		{time.Minute, longestTurn},
	} {
		if turn := turnAfter(test.waited); turn != test.turn {
			t.Errorf("a turn of %v after a wait of %v, not of %v", turn, test.waited, test.turn)
		}
	}
}

// TestCleanerOffersTheCore: the clock is looked at only now and then, and the core is offered once a turn is over.
func TestCleanerOffersTheCore(t *testing.T) {
	y := yielder{}
	y.worked(workPerLook - 1)
	if !y.began.IsZero() {
		t.Error("the core was offered before there was any work")
	}
	y.worked(1)
	first := y.began
	if first.IsZero() || y.turn < shortestTurn {
		t.Errorf("a first turn of %v that began at %v", y.turn, first)
	}
	y.turn = time.Hour
	y.worked(workPerLook)
	if y.began != first {
		t.Error("the core was offered within a turn")
	}
	y.turn, y.began = shortestTurn, first.Add(-time.Second)
	y.worked(workPerLook)
	if !y.began.After(first) {
		t.Error("the core was not offered after a turn")
	}
}
