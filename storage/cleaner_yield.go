package storage

import "time"

// What a cleaning does between two looks at the clock, and between two offers of the core.
const (
	recordWork   = 256      // bytes that a look at a record counts as, whatever its size
	workPerLook  = 16 << 10 // bytes
	pieceSize    = 64 << 10 // bytes that are read or written at a time: the system call of a large buffer is long
	shortestTurn = 50 * time.Microsecond
	longestTurn  = 2 * time.Millisecond
)

// yielder offers the core, again and again, to the threads that wait for it while one of the cleaner's computes. Kernels let
// a thread that does not wait by itself go on for milliseconds, while a request needs the core for some hundredths of one.
//
// It offers nothing to Go's scheduler (runtime.Gosched): behind goroutines that compute, as those of a busy broker do, the cleaner
// would wait for 10 ms each time, and hardly clean any more.
//
// On a machine that is busy with others an offer takes long. The thread then works for a part of the time that it waited
// before it offers the core again, so that a fifth is left to it beside one of them: offering at the same rate would
// leave a fiftieth.
type yielder struct {
	work  int // bytes since the last look at the clock
	began time.Time
	turn  time.Duration
}

// worked counts the bytes of what was done since it was called last. It may wait.
func (y *yielder) worked(bytes int) {
	if y.work += bytes; y.work < workPerLook {
		return
	}
	y.work = 0
	offered := time.Now()
	if offered.Sub(y.began) < y.turn {
		return
	}
	yieldCore()
	y.began = time.Now()
	y.turn = turnAfter(y.began.Sub(offered))
}

// turnAfter is how long to work after a wait.
func turnAfter(waited time.Duration) time.Duration {
	return min(max(waited/4, shortestTurn), longestTurn)
}
