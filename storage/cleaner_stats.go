package storage

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// CleanerStats tell how the cleaner is doing. Counters count from the start.
type CleanerStats struct {
	Cleanings      int64         // that ended well
	BytesRead      int64         // of segments, each twice: for the map and for the copy
	BytesWritten   int64         // of copies
	RecordsDropped int64         // by cleanings that ended well
	Keyless        int64         // records without a key, which a compacted topic drops
	Busy           time.Duration // spent cleaning, of all threads

	LastLook         time.Time        // when a thread last looked for a dirty log
	DirtiestRatio    float64          // of the dirtiest log at that time
	Overdue          time.Duration    // longest that a log was dirty beyond max.compaction.lag.ms then
	MapUsed          float64          // share of the map's slots that the last cleaning used
	Uncleanable      map[string]int   // logs that cannot be cleaned, by log directory
	UncleanableBytes map[string]int64 // dirty bytes of those
}

type uncleanableLogs struct {
	logs  int
	bytes int64
}

// cleanerStats guards CleanerStats.
type cleanerStats struct {
	mu          sync.Mutex
	s           CleanerStats
	uncleanable map[string]uncleanableLogs // by directory; not changed once it is here
}

// CleanerStats describes the work of the log cleaner; it is all zero where there is none.
func (m *Manager) CleanerStats() CleanerStats {
	var s CleanerStats
	var uncleanable map[string]uncleanableLogs
	if m.cleaner != nil {
		c := &m.cleaner.stats
		c.mu.Lock()
		s, uncleanable = c.s, c.uncleanable
		c.mu.Unlock()
	}
	s.Uncleanable, s.UncleanableBytes = map[string]int{}, map[string]int64{}
	for _, d := range m.dirs {
		in := uncleanable[d.path]
		s.Uncleanable[d.path], s.UncleanableBytes[d.path] = in.logs, in.bytes
	}
	return s
}

func (c *cleanerStats) looked(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.LastLook = now
}

func (c *cleanerStats) found(ratio float64, overdue time.Duration, uncleanable map[string]uncleanableLogs) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.DirtiestRatio, c.s.Overdue = ratio, overdue
	c.uncleanable = uncleanable
}

func (c *cleanerStats) add(done *cleaned, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.BytesRead += done.mapBytes + done.bytesRead
	c.s.BytesWritten += done.bytesWritten
	c.s.Busy += took
	c.s.Keyless += done.keyless
	if done.end > 0 {
		c.s.Cleanings++
		c.s.RecordsDropped += done.recordsRead - done.recordsWritten
		c.s.MapUsed = done.utilization
	}
}

// cleaned is what one cleaning did.
type cleaned struct {
	end                         int64 // up to which the log is clean; 0 when the cleaning did not end well
	mapBytes, bytesRead         int64
	bytesWritten                int64
	recordsRead, recordsWritten int64
	keyless                     int64
	mapTime                     time.Duration
	utilization                 float64
}

// log says what Kafka's cleaner says of a cleaning.
func (c *cleaned) log(d *dirtyLog, thread int, took time.Duration) {
	fields := []zap.Field{
		zap.Int("thread", thread), zap.Int64("first_dirty_offset", d.first), zap.Int64("next_dirty_offset", c.end),
		zap.Duration("duration", took), zap.Duration("map_duration", c.mapTime),
		zap.Float64("map_mb", megabytes(c.mapBytes)), zap.Float64("read_mb", megabytes(c.bytesRead)), zap.Float64("written_mb", megabytes(c.bytesWritten)),
		zap.Int64("records_read", c.recordsRead), zap.Int64("records_written", c.recordsWritten),
		zap.Float64("size_reduction_percent", reduction(c.bytesRead, c.bytesWritten)),
		zap.Float64("record_reduction_percent", reduction(c.recordsRead, c.recordsWritten)),
		zap.Float64("map_used_percent", tenths(100*c.utilization)),
	}
	if d.overdue > 0 {
		fields = append(fields, zap.Duration("overdue", d.overdue))
	}
	d.log.logger().Info("log cleaned", fields...)
	if c.keyless > 0 {
		d.log.logger().Warn("records without a key dropped from a compacted log", zap.Int64("records", c.keyless))
	}
}

func megabytes(bytes int64) float64 { return tenths(float64(bytes) / (1 << 20)) }

func reduction(before, after int64) float64 {
	return tenths(100 * (1 - float64(after)/float64(max(before, 1))))
}

// tenths rounds for reading.
func tenths(x float64) float64 { return float64(int64(x*10+0.5)) / 10 }
