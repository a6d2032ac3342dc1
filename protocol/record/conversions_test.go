package record

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// conversions.txt holds what Apache Kafka 3.9 made of batches and message sets: "down"
// lines a batch of its log and its answers to Fetch 1 and 3, "up" lines a set sent
// with Produce 2 and the batch in its log. Compressed bytes depend on the
// compressor, so there what they hold is compared.
func TestConversionsAreKafkas(t *testing.T) {
	text, err := os.ReadFile("testdata/conversions.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		var data [][]byte
		for _, field := range f[2:] {
			p, err := hex.DecodeString(field)
			if err != nil {
				t.Fatal(err)
			}
			data = append(data, p)
		}
		t.Run(f[0]+" "+f[1], func(t *testing.T) {
			if f[0] == "up" {
				sameAsKafkasBatch(t, data[0], data[1])
				return
			}
			b, _, err := Parse(data[0])
			if err != nil {
				t.Fatal(err)
			}
			for magic, want := range data[1:] {
				got, err := DownConvert(nil, data[0], int8(magic), b.BaseOffset())
				if err != nil {
					t.Fatal(err)
				}
				if b.Codec() == None {
					if !bytes.Equal(got, want) {
						t.Errorf("magic %d\n got %x\nwant %x", magic, got, want)
					}
					continue
				}
				sameAsKafkasWrapper(t, got, want)
			}
		})
	}
}

func sameAsKafkasWrapper(t *testing.T, got, want []byte) {
	t.Helper()
	g, err := parseMessage(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := parseMessage(want)
	if err != nil {
		t.Fatal(err)
	}
	if g.offset != w.offset || g.magic != w.magic || g.attributes != w.attributes || g.timestamp != w.timestamp || !g.validCRC() {
		t.Errorf("wrapper\n got %+v\nwant %+v", g, w)
	}
	if frame := map[Codec]int{Gzip: 3, Snappy: len(snappyHeader), LZ4: lz4MinHeaderSize}[g.codec()]; !bytes.Equal(g.value[:frame], w.value[:frame]) {
		t.Errorf("frame %x, want %x", g.value[:frame], w.value[:frame])
	}
	sameInside(t, g.codec(), g.magic, g.value, w.value)
}

func sameAsKafkasBatch(t *testing.T, set, want []byte) {
	t.Helper()
	checked, err := Validate(set, anyRules(), 2, validateNow)
	if err != nil {
		t.Fatal(err)
	}
	w, _, err := Parse(want)
	if err != nil {
		t.Fatal(err)
	}
	got := checked.Batch
	got.SetBaseOffset(w.BaseOffset())
	got.SetPartitionLeaderEpoch(w.PartitionLeaderEpoch())
	if !bytes.Equal(got[posAttributes:HeaderSize], w[posAttributes:HeaderSize]) {
		t.Errorf("header\n got %x\nwant %x", got[:HeaderSize], w[:HeaderSize])
	}
	if w.Codec() == None && !bytes.Equal(got, w) {
		t.Errorf("batch\n got %x\nwant %x", got, w)
	}
	sameInside(t, w.Codec(), 2, got.Records(), w.Records())
}

func sameInside(t *testing.T, codec Codec, magic int8, got, want []byte) {
	t.Helper()
	g, err := decompress(codec, magic, got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := decompress(codec, magic, want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(g, w) {
		t.Errorf("inside\n got %x\nwant %x", g, w)
	}
}
