package storage

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

// Logs that Kafka wrote before 0.11 have messages of magic 0 and 1, which stay what they are.
func TestFormatsOfOldAreCleanedAsTheyAre(t *testing.T) {
	for _, magic := range []int8{0, 1} {
		for codec := record.None; codec < record.Zstd; codec++ {
			t.Run(fmt.Sprintf("magic=%d,%s", magic, codec), func(t *testing.T) { cleanLegacy(t, magic, codec) })
		}
	}
}

func cleanLegacy(t *testing.T, magic int8, codec record.Codec) {
	t.Helper()
	mem, m, l := compactLog(t, compactConfig())
	at := int64(-1)
	if magic > 0 {
		at = 1000
	}
	var want []kept
	for i := range 40 {
		b := pairs(t, record.BatchOptions{Codec: codec, BaseOffset: int64(3 * i)}, 1000,
			pair{"a", fmt.Sprint(i)}, pair{fmt.Sprintf("k%d", i), "v"}, pair{"gone", nil})
		old, err := record.DownConvert(nil, b, magic, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.AppendAsFollower(old); err != nil {
			t.Fatal(err)
		}
		want = append(want, kept{int64(3*i + 1), at, fmt.Sprintf("k%d", i), "v", false})
	}
	want = append(want[:39], kept{117, at, "a", "39", false}, want[39], kept{119, at, "gone", "", true})
	rollNow(t, l)
	now := time.Now()
	mustCleanAt(t, l, m, now)
	if got := keptRecords(t, l); !reflect.DeepEqual(got, want) {
		t.Fatalf("kept %v\nwant %v", got, want)
	}
	for p := readAll(t, l, 0); len(p) > 0; {
		size, found, err := record.EntrySize(p)
		if err != nil || found != magic {
			t.Fatalf("magic %d %v", found, err)
		}
		p = p[size:] // whose checksum readAll looked at
	}
	// Without a horizon of its own a tombstone goes when its segment, by the file's time, is old beside the newest clean one.
	l.SetConfig(compactConfig().with(func(c *Config) { c.DeleteRetention = 0 }))
	for _, s := range (*l.segments.Load())[:len(*l.segments.Load())-1] {
		if err := mem.SetModTime(s.path(logSuffix), now.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, l, pairs(t, record.BatchOptions{}, 1000, pair{"z", "v"}))
	rollNow(t, l)
	mustCleanAt(t, l, m, now)
	want = append(want[:len(want)-1], kept{120, 1000, "z", "v", false})
	if got := keptRecords(t, l); !reflect.DeepEqual(got, want) {
		t.Errorf("kept %v\nwant %v", got, want)
	}
	mustClose(t, m)
	m, l = openLog(t, compactOptions(mem, compactConfig(), "/data"))
	defer mustClose(t, m)
	if got := keptRecords(t, l); !reflect.DeepEqual(got, want) {
		t.Errorf("after reopening %v", got)
	}
}

func TestTimestampsOfAppendTimeAndTheFilesTimeStay(t *testing.T) {
	mem, m, l := compactLog(t, compactConfig())
	for i := range 30 {
		mustAppend(t, l, pairs(t, record.BatchOptions{Stamped: true, AppendTime: int64(5000 + i), Codec: record.Gzip}, 1, pair{"a", "v"}, pair{fmt.Sprint(i), nil}))
	}
	rollNow(t, l)
	modified := time.UnixMilli(1_600_000_000_000)
	if err := mem.SetModTime((*l.segments.Load())[0].path(logSuffix), modified); err != nil {
		t.Fatal(err)
	}
	mustCleanAt(t, l, m, time.Now())
	for _, k := range keptRecords(t, l) {
		if k.timestamp != 5000+k.offset/2 {
			t.Errorf("%+v", k)
		}
	}
	if at, err := (*l.segments.Load())[0].modified(); err != nil || !at.Equal(modified) {
		t.Errorf("modified at %v %v", at, err)
	}
	if at, found, err := l.OffsetForTimestamp(5003); err != nil || !found || at.Offset != 7 {
		t.Errorf("offset for a time: %+v %t %v", at, found, err)
	}
}

// What Apache Kafka wrote, and in part cleaned, is cleaned on.
func TestKafkasCompactedLogsAreCleanedOn(t *testing.T) {
	for _, name := range []string{"data-clean.tar.gz", "data-killed.tar.gz"} {
		t.Run(name, func(t *testing.T) {
			dir := untar(t, name)
			o := compactOptions(vfs.OS{}, nil, dir)
			o.ClusterID = "TJA0YMKiQgCA9fRJh0JOqQ"
			o.ConfigFor = func(topic string) *Config {
				return goldenConfig(topic).with(func(c *Config) {
					c.Compact, c.Delete, c.DeleteRetention, c.MaxCompactionLag = true, false, time.Hour, math.MaxInt64
				})
			}
			m := mustOpen(t, o)
			all := goldenRecords(t)
			for tp, end := range goldenEnds {
				l, _ := m.Log(tp)
				producers, epoch := l.Producers(), l.LatestEpoch()
				for range 2 {
					rollNow(t, l)
					mustCleanAt(t, l, m, time.Now())
				}
				if l.LogEndOffset() != end || !reflect.DeepEqual(l.Producers(), producers) || l.LatestEpoch() != epoch {
					t.Errorf("%v: end %d, producers %v, epoch %d", tp, l.LogEndOffset(), l.Producers(), l.LatestEpoch())
				}
				if tp.Topic[0] != '_' && tp.Topic != "deleted" {
					checkNewest(t, tp, readRecords(t, l), all[tp])
				}
			}
			mustClose(t, m)
			m = mustOpen(t, o)
			defer mustClose(t, m)
			for tp := range goldenEnds {
				l, _ := m.Log(tp)
				if tp.Topic[0] != '_' && tp.Topic != "deleted" {
					checkNewest(t, tp, readRecords(t, l), all[tp])
				}
			}
		})
	}
}

func checkNewest(t *testing.T, tp TopicPartition, got, all []goldenRecord) {
	t.Helper()
	last := map[string]int64{}
	for _, r := range all {
		last[r.key] = r.offset
	}
	var want []goldenRecord
	for _, r := range all {
		if last[r.key] == r.offset && r.key != "" {
			want = append(want, r)
		}
	}
	got = slices.DeleteFunc(got, func(r goldenRecord) bool { return r.key == "" })
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v: %d records, want %d\n%v\n%v", tp, len(got), len(want), got, want)
	}
}
