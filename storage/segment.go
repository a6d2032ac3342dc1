package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// segment is one .log file with its indexes. The last one of a log is active: it alone is
// appended to. The others are sealed.
type segment struct {
	log  *Log
	base int64
	// stage says which names the files have (cleaner_swap.go).
	stage atomic.Int32

	// size is how many bytes readers may see. It is raised after they are written and before
	// the log end is, so who loads size first and the log end second knows that
	// the bytes are all below that log end.
	size atomic.Int64
	file segmentFile

	offsets index[offsetEntry]
	times   index[timeEntry]
	aborted txnIndex

	stampMu    sync.Mutex
	stamp      stamp // largest timestamp
	stampKnown bool

	// The rest is guarded by Log.mu.

	created       int64 // milliseconds; when opened or emptied
	jitter        time.Duration
	firstKnown    bool  // whether firstTime was looked up
	firstTime     int64 // largest timestamp of the first batch, which segment.ms counts from
	lastTime      int64 // of the time index's last entry
	lastTimeKnown bool
	sinceIndex    int64 // bytes since the batch of the last index entry
	flushed       bool  // sealed, and all its files are durable
}

func newSegment(l *Log, base int64) *segment {
	return &segment{log: l, base: base, created: time.Now().UnixMilli(), jitter: l.Config().jitter()}
}

// createSegment makes an empty segment with its file.
func createSegment(l *Log, base int64) (*segment, error) {
	s := newSegment(l, base)
	file, err := l.dir.fs.Create(s.path(logSuffix))
	if err != nil {
		return nil, fmt.Errorf("create segment: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("create segment: %w", err)
	}
	l.folderDirty.Store(true)
	s.stamp, s.stampKnown = stamp{record.NoTimestamp, base}, true
	s.firstTime, s.firstKnown = record.NoTimestamp, true
	return s, nil
}

func (s *segment) path(suffix string) string {
	stage := s.stage.Load()
	if stage == stageLanding && suffix == logSuffix {
		stage = stageFinal
	}
	return s.finalPath(suffix) + stageSuffixes[stage]
}

func (s *segment) finalPath(suffix string) string {
	return s.log.folder() + string(os.PathSeparator) + segmentName(s.base, suffix)
}

// openFile opens one of the segment's files for reading. It may be getting its final name at this moment.
func (s *segment) openFile(suffix string) (vfs.File, error) {
	path := s.path(suffix)
	file, err := s.log.dir.fs.Open(path)
	if final := s.finalPath(suffix); path != final && errors.Is(err, fs.ErrNotExist) {
		return s.log.dir.fs.Open(final)
	}
	return file, err
}

// modified is when the segment was last written to.
func (s *segment) modified() (time.Time, error) {
	info, err := s.log.dir.fs.Stat(s.finalPath(logSuffix))
	if err != nil {
		return time.Time{}, fmt.Errorf("stat segment: %w", err)
	}
	return info.ModTime(), nil
}

// stillThere is asked after a file of the segment was read by its name: once the segment is gone, the name may be
// that of another.
func (s *segment) stillThere() error {
	if s.isGone() {
		return errSegmentGone
	}
	return nil
}

// cursor makes a cursor over the segment's bytes up to end. The file stays open, and the
// buffer taken, until done is called.
func (s *segment) cursor(position, end int64) (c *cursor, done func(), err error) {
	files := s.log.dir.files
	file, err := files.acquire(s)
	if err != nil {
		return nil, nil, err
	}
	buf := files.buffer()
	return &cursor{file: file, pos: position, end: end, buf: buf[:]}, func() {
		files.recycle(buf)
		files.release(s)
	}, nil
}

// locate finds the first entry, among those in the first size bytes, whose last offset is at
// least offset; io.EOF when there is none. The caller holds the file open.
func (s *segment) locate(c *cursor, offset int64) (entry, error) {
	position, indexed, err := s.floorPosition(offset)
	if err != nil && s.isGone() {
		return entry{}, errSegmentGone
	}
	if err != nil || position >= c.end {
		position = 0 // an index cut while we looked, or a bad one: the segment itself tells
	}
	for {
		c.reset(position)
		e, err := c.next()
		if position > 0 && (err != nil || e.last > indexed) {
			s.log.logger().Warn("index entry does not point at its batch, searching the segment from its start")
			position = 0
			continue
		}
		for err == nil && e.last < offset {
			e, err = c.next()
		}
		return e, err
	}
}

// shouldRoll tells whether an append of size bytes belongs in a new segment
// (Kafka: LogSegment.shouldRoll).
func (s *segment) shouldRoll(c *Config, size, lastOffset, timestamp, now int64) (bool, error) {
	used := s.size.Load()
	if used > c.SegmentBytes-size || used > math.MaxInt32-size {
		return true, nil
	}
	if s.offsets.count() >= c.maxOffsetEntries() || s.times.count() >= c.maxTimeEntries() {
		return used > 0, nil
	}
	if _, fits := relativeTo(s.base, lastOffset); !fits {
		return true, nil
	}
	if used == 0 {
		return false, nil
	}
	waited, err := s.waited(timestamp, now)
	return waited > (c.SegmentAge - s.jitter).Milliseconds(), err
}

// waited is the age of the segment in milliseconds as segment.ms means it: between the first batch and the new
// one if they have timestamps, else since it was created.
func (s *segment) waited(timestamp, now int64) (int64, error) {
	if !s.firstKnown {
		first, err := s.firstTimestamp()
		if err != nil {
			return 0, err
		}
		s.firstTime, s.firstKnown = first, true
	}
	if s.firstTime >= 0 {
		return timestamp - s.firstTime, nil
	}
	return now - s.created, nil
}

func (s *segment) firstTimestamp() (int64, error) {
	c, done, err := s.cursor(0, s.size.Load())
	if err != nil {
		return 0, err
	}
	defer done()
	e, err := c.next()
	switch {
	case err == io.EOF:
		return record.NoTimestamp, nil
	case err != nil:
		return 0, fmt.Errorf("read first batch of segment %d: %w", s.base, err)
	}
	return e.maxTimestamp, nil
}

// write puts bytes at the end of the segment; they are not seen before noteBatch and commit.
func (s *segment) write(p []byte) error {
	file, err := s.log.dir.files.acquire(s)
	if err != nil {
		return err
	}
	defer s.log.dir.files.release(s)
	size := s.size.Load()
	if _, err := file.WriteAt(p, size); err != nil {
		// What was written is beyond the size, but a recovery would find it.
		if cut := file.Truncate(size); cut != nil {
			return fmt.Errorf("undo a failed write (%v): %v", err, cut) // for good, even if the disk is full
		}
		return fmt.Errorf("write segment: %w", err)
	}
	return nil
}

// noteBatch keeps the indexes up with a batch at position.
func (s *segment) noteBatch(c *Config, position, size, last, timestamp int64) error {
	if position == 0 {
		s.firstTime, s.firstKnown = timestamp, true
	}
	newest, err := s.newest()
	if err != nil {
		return err
	}
	if timestamp > newest.timestamp {
		s.setNewest(stamp{timestamp, last})
	}
	if s.sinceIndex > int64(c.IndexIntervalBytes) {
		if relative, fits := relativeTo(s.base, last); fits {
			s.offsets.add(offsetEntry{relative, int32(position)})
			if err := s.indexTime(); err != nil {
				return err
			}
		}
		s.sinceIndex = 0
	}
	s.sinceIndex += size
	return nil
}

// spillIndexes writes index entries that have waited long enough. A full disk lets them wait on.
func (s *segment) spillIndexes() error {
	if s.offsets.unwritten() >= spillAfter {
		if err := s.offsets.spill(s); err != nil && !isDiskFull(err) {
			return err
		}
	}
	if s.times.unwritten() >= spillAfter {
		if err := s.times.spill(s); err != nil && !isDiskFull(err) {
			return err
		}
	}
	return nil
}

// completeIndexes leaves index files that have every entry and nothing else, as a sealed segment has them.
// It may be called again, after an error or after further appends.
func (s *segment) completeIndexes() error {
	if err := s.indexTime(); err != nil {
		return err
	}
	if err := s.aborted.spill(s); err != nil {
		return err
	}
	if err := s.offsets.finish(s); err != nil {
		return err
	}
	return s.times.finish(s)
}

// sync makes the segment's bytes durable, and those of its indexes when whole is set.
func (s *segment) sync(whole bool) error {
	file, err := s.log.dir.files.acquire(s)
	if err != nil {
		return err
	}
	defer s.log.dir.files.release(s)
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync segment: %w", err)
	}
	if !whole {
		return nil
	}
	suffixes := []string{offsetSuffix, timeSuffix}
	if !s.aborted.empty() {
		suffixes = append(suffixes, txnSuffix)
	}
	for _, suffix := range suffixes {
		if err := syncFile(s.log.dir.fs, s.path(suffix)); err != nil {
			return err
		}
	}
	return nil
}

// files lists the names of the files that the segment may have.
func (s *segment) files() []string {
	return []string{
		segmentName(s.base, logSuffix), segmentName(s.base, offsetSuffix),
		segmentName(s.base, timeSuffix), segmentName(s.base, txnSuffix),
	}
}

// isGone tells whether the segment was taken out of its log.
func (s *segment) isGone() bool {
	s.file.mu.Lock()
	defer s.file.mu.Unlock()
	return s.file.gone
}
