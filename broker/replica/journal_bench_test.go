package replica

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/coordinator/journal"
	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

func benchJournal(b *testing.B, fs vfs.FS, dir string, codec record.Codec) *Journal {
	h := newHost(b, fs, dir)
	h.apply(leading(0, []int32{1}, []int32{1}))
	j := NewJournal(h.Manager, JournalOptions{
		Topic: "t", Codec: func() record.Codec { return codec }, LoadBufferSize: func() int { return 5 << 20 }, Logger: zap.NewNop(),
	})
	b.Cleanup(j.Close)
	return j
}

func offsetRecord(group, partition int) journal.Record {
	return journal.OffsetRecord(
		kmsg.OffsetCommitKey{Group: fmt.Sprintf("a-group-of-consumers-%d", group), Topic: "orders", Partition: int32(partition)},
		kmsg.OffsetCommitValue{Offset: 1 << 40, CommitTimestamp: 1700000000000, ExpireTimestamp: -1})
}

// BenchmarkJournalAppend is an OffsetCommit of one partition on the disk: its record, its batch, and that it is committed,
// with one replica.
func BenchmarkJournalAppend(b *testing.B) {
	j := benchJournal(b, vfs.OS{}, b.TempDir(), record.None)
	key := kmsg.OffsetCommitKey{Group: "a-group-of-consumers", Topic: "orders", Partition: 1}
	value := kmsg.OffsetCommitValue{Offset: 1 << 40, CommitTimestamp: 1700000000000, ExpireTimestamp: -1}
	now := time.UnixMilli(1700000000000)
	b.ReportAllocs()
	for b.Loop() {
		end, err := j.Append(0, 0, []journal.Record{journal.OffsetRecord(key, value)}, nil, now)
		if err != nil {
			b.Fatal(err)
		}
		j.Committed(0, 0, end, time.Second, func(err error) {
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkLoad loads a million offset commits with all keys and values decoded: as a compacted log has them (each in
// a batch of its own), as one of large compressed batches, and as one of large plain ones.
func BenchmarkLoad(b *testing.B) {
	const count = 1_000_000
	for _, shape := range []struct {
		name     string
		perBatch int
		codec    record.Codec
	}{{"single", 1, record.None}, {"hundreds", 100, record.None}, {"hundreds-lz4", 100, record.LZ4}} {
		b.Run(shape.name, func(b *testing.B) {
			j := benchJournal(b, vfs.OS{}, b.TempDir(), shape.codec)
			var records []journal.Record
			for i := range count {
				if records = append(records, offsetRecord(i/100, i%100)); len(records) < shape.perBatch {
					continue
				}
				if _, err := j.Append(0, 0, records, nil, time.UnixMilli(1700000000000)); err != nil {
					b.Fatal(err)
				}
				records = records[:0]
			}
			b.ReportAllocs()
			for b.Loop() {
				visited := 0
				err := j.Load(b.Context(), 0, 0, func(e journal.Entry) error {
					visited++
					if _, err := journal.ParseKey(e.Key); err != nil {
						return err
					}
					_, err := journal.ParseOffset(e.Value)
					return err
				})
				if err != nil || visited != count {
					b.Fatalf("%d visited: %v", visited, err)
				}
			}
		})
	}
}
