package storage

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// FuzzLoadFiles opens a log directory one of whose files holds anything: the start ends with an error, or the log is
// served and appended to.
func FuzzLoadFiles(f *testing.F) {
	segment := testFolder + segmentName(0, "")
	files := []string{
		segment + logSuffix, segment + txnSuffix, segment + snapshotSuffix, testFolder + segmentName(9, snapshotSuffix),
		segment + cleanedSuffix, segment + logSuffix + swapSuffix,
		testFolder + epochsName, testFolder + partitionMetaName, testFolder + replacementName,
		"/data/" + metaName, "/data/" + recoveryPointsName, "/data/" + startOffsetsName, "/data/" + highWatermarksName, "/data/" + cleanerName,
	}
	for i := range files {
		f.Add(uint8(i), false, []byte{})
		f.Add(uint8(i), true, []byte("0\n1\ntopic 0 7\n"))
		f.Add(uint8(i), true, []byte("0\n1\n3 7\n"))
	}
	f.Add(uint8(0), false, []byte(plain(f, 1, "a", "b")))
	f.Add(uint8(1), true, bytes.Repeat([]byte{0}, 34))
	f.Add(uint8(7), true, []byte("version: 0\ntopic_id: AQAAAAAAAAAAAAAAAAAAAA"))
	f.Fuzz(func(t *testing.T, which uint8, clean bool, content []byte) {
		mem := vfs.NewMem()
		c := testConfig().with(func(c *Config) { c.SegmentBytes = 500 })
		m, l := openLog(t, testOptions(mem, c, "/data"))
		for i := range int64(12) {
			mustAppend(t, l, plain(t, 100+i, "value"))
		}
		mustClose(t, m)
		d := &disk{t, mem, c}
		if !clean {
			d.unclean(0)
		}
		d.put(files[int(which)%len(files)], content)
		m, err := Open(testOptions(mem, c, "/data"))
		if err != nil {
			_ = err.Error()
			return
		}
		defer m.Close()
		l, ok := m.Log(testTP)
		if !ok {
			return
		}
		end := l.LogEndOffset()
		for offset := l.LogStartOffset(); offset < min(end, l.LogStartOffset()+20); offset++ {
			s, err := l.Read(offset, end, 1<<20, true)
			if err != nil {
				continue // offline, or a file that cannot be read
			}
			s.Release()
			_, _, _ = l.OffsetForTimestamp(100 + offset) // the same
		}
		if a, err := appendAs(l, plain(t, 200, "after"), 1, FromClient); err == nil && a.BaseOffset < end {
			t.Errorf("appended at %d, the end was %d", a.BaseOffset, end)
		}
	})
}

// FuzzFetched gives a follower anything for the answer of its leader.
func FuzzFetched(f *testing.F) {
	b := plain(f, 1, "a", "b")
	f.Add([]byte(b))
	f.Add([]byte(b[:len(b)-1]))
	f.Add(append(bytes.Clone(b), b...))
	f.Add([]byte(plain(f, 1, "z")))
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, renew := range []bool{false, true} {
			answer := bytes.Clone(answer)
			if size, magic, err := record.EntrySize(append(bytes.Clone(answer), make([]byte, 64)...)); renew {
				if err != nil || magic != 2 || size > len(answer) || size < record.HeaderSize {
					return
				}
				binary.BigEndian.PutUint32(answer[17:], record.Batch(answer[:size]).ComputeCRC()) // or nothing gets past the checksum
			}
			_, _, l := memLog(t, testConfig())
			a, err := l.AppendAsFollower(answer)
			if err == nil && len(answer) > 0 && a.LastOffset+1 != l.LogEndOffset() {
				t.Errorf("appended %+v, the end is %d", a, l.LogEndOffset())
			}
			if l.LogEndOffset() > 0 && l.LogEndOffset() < 1<<40 {
				s, err := l.Read(0, l.LogEndOffset(), 1<<20, true)
				if err != nil {
					t.Fatal(err)
				}
				s.Release()
			}
		}
	})
}
