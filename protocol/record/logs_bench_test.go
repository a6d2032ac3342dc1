package record

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// logBatch is a batch of 1 MB of lines as services log them: they compress to a third or a quarter, where the batches of
// the other benchmarks nearly vanish.
func logBatch(b *testing.B, codec Codec) Batch {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	n := NewBuilder(BatchOptions{Codec: codec, Level: DefaultLevel(codec)})
	var value []byte
	for range benchRecords {
		for value = value[:0]; len(value) < benchRecordSize; {
			value = fmt.Appendf(value, `{"level":"info","time":%d,"path":"/api/v1/items/%d","status":%d,"took":%.3f,"user":"%08x"}`+"\n",
				1_700_000_000_000+random.Int64N(1e9), random.IntN(1e5), 200+random.IntN(5), random.Float64(), random.Uint32())
		}
		n.Append(0, nil, value[:benchRecordSize])
	}
	batch, err := n.Build()
	if err != nil {
		b.Fatal(err)
	}
	return batch
}

func BenchmarkValidateLogLines(b *testing.B) {
	size := int64(len(logBatch(b, None)))
	for _, codec := range allCodecs {
		b.Run(codec.String(), func(b *testing.B) {
			batch, rules := logBatch(b, codec), anyRules()
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Validate(batch, rules, 9, 0); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size)/float64(len(batch)), "ratio")
		})
	}
}
