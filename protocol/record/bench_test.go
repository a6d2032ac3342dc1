package record

import (
	"bytes"
	"fmt"
	"testing"
)

// The batch of the benchmarks: 1 MB in records of 1 KiB.
const (
	benchRecords    = 1000
	benchRecordSize = 1 << 10
)

func benchBatch(b *testing.B, codec Codec) Batch {
	return build(b, BatchOptions{Codec: codec}, benchRecords, benchRecordSize)
}

// uncompressedSize is what throughput is counted in, so that codecs compare.
func uncompressedSize(b *testing.B) int64 { return int64(len(benchBatch(b, None))) }

func BenchmarkValidate(b *testing.B) {
	for _, codec := range allCodecs {
		b.Run(codec.String(), func(b *testing.B) {
			batch, rules := benchBatch(b, codec), anyRules()
			b.SetBytes(uncompressedSize(b))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Validate(batch, rules, 9, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkValidateSmallRecords(b *testing.B) {
	for _, codec := range allCodecs {
		b.Run(codec.String(), func(b *testing.B) {
			batch, rules := build(b, BatchOptions{Codec: codec}, 10_000, 100), anyRules()
			b.SetBytes(10_000 * 100)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Validate(batch, rules, 9, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkIterate(b *testing.B) {
	for _, codec := range allCodecs {
		b.Run(codec.String(), func(b *testing.B) {
			batch := benchBatch(b, codec)
			b.SetBytes(uncompressedSize(b))
			b.ReportAllocs()
			for b.Loop() {
				it, err := batch.Iterate()
				if err != nil {
					b.Fatal(err)
				}
				for it.Next() {
				}
				it.Close()
			}
		})
	}
}

func BenchmarkRecompress(b *testing.B) {
	for _, target := range allCodecs[1:] {
		b.Run("none to "+target.String(), func(b *testing.B) {
			batch, rules := benchBatch(b, None), anyRules()
			rules.Recompress, rules.Target, rules.Level = true, target, DefaultLevel(target)
			b.SetBytes(uncompressedSize(b))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Validate(batch, rules, 9, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Validation in place may not allocate for a record; the pools make it none at all
// but when the collector emptied them.
func TestValidateAllocatesNothingPerRecord(t *testing.T) {
	for _, codec := range allCodecs {
		for _, records := range []int{10, 2_000} {
			batch, rules := build(t, BatchOptions{Codec: codec}, records, 100), anyRules()
			allocs := testing.AllocsPerRun(20, func() {
				if _, err := Validate(batch, rules, 9, 0); err != nil {
					t.Error(err)
				}
			})
			if allocs > 20 {
				t.Errorf("%s: %v allocations for %d records", codec, allocs, records)
			}
		}
	}
}

func BenchmarkUpConvert(b *testing.B) {
	for _, codec := range []Codec{None, LZ4} {
		b.Run(codec.String(), func(b *testing.B) {
			set, err := DownConvert(nil, benchBatch(b, codec), 1, 0)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(uncompressedSize(b))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Validate(bytes.Clone(set), anyRules(), 2, 0); err != nil {
					b.Fatal(fmt.Errorf("%s: %w", codec, err))
				}
			}
		})
	}
}
