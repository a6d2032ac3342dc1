package journal

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// reencode decodes a record and encodes what came out, in the version that the value has.
func reencode(key, value []byte) (Record, error) {
	parsed, err := ParseKey(key)
	if err != nil {
		return Record{}, err
	}
	switch k := parsed.(type) {
	case *kmsg.OffsetCommitKey:
		r := Record{Key: k.AppendTo(nil)}
		if value == nil {
			return r, nil
		}
		v, err := ParseOffset(value)
		r.Value = v.AppendTo(nil)
		return r, err
	case *kmsg.GroupMetadataKey:
		r := Record{Key: k.AppendTo(nil)}
		if value == nil {
			return r, nil
		}
		v, err := ParseGroup(value)
		if err == nil {
			r.Value = v.AppendTo(nil)
		}
		return r, err
	case ConsumerKey:
		v, err := ParseConsumer(k, value)
		if err != nil {
			return Record{}, err
		}
		if v == nil {
			return ConsumerTombstone(k), nil
		}
		return ConsumerRecord(k, v), nil
	default:
		return Record{}, fmt.Errorf("ParseKey returned a %T", parsed)
	}
}

func TestRecordsComeBackAsKafkaWroteThem(t *testing.T) {
	all := rows(t, "vectors.txt")
	all = append(all, rows(t, "kafka-3.9.2.txt")...)
	all = append(all, rows(t, "kafka-4.3.0.txt")...)
	for _, row := range all {
		name, key, value := row[0], unhex(t, row[1]), unhex(t, row[2])
		if strings.HasPrefix(name, "ShareGroup") {
			if _, err := ParseKey(key); !errors.Is(err, ErrUnknownKey) {
				t.Errorf("%s: error %v, want ErrUnknownKey", name, err)
			}
			continue
		}
		r, err := reencode(key, value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !bytes.Equal(r.Key, key) || !bytes.Equal(r.Value, value) || (r.Value == nil) != (value == nil) {
			t.Errorf("%s:\n got %x %x\nwant %x %x", name, r.Key, r.Value, key, value)
		}
	}
}

func TestRecordsAreThoseOfKafka39(t *testing.T) {
	for _, row := range rows(t, "kafka-3.9.2.txt") {
		name, key, value := row[0], unhex(t, row[1]), unhex(t, row[2])
		parsed, err := ParseKey(key)
		if err != nil {
			t.Fatal(err)
		}
		var r Record
		switch k := parsed.(type) {
		case *kmsg.OffsetCommitKey:
			r = OffsetTombstone(*k)
			if value != nil {
				v, err := ParseOffset(value)
				if err != nil {
					t.Fatal(err)
				}
				r = OffsetRecord(*k, v)
			}
		case *kmsg.GroupMetadataKey:
			r = GroupTombstone(k.Group)
			if value != nil {
				v, err := ParseGroup(value)
				if err != nil {
					t.Fatal(err)
				}
				r = GroupRecord(k.Group, *v)
			}
		default:
			t.Fatalf("%s: a %T", name, parsed)
		}
		if !bytes.Equal(r.Key, key) || !bytes.Equal(r.Value, value) {
			t.Errorf("%s:\n got %x %x\nwant %x %x", name, r.Key, r.Value, key, value)
		}
	}
}

// Every prefix of a good record is a bad one, and refused without a panic.
func TestParseRefusesWhatIsCutShort(t *testing.T) {
	for _, row := range rows(t, "vectors.txt") {
		name, key, value := row[0], unhex(t, row[1]), unhex(t, row[2])
		for n := range key {
			if _, err := ParseKey(key[:n]); err == nil {
				t.Errorf("%s: a key of %d of its %d bytes was read", name, n, len(key))
			}
		}
		for n := range value {
			if _, err := reencode(key, value[:n:n]); err == nil {
				t.Errorf("%s: a value of %d of its %d bytes was read", name, n, len(value))
			}
		}
	}
}

func TestParseRefusesUnknownVersions(t *testing.T) {
	for _, version := range []byte{9, 15, 17, 255} {
		if _, err := ParseKey([]byte{0, version, 0, 1, 'g'}); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("key version %d: error %v", version, err)
		}
	}
	for _, value := range [][]byte{{0, 5, 0, 0, 0, 0}, {255, 255, 0, 0, 0, 0}} {
		if _, err := ParseOffset(value); err == nil {
			t.Errorf("offset commit of version %x was read", value[:2])
		}
		if _, err := ParseGroup(value); err == nil {
			t.Errorf("group of version %x was read", value[:2])
		}
	}
	if _, err := ParseConsumer(&ConsumerGroupMetadataKey{}, []byte{0, 1, 0, 0, 0, 1, 0}); err == nil {
		t.Error("consumer group of version 1 was read")
	}
}

func TestParseFillsWhatOldVersionsLack(t *testing.T) {
	values := map[string][]byte{}
	for _, row := range rows(t, "vectors.txt") {
		values[row[0]] = unhex(t, row[2])
	}
	for version, want := range []struct {
		epoch  int32
		expiry int64
	}{{-1, -1}, {-1, 1700000000004}, {-1, -1}, {6, -1}, {6, -1}} {
		v, err := ParseOffset(values[fmt.Sprintf("OffsetCommit%d", version)])
		if err != nil || v.LeaderEpoch != want.epoch || v.ExpireTimestamp != want.expiry {
			t.Errorf("offset version %d: epoch %d, expiry %d, error %v", version, v.LeaderEpoch, v.ExpireTimestamp, err)
		}
	}
	for version, want := range []struct {
		rebalance int32
		since     int64
	}{{10000, -1}, {60000, -1}, {60000, 1700000000002}, {60000, 1700000000002}, {60000, 1700000000002}} {
		v, err := ParseGroup(values[fmt.Sprintf("GroupMetadata%d", version)])
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Members[0].RebalanceTimeoutMillis; got != want.rebalance || v.CurrentStateTimestamp != want.since {
			t.Errorf("group version %d: rebalance timeout %d, since %d", version, got, v.CurrentStateTimestamp)
		}
	}
}

// A loader's buffers are used again: nothing of them may be kept.
func TestParseKeepsNothingOfTheBytes(t *testing.T) {
	for _, row := range rows(t, "vectors.txt") {
		if strings.HasPrefix(row[0], "ShareGroup") || row[2] == "-" {
			continue
		}
		parse := func(overwrite bool) (any, any) {
			key, value := unhex(t, row[1]), unhex(t, row[2])
			k, err := ParseKey(key)
			if err != nil {
				t.Fatal(err)
			}
			var v any
			switch k := k.(type) {
			case *kmsg.OffsetCommitKey:
				v, err = ParseOffset(value)
			case *kmsg.GroupMetadataKey:
				v, err = ParseGroup(value)
			case ConsumerKey:
				v, err = ParseConsumer(k, value)
			}
			if err != nil {
				t.Fatal(err)
			}
			if overwrite {
				clear(key)
				clear(value)
			}
			return k, v
		}
		k, v := parse(false)
		k2, v2 := parse(true)
		if !reflect.DeepEqual(k, k2) || !reflect.DeepEqual(v, v2) {
			t.Errorf("%s changed with its bytes: %+v %+v", row[0], k2, v2)
		}
	}
}

// A record of Kafka says of every member which protocol it speaks; the console's third consumer spoke the classic one.
func TestMembersOfTheNewProtocolHaveNoClassicMetadata(t *testing.T) {
	classic, modern := 0, 0
	for _, row := range rows(t, "kafka-4.3.0.txt") {
		if row[0] != "ConsumerGroupMemberMetadata0" {
			continue
		}
		v, err := ParseConsumer(&ConsumerGroupMemberMetadataKey{}, unhex(t, row[2]))
		if err != nil {
			t.Fatal(err)
		}
		if v.(*ConsumerGroupMemberMetadataValue).Classic == nil {
			modern++
		} else {
			classic++
		}
	}
	if classic != 1 || modern != 3 {
		t.Errorf("%d members of the classic protocol, %d of the new one", classic, modern)
	}
}

func TestConsumerValuesSkipUnknownTags(t *testing.T) {
	// Epoch 7, then tags 0 (the hash) and 3 (unknown, two bytes).
	value := []byte{0, 0, 0, 0, 0, 7, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9, 3, 2, 0xaa, 0xbb}
	v, err := ParseConsumer(&ConsumerGroupMetadataKey{}, value)
	if want := (&ConsumerGroupMetadataValue{Epoch: 7, MetadataHash: 9}); err != nil || !reflect.DeepEqual(v, want) {
		t.Errorf("got %+v, error %v", v, err)
	}
}

func TestOffsetRecordUsesVersionOneOnlyForAnExpiry(t *testing.T) {
	key := kmsg.OffsetCommitKey{Group: "g", Topic: "t", Partition: 1}
	v := kmsg.OffsetCommitValue{Offset: 5, LeaderEpoch: 2, Metadata: "m", CommitTimestamp: 6, ExpireTimestamp: -1}
	if r := OffsetRecord(key, v); r.Key[1] != 1 || r.Value[1] != 3 {
		t.Errorf("key version %d, value version %d", r.Key[1], r.Value[1])
	}
	v.ExpireTimestamp = 7
	r := OffsetRecord(key, v)
	back, err := ParseOffset(r.Value)
	if err != nil || back.Version != 1 || back.ExpireTimestamp != 7 || back.LeaderEpoch != -1 {
		t.Errorf("came back as %+v, error %v", back, err)
	}
}

// A length says what is to come; memory is for what is there.
func TestParseAllocatesNoMoreThanItsInput(t *testing.T) {
	const huge = "\xff\xff\xff\x7f" // of an array or string, both as an int32 and as a varint
	group, member := "\x00\x02\x00\x01g", "\x00\x01g\x00\x01m"
	for name, record := range map[string][2]string{
		"members":           {group, "\x00\x03\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff\xff\xff"},
		"members, flexible": {group, "\x00\x04\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + huge},
		"topics":            {"\x00\x04\x00\x01g", "\x00\x00" + huge},
		"names":             {"\x00\x05" + member, "\x00\x00\x00\x00\x01\x01" + huge},
		"client id":         {"\x00\x05" + member, "\x00\x00\x00\x00" + huge},
		"partitions":        {"\x00\x07" + member, "\x00\x00\x02" + strings.Repeat("u", 16) + huge},
		"tags":              {"\x00\x03\x00\x01g", "\x00\x00\x00\x00\x00\x01" + huge},
		"a tag":             {"\x00\x03\x00\x01g", "\x00\x00\x00\x00\x00\x01\x01\x00" + huge},
	} {
		key, value := []byte(record[0]), []byte(record[1])
		const runs = 100 // so that what the runtime allocates by itself does not count
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			if _, err := reencode(key, value); err == nil {
				t.Fatalf("%s: read", name)
			}
		}
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / runs; got > 2048 {
			t.Errorf("%s: %d bytes allocated for a record of %d", name, got, len(key)+len(value))
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, row := range rows(f, "vectors.txt") {
		f.Add(unhex(f, row[1]), unhex(f, row[2]))
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		r, err := reencode(key, value)
		if err != nil {
			return
		}
		// What was read is written in a form that reads as the same.
		again, err := reencode(r.Key, r.Value)
		if err != nil || !bytes.Equal(again.Key, r.Key) || !bytes.Equal(again.Value, r.Value) {
			t.Errorf("%x %x became %x %x, error %v", r.Key, r.Value, again.Key, again.Value, err)
		}
	})
}

func BenchmarkParseOffset(b *testing.B) {
	r := OffsetRecord(
		kmsg.OffsetCommitKey{Group: "a-group-of-consumers", Topic: "orders", Partition: 12},
		kmsg.OffsetCommitValue{Offset: 5, ExpireTimestamp: -1})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseKey(r.Key); err != nil {
			b.Fatal(err)
		}
		if _, err := ParseOffset(r.Value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOffsetRecord(b *testing.B) {
	key := kmsg.OffsetCommitKey{Group: "a-group-of-consumers", Topic: "orders", Partition: 12}
	v := kmsg.OffsetCommitValue{Offset: 5, ExpireTimestamp: -1}
	b.ReportAllocs()
	for b.Loop() {
		OffsetRecord(key, v)
	}
}
