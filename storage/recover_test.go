package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// disk is a stopped broker's file system, to be damaged.
type disk struct {
	t   *testing.T
	mem *vfs.Mem
	c   *Config
}

const testFolder = "/data/topic-0/"

// filledDisk holds ten segments of five batches of one record each, an aborted transaction in
// some, closed cleanly.
func filledDisk(t *testing.T) *disk {
	d := &disk{t, vfs.NewMem(), testConfig().with(func(c *Config) { c.SegmentBytes, c.IndexIntervalBytes = 510, 90 })}
	m, l := openLog(t, testOptions(d.mem, d.c, "/data"))
	sequence := int32(0)
	for l.LogEndOffset() < 50 {
		if l.LogEndOffset()%10 == 8 {
			b, err := record.BuildMarker(record.Marker{Type: record.AbortMarker}, 1, 0, 1000+l.LogEndOffset())
			if err != nil {
				t.Fatal(err)
			}
			mustAppend(t, l, b)
			continue
		}
		b := batchOf(t, record.BatchOptions{
			Producer: &record.Producer{ID: 1, Sequence: sequence}, Transactional: true,
		}, 1000+l.LogEndOffset(), strings.Repeat("v", 30))
		sequence++
		mustAppend(t, l, b)
	}
	mustClose(t, m)
	return d
}

// unclean makes the last stop a crash.
func (d *disk) unclean(recoveryPoint int64) {
	d.t.Helper()
	if err := d.mem.Remove("/data/" + cleanShutdownName); err != nil {
		d.t.Fatal(err)
	}
	d.put("/data/"+recoveryPointsName, []byte(fmt.Sprintf("0\n1\ntopic 0 %d\n", recoveryPoint)))
}

func (d *disk) put(path string, content []byte) {
	d.t.Helper()
	f, err := d.mem.Create(path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(content, 0); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) get(path string) []byte {
	d.t.Helper()
	content, err := readFile(d.mem, path)
	if err != nil {
		d.t.Fatal(err)
	}
	return content
}

func (d *disk) edit(path string, change func([]byte) []byte) { d.put(path, change(d.get(path))) }

func (d *disk) remove(path string) {
	d.t.Helper()
	if err := d.mem.Remove(path); err != nil {
		d.t.Fatal(err)
	}
}

func TestFilledDiskIsAsTheTableBelowExpects(t *testing.T) {
	d := filledDisk(t)
	m, l := openLog(t, testOptions(d.mem, d.c, "/data"))
	defer m.Close()
	want := []int64{0, 5, 10, 15, 20, 25, 30, 35, 40, 45}
	if got := segmentBases(l); !slices.Equal(got, want) {
		t.Fatalf("segments at %v, want %v", got, want)
	}
	for _, s := range *l.segments.Load() {
		if s.offsets.count() == 0 || s.times.count() == 0 {
			t.Errorf("segment %d has %d and %d index entries", s.base, s.offsets.count(), s.times.count())
		}
	}
}

func logFile(base int64) string      { return testFolder + segmentName(base, logSuffix) }
func offsetFile(base int64) string   { return testFolder + segmentName(base, offsetSuffix) }
func timeFile(base int64) string     { return testFolder + segmentName(base, timeSuffix) }
func snapshotFile(base int64) string { return testFolder + segmentName(base, snapshotSuffix) }

// third is where the third batch of a segment starts.
func third(p []byte) int {
	at := 0
	for range 2 {
		at += record.LogOverhead + int(binary.BigEndian.Uint32(p[at+8:]))
	}
	return at
}

// damageCase is something that can befall a disk, and what must be left.
type damageCase struct {
	damage func(d *disk)
	want   int64  // log end
	warns  string // a line that must be logged
}

func cutTail(n int) func([]byte) []byte { return func(p []byte) []byte { return p[:len(p)-n] } }

func TestDamageIsRepairedAndNothingSoundIsLost(t *testing.T) {
	for _, cases := range []map[string]damageCase{badBatches(), missingFiles(), cleanDamage(), leftovers()} {
		for name, test := range cases {
			t.Run(name, func(t *testing.T) { checkRepair(t, test.damage, test.want, test.warns) })
		}
	}
}

// badBatches are what a crash does to the end of a log.
func badBatches() map[string]damageCase {
	return map[string]damageCase{
		"torn tail": {func(d *disk) { d.unclean(45); d.edit(logFile(45), cutTail(7)) }, 49, "log cut at the first batch that is not sound"},
		"tail of zeros": {
			func(d *disk) {
				d.unclean(45)
				d.edit(logFile(45), func(p []byte) []byte { return append(p, make([]byte, 1000)...) })
			}, 50, "log cut at the first batch that is not sound",
		},
		"bad checksum in the last segment": {
			func(d *disk) {
				d.unclean(45)
				d.edit(logFile(45), func(p []byte) []byte { p[third(p)+70] ^= 1; return p })
			}, 47, "log cut at the first batch that is not sound",
		},
		"bad checksum before other segments": {
			func(d *disk) {
				d.unclean(32)
				d.edit(logFile(35), func(p []byte) []byte { p[third(p)+70] ^= 1; return p })
			}, 37, "dropping the segments behind the cut",
		},
		"length too large": {
			func(d *disk) {
				d.unclean(45)
				d.edit(logFile(45), func(p []byte) []byte { p[third(p)+8] = 0x7f; return p })
			}, 47, "log cut at the first batch that is not sound",
		},
		"length too small": {
			func(d *disk) {
				d.unclean(45)
				d.edit(logFile(45), func(p []byte) []byte {
					binary.BigEndian.PutUint32(p[third(p)+8:], 3)
					return p
				})
			}, 47, "log cut at the first batch that is not sound",
		},
		"offset that goes back": {
			func(d *disk) {
				d.unclean(45)
				d.edit(logFile(45), func(p []byte) []byte { binary.BigEndian.PutUint64(p[third(p):], 12); return p })
			}, 47, "log cut at the first batch that is not sound",
		},
		"unknown magic": {
			func(d *disk) {
				d.unclean(45)
				d.edit(logFile(45), func(p []byte) []byte { p[third(p)+16] = 7; return p })
			}, 47, "log cut at the first batch that is not sound",
		},
	}
}

// missingFiles are what else an unclean stop may lack.
func missingFiles() map[string]damageCase {
	return map[string]damageCase{
		"empty last segment":           {func(d *disk) { d.unclean(0); d.put(logFile(45), nil) }, 45, ""},
		"segment that overlaps":        {func(d *disk) { d.unclean(0); d.put(logFile(43), d.get(logFile(45))) }, 43 + 2, ""},
		"no recovery point":            {func(d *disk) { d.unclean(0); d.remove("/data/" + recoveryPointsName) }, 50, ""},
		"malformed recovery points":    {func(d *disk) { d.unclean(0); d.put("/data/"+recoveryPointsName, []byte("0\n7\n")) }, 50, "checkpoint ignored"},
		"recovery point above the end": {func(d *disk) { d.unclean(99999) }, 50, ""},
		"all indexes gone": {func(d *disk) {
			d.unclean(0)
			for base := int64(0); base < 50; base += 5 {
				d.remove(offsetFile(base))
				d.remove(timeFile(base))
			}
		}, 50, ""},
		"all snapshots gone": {func(d *disk) {
			d.unclean(45)
			for base := int64(5); base <= 50; base += 5 {
				d.remove(snapshotFile(base))
			}
		}, 50, ""},
		"corrupt snapshot of the recovery's segment": {
			func(d *disk) { d.unclean(45); d.edit(snapshotFile(45), func(p []byte) []byte { p[9] ^= 1; return p }) },
			50, "producer snapshot dropped",
		},
		"no leader epochs": {func(d *disk) { d.unclean(45); d.remove(testFolder + epochsName) }, 50, ""},
	}
}

// cleanDamage is what befalls a disk after a clean stop, which promises that files are whole.
func cleanDamage() map[string]damageCase {
	return map[string]damageCase{
		"clean, offset index gone":    {func(d *disk) { d.remove(offsetFile(20)) }, 50, "index is missing or corrupt, rebuilding it"},
		"clean, time index gone":      {func(d *disk) { d.remove(timeFile(20)) }, 50, "index is missing or corrupt, rebuilding it"},
		"clean, active index gone":    {func(d *disk) { d.remove(offsetFile(45)) }, 50, "index is missing or corrupt, rebuilding it"},
		"clean, odd size of an index": {func(d *disk) { d.edit(offsetFile(20), cutTail(3)) }, 50, "index is missing or corrupt, rebuilding it"},
		"clean, zeros behind the offset index": {
			func(d *disk) {
				d.edit(offsetFile(20), func(p []byte) []byte { return append(p, make([]byte, 4096)...) })
			},
			50, "index is missing or corrupt, rebuilding it",
		},
		"clean, zeros behind the time index": {
			func(d *disk) { d.edit(timeFile(20), func(p []byte) []byte { return append(p, make([]byte, 1200)...) }) },
			50, "index is missing or corrupt, rebuilding it",
		},
		"clean, zeros for an index": {
			func(d *disk) { d.edit(offsetFile(20), func(p []byte) []byte { return make([]byte, len(p)) }) },
			50, "index is missing or corrupt, rebuilding it",
		},
		"clean, zeros for a time index": {
			func(d *disk) { d.put(timeFile(20), make([]byte, 36)) },
			50, "index is missing or corrupt, rebuilding it",
		},
		"clean, garbage for an index": {
			func(d *disk) { d.put(offsetFile(20), bytes.Repeat([]byte{0xee, 1, 0x5a, 0x77}, 20)) },
			50, "index is missing or corrupt, rebuilding it",
		},
		"clean, corrupt transaction index": {
			func(d *disk) { d.put(testFolder+segmentName(25, txnSuffix), make([]byte, 34)) },
			50, "index is missing or corrupt, rebuilding it",
		},
		"clean, corrupt last snapshot": {
			func(d *disk) { d.edit(snapshotFile(50), func(p []byte) []byte { p[9] ^= 1; return p }) },
			50, "producer snapshot dropped",
		},
		"clean, last snapshot gone": {func(d *disk) { d.remove(snapshotFile(50)) }, 50, ""},
		"clean, last segment gone": {func(d *disk) {
			for _, suffix := range []string{logSuffix, offsetSuffix, timeSuffix, txnSuffix} {
				removeIfThere(d.mem, testFolder+segmentName(45, suffix))
			}
		}, 45, ""},
		"clean, no leader epochs":        {func(d *disk) { d.remove(testFolder + epochsName) }, 50, ""},
		"clean, malformed leader epochs": {func(d *disk) { d.put(testFolder+epochsName, []byte("0\n2\n0 0\n")) }, 50, "leader epochs are unreadable, searching the segments for them"},
		"clean, torn active segment":     {func(d *disk) { d.edit(logFile(45), cutTail(7)); d.remove(snapshotFile(50)) }, 49, "log cut at the first batch that is not sound"},
	}
}

// leftovers are what an interrupted deletion or cleaning leaves.
func leftovers() map[string]damageCase {
	return map[string]damageCase{
		"files to be deleted":   {func(d *disk) { d.put(logFile(0)+deletedSuffix, d.get(logFile(0))) }, 50, ""},
		"index without segment": {func(d *disk) { d.put(offsetFile(47), make([]byte, 8)) }, 50, "index without segment removed"},
		"cleaning not done":     {func(d *disk) { d.put(logFile(10)+cleanedSuffix, []byte("part")) }, 50, ""},
		"split not done": {func(d *disk) {
			d.put(logFile(10)+cleanedSuffix, nil)
			d.put(logFile(20)+swapSuffix, d.get(logFile(20)))
		}, 50, ""},
		"snapshot of no segment":   {func(d *disk) { d.put(snapshotFile(47), d.get(snapshotFile(45))) }, 50, ""},
		"snapshot above the end":   {func(d *disk) { d.unclean(45); d.put(snapshotFile(99), d.get(snapshotFile(45))) }, 50, ""},
		"files that nobody knows":  {func(d *disk) { d.put(testFolder+"notes.txt", []byte("hello")) }, 50, ""},
		"cleaning all but renamed": {func(d *disk) { d.put(logFile(10)+swapSuffix, d.get(logFile(10))) }, 50, ""},
	}
}

func checkRepair(t *testing.T, damage func(*disk), want int64, warns string) {
	d := filledDisk(t)
	before := d.contents()
	damage(d)
	logger, logs := observed()
	o := testOptions(d.mem, d.c, "/data")
	o.Logger = logger
	m, l := openLog(t, o)
	if l.LogEndOffset() != want {
		t.Fatalf("log end %d, want %d", l.LogEndOffset(), want)
	}
	if warns != "" && logs.FilterMessage(warns).FilterLevelExact(zapcore.WarnLevel).Len() == 0 {
		t.Errorf("%q was not logged", warns)
	}
	all := readAll(t, l, 0)
	bases := offsetsIn(t, all)
	for i, base := range bases {
		if base != int64(i) {
			t.Fatalf("offsets %v", bases)
		}
	}
	if int64(len(bases)) != want && want%5 == 0 && want > 45 {
		t.Errorf("%d batches below %d", len(bases), want)
	}
	if !bytes.HasPrefix(before, all) {
		t.Error("bytes differ from those written")
	}
	checkDerived(t, l, want)

	// It goes on, and what was repaired stays so.
	mustAppend(t, l, plain(t, 5000, "more"))
	mustClose(t, m)
	m, l = openLog(t, testOptions(d.mem, d.c, "/data"))
	defer m.Close()
	if got := readAll(t, l, 0); !bytes.HasPrefix(got, all) || l.LogEndOffset() != want+1 {
		t.Errorf("after another start: log end %d", l.LogEndOffset())
	}
}

// checkDerived compares what is derived from the batches of filledDisk with what it must be.
func checkDerived(t *testing.T, l *Log, end int64) {
	t.Helper()
	if l.LatestEpoch() != 0 || l.EpochAt(0) != 0 {
		t.Errorf("leader epochs: latest %d, at 0 %d", l.LatestEpoch(), l.EpochAt(0))
	}
	aborted, err := l.AbortedIn(0, end)
	if err != nil {
		t.Fatal(err)
	}
	var want []Aborted
	for marker := int64(8); marker < end; marker += 10 {
		want = append(want, Aborted{1, max(marker-9, 0)})
	}
	if !slices.Equal(aborted, want) {
		t.Errorf("aborted transactions %v, want %v", aborted, want)
	}
	producers := l.Producers()
	sequence := int32(end-1) - int32((end+1)/10)
	if len(producers) != 1 || producers[0].LastSequence != sequence {
		t.Errorf("producers %+v, want sequence %d", producers, sequence)
	}
	for offset := range end {
		found, ok, err := l.OffsetForTimestamp(1000 + offset)
		if err != nil || !ok || found.Offset != offset {
			t.Errorf("timestamp %d: %+v %v %v", 1000+offset, found, ok, err)
		}
	}
}

// contents are the bytes of all segments in order.
func (d *disk) contents() []byte {
	var all []byte
	for base := int64(0); base < 50; base += 5 {
		all = append(all, d.get(logFile(base))...)
	}
	return all
}

func TestCompletedCleaningReplacesItsSources(t *testing.T) {
	d := filledDisk(t)
	d.unclean(45)
	// Segments 10 and 15 were cleaned into one, of which the first batch and the last are left.
	ten, fifteen := d.get(logFile(10)), d.get(logFile(15))
	second := record.LogOverhead + int(binary.BigEndian.Uint32(ten[8:]))
	lastOf := third(fifteen)
	for range 2 {
		lastOf += record.LogOverhead + int(binary.BigEndian.Uint32(fifteen[lastOf+8:]))
	}
	d.put(logFile(10)+swapSuffix, append(bytes.Clone(ten[:second]), fifteen[lastOf:]...))
	d.put(offsetFile(10)+swapSuffix, nil)
	d.put(timeFile(10)+swapSuffix, nil)
	m, l := openLog(t, testOptions(d.mem, d.c, "/data"))
	defer m.Close()
	if got := segmentBases(l); !slices.Equal(got, []int64{0, 5, 10, 20, 25, 30, 35, 40, 45}) {
		t.Errorf("segments at %v", got)
	}
	want := []int64{8, 9, 10, 19, 20, 21}
	if got := offsetsIn(t, readAll(t, l, 8)); len(got) < 6 || !slices.Equal(got[:6], want) {
		t.Errorf("offsets %v, want %v", got, want)
	}
	s, err := l.Read(12, 50, 1<<20, true)
	if err != nil || s.Size == 0 {
		t.Fatalf("read in the gap: %+v %v", s, err)
	}
	s.Release()
	if _, err := d.mem.Stat(logFile(15)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the source is still there: %v", err)
	}
}

func TestStartOffsetBeyondTheEndEmptiesTheLog(t *testing.T) {
	for _, clean := range []bool{true, false} {
		d := filledDisk(t)
		if !clean {
			d.unclean(45)
		}
		d.put("/data/"+startOffsetsName, []byte("0\n1\ntopic 0 70\n"))
		m, l := openLog(t, testOptions(d.mem, d.c, "/data"))
		if l.LogStartOffset() != 70 || l.LogEndOffset() != 70 || l.Size() != 0 || l.LatestEpoch() != -1 {
			t.Errorf("clean %v: log is [%d, %d) with %d bytes", clean, l.LogStartOffset(), l.LogEndOffset(), l.Size())
		}
		if a := mustAppend(t, l, plain(t, 1, "v")); a.BaseOffset != 70 {
			t.Errorf("clean %v: appended at %d", clean, a.BaseOffset)
		}
		mustClose(t, m)
	}
}

func FuzzLoadIndexes(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(bytes.Repeat([]byte{0, 0, 0, 1, 0, 0, 0, 90}, 3), make([]byte, 24))
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff}, bytes.Repeat([]byte{0xff}, 36))
	f.Fuzz(func(t *testing.T, offsets, times []byte) {
		mem := vfs.NewMem()
		c := testConfig().with(func(c *Config) { c.SegmentBytes, c.IndexIntervalBytes = 500, 50 })
		m, l := openLog(t, testOptions(mem, c, "/data"))
		for i := range int64(12) {
			mustAppend(t, l, plain(t, 100+i, "value"))
		}
		want := readAll(t, l, 0)
		mustClose(t, m)
		d := &disk{t, mem, c}
		d.put(offsetFile(0), offsets)
		d.put(timeFile(0), times)
		m, l = openLog(t, testOptions(mem, c, "/data"))
		defer m.Close()
		for offset := range l.LogEndOffset() {
			s, err := l.Read(offset, l.LogEndOffset(), 1<<20, true)
			if err != nil || s.Size == 0 {
				t.Fatalf("read at %d: %+v %v", offset, s, err)
			}
			s.Release()
			if _, _, err := l.OffsetForTimestamp(100 + offset); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(readAll(t, l, 0), want) {
			t.Fatal("other bytes")
		}
	})
}
