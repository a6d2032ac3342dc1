package storage

import (
	"fmt"
	"path/filepath"
	"slices"
)

// A segment's files have their final names, or while it is made by the cleaner others.
const (
	stageFinal   int32 = iota
	stageCleaned       // being written; a start removes it
	stageSwapped       // complete; a start puts it in the place of the original
	stageLanding       // the segment has its final name, its indexes not yet
)

var stageSuffixes = [...]string{stageFinal: "", stageCleaned: cleanedSuffix, stageSwapped: swapSuffix, stageLanding: swapSuffix}

// segmentSuffixes are those of the files that a segment may have.
var segmentSuffixes = []string{logSuffix, offsetSuffix, timeSuffix, txnSuffix}

// swapIn puts cleaned segments in the place of those that they were made from, so that a crash at any point leaves the one
// or the other (Kafka: LocalLog.replaceSegments; loader.tidy does the rest after a crash). The caller has the
// cleaning's turn, so that nobody else takes segments out. Log.mu is held for the change of the list only; readers wait for nothing.
//
// Each step is durable before the next one begins, since nothing is said about the order in which renamings reach the disk:
//
//  0. The copies are there under their .cleaned names, with all their files.
//  1. The copies become .swap, the last one first. One that is still .cleaned tells a start that all are void.
//  2. The list of segments changes. Readers who come now read the copies.
//  3. The originals become .deleted. A start that finds .swap files removes what is left of the originals.
//  4. The copies get their final names, and then their indexes: an index of that name beside a .log.swap is an original.
func (l *Log) swapIn(originals, copies []*segment) error {
	if err := l.syncNames(); err != nil {
		return err
	}
	for _, s := range slices.Backward(copies) {
		if err := s.rename(stageSwapped); err != nil {
			return err
		}
		if err := l.syncNames(); err != nil {
			return err
		}
	}
	stale := l.publish(originals, copies)
	for i, name := range stale {
		if err := l.rename(name, name+deletedSuffix); err != nil {
			return err
		}
		stale[i] = filepath.Join(l.folder(), name+deletedSuffix)
	}
	for _, s := range originals {
		err := l.dir.files.retire(s, func() error {
			for _, name := range s.files() {
				if err := l.rename(name, name+deletedSuffix); err != nil {
					return err
				}
				stale = append(stale, filepath.Join(l.folder(), name+deletedSuffix))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := l.syncNames(); err != nil {
		return err
	}
	for _, stage := range []int32{stageLanding, stageFinal} {
		for _, s := range copies {
			if err := s.rename(stage); err != nil {
				return err
			}
		}
		if err := l.syncNames(); err != nil {
			return err
		}
	}
	l.dir.trash.add(l.dir, l.Config().FileDeleteDelay, stale...)
	return nil
}

// publish changes the list of segments. It returns the names of snapshots at bases that are none any more.
func (l *Log) publish(originals, copies []*segment) (stale []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	segments := *l.segments.Load()
	at := floorSegment(segments, originals[0].base)
	replaced := slices.Concat(segments[:at], copies, segments[at+len(originals):])
	l.marks.forgetPosition() // before anybody sees a segment to which it does not belong
	l.segments.Store(&replaced)
	for _, s := range originals {
		gone := !slices.ContainsFunc(copies, func(c *segment) bool { return c.base == s.base })
		i := slices.Index(l.producers.snapshots, s.base)
		if gone && i >= 0 {
			l.producers.snapshots = slices.Delete(l.producers.snapshots, i, i+1)
			l.producers.unsynced = slices.DeleteFunc(l.producers.unsynced, func(o int64) bool { return o == s.base })
			stale = append(stale, segmentName(s.base, snapshotSuffix))
		}
	}
	return stale
}

// rename gives the files of the segment the names of a stage. Its file's mutex is held, so that nobody opens by a name that is
// going; an index is looked for under its final name too.
func (s *segment) rename(stage int32) error {
	s.file.mu.Lock()
	defer s.file.mu.Unlock()
	for _, suffix := range segmentSuffixes {
		from := s.path(suffix)
		to := s.finalPath(suffix) + stageSuffixes[stage]
		if stage == stageLanding && suffix == logSuffix {
			to = s.finalPath(suffix)
		}
		if from == to {
			continue
		}
		if err := renameIfThere(s.log.dir.fs, from, to); err != nil {
			return err
		}
	}
	s.stage.Store(stage)
	return nil
}

// rename renames a file in the folder that may be missing.
func (l *Log) rename(from, to string) error {
	return renameIfThere(l.dir.fs, filepath.Join(l.folder(), from), filepath.Join(l.folder(), to))
}

func (l *Log) syncNames() error {
	if err := l.dir.fs.SyncDir(l.folder()); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
