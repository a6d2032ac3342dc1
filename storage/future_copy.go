package storage

import (
	"errors"
	"fmt"
	"io"
	"math"

	"go.uber.org/zap"
)

// Copied tells what a step of a copy did.
type Copied struct {
	Bytes   int64 // appended
	Offsets int64 // by which the copy grew
	Left    int64 // by which it is behind the log; 0: it has all, as of a moment ago
}

// Nearly tells whether the copy is, by the size of what was copied, no more than some bytes behind.
func (c Copied) Nearly(bytes int64) bool {
	return c.Left == 0 || c.Offsets > 0 && float64(c.Left)*float64(c.Bytes)/float64(c.Offsets) <= float64(bytes)
}

// CopyFrom is one step of filling a copy from its log: it cuts what the log does not have, appends up to size bytes of
// what comes next, or one batch, and takes over the log start and the high watermark. One goroutine at a time.
// ErrOffline and ErrClosed of the one or the other end the copy; ErrDiskFull passes; record.ErrCorrupt needs a person.
//
// The log may be cut and appended to meanwhile. What was read is appended only if the copy still is a prefix of the log
// after the reading, so that no batch of a later leader epoch follows those that were cut.
func (f *Log) CopyFrom(l *Log, size int, buf []byte) (Copied, []byte, error) {
	if err := f.follow(l); err != nil {
		return Copied{}, buf, err
	}
	at := f.LogEndOffset()
	buf, err := readToCopy(l, at, size, buf)
	switch {
	case errors.Is(err, ErrOffsetOutOfRange), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Copied{Left: max(l.LogEndOffset()-at, 1)}, buf, nil // it was cut meanwhile; the next step sees how
	case err != nil:
		return Copied{}, buf, err
	}
	if !f.prefixOf(l) {
		return Copied{Left: max(l.LogEndOffset()-at, 1)}, buf, nil
	}
	if len(buf) > 0 {
		if err := f.take(buf); err != nil {
			return Copied{}, buf, err
		}
	}
	f.SetHighWatermark(l.HighWatermark())
	if start := min(l.LogStartOffset(), f.HighWatermark()); start > f.LogStartOffset() {
		if err := f.AdvanceLogStart(start); err != nil {
			return Copied{}, buf, err
		}
	}
	end := f.LogEndOffset()
	return Copied{Bytes: int64(len(buf)), Offsets: end - at, Left: max(l.LogEndOffset()-end, 0)}, buf, nil
}

// readToCopy reads batches from an offset on into buf, which it returns, larger if need be.
func readToCopy(l *Log, at int64, size int, buf []byte) ([]byte, error) {
	s, err := l.Read(at, math.MaxInt64, int64(size), true)
	if err != nil {
		return buf[:0], err
	}
	defer s.Release()
	if int64(cap(buf)) < s.Size {
		buf = make([]byte, s.Size)
	}
	buf = buf[:s.Size]
	if len(buf) == 0 {
		return buf, nil
	}
	if n, err := s.ReadAt(buf, 0); n < len(buf) {
		return buf[:0], fmt.Errorf("read %s to copy it: %w", l.tp, err)
	}
	return buf, nil
}

// prefixOf tells whether the copy ends within what the log has of the copy's last leader epoch (KIP-101).
func (f *Log) prefixOf(l *Log) bool {
	end := f.LogEndOffset()
	epoch := f.LatestEpoch()
	if epoch < 0 {
		return end <= l.LogEndOffset()
	}
	found, foundEnd := l.EndOffsetFor(epoch)
	return found == epoch && foundEnd >= end
}

// follow cuts the copy to what the log has, and moves it up to the log's start.
func (f *Log) follow(l *Log) error {
	for f.LogEndOffset() > f.LogStartOffset() {
		offset := f.common(l)
		if offset >= f.LogEndOffset() {
			break
		}
		if offset <= f.LogStartOffset() {
			return f.TruncateFullyAndStartAt(l.LogStartOffset())
		}
		if err := f.TruncateTo(offset); err != nil {
			return err
		}
	}
	if end, start := f.LogEndOffset(), l.LogStartOffset(); end < start || end > l.LogEndOffset() {
		return f.TruncateFullyAndStartAt(start)
	}
	return nil
}

// common is the offset up to which the copy has nothing that the log lacks, as far as one look at the leader epochs tells
// (Kafka: AbstractFetcherThread.getOffsetTruncationState). Without epochs only the high watermark is sure.
func (f *Log) common(l *Log) int64 {
	end := f.LogEndOffset()
	epoch := f.LatestEpoch()
	if epoch < 0 {
		if end <= l.LogEndOffset() {
			return end
		}
		return min(f.HighWatermark(), l.LogEndOffset())
	}
	found, foundEnd := l.EndOffsetFor(epoch)
	switch {
	case found < 0 || foundEnd < 0:
		return min(f.HighWatermark(), l.LogEndOffset())
	case found == epoch:
		return min(foundEnd, end)
	}
	// The log has an older epoch; what the copy has of that one may be more, or less.
	own, ownEnd := f.EndOffsetFor(found)
	if own < 0 || ownEnd < 0 {
		return f.LogStartOffset()
	}
	return min(foundEnd, ownEnd, end-1)
}

// take appends what was read. A first batch that begins below the copy's end, because the log's start or a cut lies in
// its middle, is taken whole.
func (f *Log) take(batches []byte) error {
	_, err := f.AppendAsFollower(batches)
	if !errors.Is(err, ErrUnexpectedOffset) {
		return err
	}
	e, parseErr := parseFetched(batches)
	if parseErr != nil || e.magic < 2 || e.base >= f.LogEndOffset() {
		return err
	}
	f.logger().Info("copy goes on within a batch, which it takes whole", zap.Int64("offset", e.base), zap.Int64("log_end_offset", f.LogEndOffset()))
	if e.base <= f.LogStartOffset() {
		err = f.TruncateFullyAndStartAt(e.base)
	} else {
		err = f.TruncateTo(e.base)
	}
	if err != nil {
		return err
	}
	if _, err := f.AppendAsFollower(batches); err != nil {
		return fmt.Errorf("copy from offset %d: %w", e.base, err)
	}
	return nil
}
