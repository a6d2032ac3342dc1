package storage

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/protocol/record"
)

// CleanerSettings are those of the log cleaner as a whole (Kafka: CleanerConfig.java); those of topics are in Config.
// They may change at any time: what is running goes on with what it began with, but for the rate.
type CleanerSettings struct {
	Threads           int           // log.cleaner.threads
	DedupeBufferSize  int64         // log.cleaner.dedupe.buffer.size, of all threads together
	IOBufferSize      int           // log.cleaner.io.buffer.size, of all threads together
	LoadFactor        float64       // log.cleaner.io.buffer.load.factor, of the map of keys
	MaxBytesPerSecond float64       // log.cleaner.io.max.bytes.per.second, read and written, of all threads together
	Backoff           time.Duration // log.cleaner.backoff.ms
}

// cleaner compacts logs whose cleanup.policy has compact: of the records with the same key it keeps the newest
// (Kafka: LogCleaner.scala). Threads choose the dirtiest log in turn.
//
// A log has a clean section, up to the cleaner's checkpoint, and a dirty one behind it. A cleaning maps the keys of the
// dirty section to their last offsets, copies both sections without the records that the map makes obsolete, segments
// in groups so that they do not become ever smaller, and swaps the copies in. Offsets never change.
//
//	cleaner_pick.go      which log is the dirtiest, and what of it may be cleaned
//	cleaner_pause.go     who may work on a log's sealed segments at a time
//	cleaner_clean.go     one cleaning
//	cleaner_keys.go      the map of keys
//	cleaner_scan.go      reading batches
//	cleaner_txns.go      what is known of transactions on the way
//	cleaner_filter.go    what is kept of a batch
//	cleaner_write.go     the copy
//	cleaner_swap.go      the copy in the place of the original, whatever crashes
//	cleaner_yield.go     how it stays out of the way of requests
//	cleaner_throttle.go  cleaner_stats.go
type cleaner struct {
	m        *Manager
	settings func() CleanerSettings
	rate     throttle
	stats    cleanerStats
}

// settingsInterval is how often the number of threads is compared with the one that is wanted.
const settingsInterval = time.Second

// run keeps the threads going until ctx is done.
func (c *cleaner) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	ticker := time.NewTicker(settingsInterval)
	defer ticker.Stop()
	var ended []chan struct{} // by thread
	for {
		for number := range max(c.settings().Threads, 1) {
			if number == len(ended) {
				ended = append(ended, nil)
			}
			if ended[number] != nil {
				select {
				case <-ended[number]:
				default:
					continue
				}
			}
			done := make(chan struct{})
			ended[number] = done
			running.Go(func() {
				defer close(done)
				c.thread(ctx, number)
			})
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// thread cleans one log after the other, and looks again after a while when there is none. It ends when there are
// to be fewer threads.
func (c *cleaner) thread(ctx context.Context, number int) {
	t := &cleanerThread{c: c, number: number}
	for ctx.Err() == nil && number < max(c.settings().Threads, 1) {
		if t.cleanDirtiest(ctx) {
			continue
		}
		t.rest()
		pause := time.NewTimer(max(c.settings().Backoff, time.Millisecond))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

// cleanerThread is what a thread keeps between cleanings: its map and its buffers.
type cleanerThread struct {
	c       *cleaner
	number  int
	keys    keyMap
	hashed  []keySlot // keys of the batch at hand, with their offsets
	in      batchReader
	out     []byte
	rebuilt []byte // memory of the batches that are written anew
	yield   yielder
}

// rest gives the memory back, which may be much.
func (t *cleanerThread) rest() {
	t.keys, t.hashed, t.in, t.out, t.rebuilt = keyMap{}, nil, batchReader{}, nil, nil
}

// cleanDirtiest cleans the dirtiest log and reports whether there was one and it went well.
func (t *cleanerThread) cleanDirtiest(ctx context.Context) bool {
	d, abortable := t.c.pick(ctx, time.Now())
	if d == nil {
		return false
	}
	l := d.log
	err := t.cleanPicked(abortable, d)
	l.cleaning.end()
	switch {
	case err == nil:
	case errors.Is(err, errCleaningAborted), errors.Is(err, context.Canceled):
		l.logger().Debug("cleaning aborted")
		return true
	case errors.Is(err, ErrOffline), errors.Is(err, ErrClosed):
		return true // which has been spoken of
	case errors.Is(err, ErrDiskFull):
		l.logger().Warn("cleaning found no space for the copy, to be tried again", zap.Error(err))
		return false
	default:
		t.c.markUncleanable(l, err)
		return true
	}
	t.c.m.note(l.tryRetention(time.Now()))
	return err == nil
}

// markUncleanable excludes a log until the next start: what is wrong with it needs a person.
func (c *cleaner) markUncleanable(l *Log, err error) {
	l.cleaning.uncleanable.Store(true)
	what := "cleaning failed, the log is not cleaned again before the next start"
	if errors.Is(err, record.ErrCorrupt) {
		what = "log has a corrupt batch and is not cleaned before the next start: " +
			"delete the records up to it, or let a replica that is sound take over"
	}
	l.logger().Error(what, zap.Error(err))
}

// cleanPicked cleans a log and speaks of it. Errors of the disk have taken the directory offline.
func (t *cleanerThread) cleanPicked(ctx context.Context, d *dirtyLog) error {
	began := time.Now()
	done, err := t.clean(ctx, d, began)
	t.c.stats.add(&done, time.Since(began))
	if err != nil {
		return err
	}
	done.log(d, t.number, time.Since(began))
	return nil
}
