package record

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// renderByClient lets franz-go read what a fetch of one partition would answer.
func renderByClient(t *testing.T, entries []byte) []string {
	t.Helper()
	rp := kmsg.NewFetchResponseTopicPartition()
	rp.HighWatermark, rp.LastStableOffset = 1<<40, 1<<40
	rp.RecordBatches = entries
	fp, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{KeepControlRecords: true}, &rp, kgo.DefaultDecompressor(), nil)
	if fp.Err != nil {
		t.Fatal(fp.Err)
	}
	var lines []string
	for _, r := range fp.Records {
		var headers []string
		for _, h := range r.Headers {
			headers = append(headers, fmt.Sprintf("%s=%s", h.Key, h.Value))
		}
		lines = append(lines, fmt.Sprintf("%d\t%d\t%s\t%s\t%s", r.Offset, r.Timestamp.UnixMilli(), r.Key, r.Value, strings.Join(headers, ",")))
	}
	return lines
}

func renderLines(t *testing.T, entry []byte) []string {
	t.Helper()
	var lines []string
	for _, r := range readAll(t, entry) {
		lines = append(lines, render(r))
	}
	return lines
}

func TestClientReadsWhatWeBuild(t *testing.T) {
	for _, codec := range allCodecs {
		b := build(t, BatchOptions{Codec: codec, BaseOffset: 10}, 300, 700)
		diffLines(t, renderByClient(t, b), renderLines(t, b))
		if codec == Zstd {
			continue
		}
		for magic := int8(0); magic <= 1; magic++ {
			if codec == LZ4 && magic == 0 {
				continue // the client does not know the header checksum of then
			}
			old, err := DownConvert(nil, b, magic, 0)
			if err != nil {
				t.Fatal(err)
			}
			want := renderSet(t, old)
			for i := range want {
				want[i] = strings.TrimSuffix(want[i], " false false")
			}
			if magic == 0 { // which has no timestamps: the client shows another "none" than ours
				for i := range want {
					want[i] = strings.Replace(want[i], "\t-1\t", "\t", 1)
				}
			}
			got := renderByClient(t, old)
			if magic == 0 {
				for i := range got {
					f := strings.SplitN(got[i], "\t", 3)
					got[i] = f[0] + "\t" + f[2]
				}
			}
			diffLines(t, got, want)
		}
	}
}

// The batches of franz-go's compressors pass, and read the same.
func TestClientsBatchesPass(t *testing.T) {
	plain := build(t, BatchOptions{}, 300, 700)
	for _, c := range []struct {
		codec  Codec
		client kgo.CompressionCodec
	}{
		{Gzip, kgo.GzipCompression()},
		{Snappy, kgo.SnappyCompression()},
		{LZ4, kgo.Lz4Compression()},
		{Zstd, kgo.ZstdCompression()},
	} {
		z, err := kgo.DefaultCompressor(c.client)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := z.Compress(new(bytes.Buffer), plain.Records())
		b := Batch(append(bytes.Clone(plain[:HeaderSize]), block...))
		b[posAttributes+1] = byte(c.codec)
		b.finish(plain.LastOffsetDelta(), plain.Count(), plain.BaseTimestamp(), plain.MaxTimestamp())
		checked, err := Validate(b, anyRules(), 9, validateNow)
		if err != nil || checked.Converted {
			t.Errorf("%s: %v", c.codec, err)
			continue
		}
		diffLines(t, renderLines(t, checked.Batch), renderLines(t, plain))
	}
}
