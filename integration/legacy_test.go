package integration

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestOldClients lets clients of long ago produce and consume, with message sets instead of record batches: what the
// old produce the new read, and the other way round.
func TestOldClients(t *testing.T) {
	t.Parallel()
	b := harness.StartBroker(t, harness.Options{})
	admin := harness.NewClient(t, b.Address())
	var old, modern []message
	for _, m := range messages() {
		modern = append(modern, m)
		m.header = "" // message sets have none
		old = append(old, m)
	}
	for _, version := range []sarama.KafkaVersion{sarama.V0_8_2_0, sarama.V0_9_0_0, sarama.V0_10_0_0, sarama.V0_10_2_0} {
		timed := version.IsAtLeast(sarama.V0_10_0_0)
		for _, codec := range []string{"none", "gzip", "snappy", "lz4"} {
			if codec == "lz4" && !timed {
				continue // Sarama refuses it, and so does Kafka for broken checksums of that time
			}
			config := saramaConfig(codec)
			config.Version = version
			config.Producer.Idempotent = false
			config.ApiVersionsRequest = false
			topic := fmt.Sprintf("old-%s-%s", version, codec)
			harness.CreateTopic(t, admin, topic, 1, nil)
			saramaProduceWith(t, b.Address(), topic, config, old)
			compareTimed(t, topic+" read by franz-go", timed, old, franzConsume(t, b.Address(), topic, len(old)))
			compareTimed(t, topic+" read by itself", timed, old, saramaConsumeWith(t, b.Address(), topic, config, len(old)))

			topic += "-new"
			harness.CreateTopic(t, admin, topic, 1, nil)
			franzProduce(t, b.Address(), topic, codec, modern)
			compareTimed(t, topic+" read by the old client", timed, old, saramaConsumeWith(t, b.Address(), topic, config, len(old)))
		}
	}
}

// compareTimed is compare; where the format has no timestamps they are left out.
func compareTimed(t *testing.T, what string, timed bool, sent, got []message) {
	t.Helper()
	if !timed {
		untimed := make([]message, len(got))
		for i, m := range got[:min(len(got), len(sent))] {
			m.at = sent[i].at
			untimed[i] = m
		}
		got = untimed
	}
	compare(t, what, sent, got)
}

// TestOldVersions sends every version of Produce and Fetch that carries message sets, as bytes, and looks at what
// comes back: the magic of each version, the offsets, and the time that the broker gave.
func TestOldVersions(t *testing.T) {
	t.Parallel()
	b := harness.StartBroker(t, harness.Options{})
	admin := harness.NewClient(t, b.Address())
	harness.CreateTopic(t, admin, "sets", 1, nil)
	harness.CreateTopic(t, admin, "stamped", 1, map[string]string{"message.timestamp.type": "LogAppendTime"})
	began := time.Now().Add(-time.Second).UnixMilli()
	conn := dial(t, b)
	for version := range int16(3) {
		magic := byte(version / 2) // v0 and v1 carry magic 0, v2 carries 1; as clients of then sent them
		for _, topic := range []string{"sets", "stamped"} {
			set := append(oldMessage(0, magic, 1_700_000_000_000, "k", "a"), oldMessage(1, magic, 1_700_000_000_001, "", "b")...)
			p := produceOld(t, conn, version, topic, set)
			if p.ErrorCode != 0 || p.BaseOffset != int64(version)*2 {
				t.Fatalf("Produce v%d to %s: code %d, offset %d", version, topic, p.ErrorCode, p.BaseOffset)
			}
			if stamped := version >= 2 && p.LogAppendTime >= began; stamped != (version >= 2 && topic == "stamped") {
				t.Errorf("Produce v%d to %s: append time %d", version, topic, p.LogAppendTime)
			}
		}
	}
	for version := range int16(5) {
		for _, topic := range []string{"sets", "stamped"} {
			expectOld(t, fetchOld(t, conn, version, topic), version, topic == "stamped", began)
		}
	}
	for i, r := range harness.Consume(t, b.Address(), "stamped", 6) {
		if r.Timestamp.UnixMilli() < began || r.Attrs.TimestampType() != 1 {
			t.Errorf("record %d of a topic with LogAppendTime is from %v, type %d", i, r.Timestamp, r.Attrs.TimestampType())
		}
	}
	harness.Produce(t, harness.NewClient(t, b.Address()), &kgo.Record{Topic: "stamped", Value: []byte("c"), Timestamp: time.UnixMilli(5)})
	if r := harness.Consume(t, b.Address(), "stamped", 7)[6]; r.Timestamp.UnixMilli() < began {
		t.Errorf("a batch to a topic with LogAppendTime is from %v", r.Timestamp)
	}
}

// oldMessage is an entry of a message set. An empty key is null.
func oldMessage(offset int64, magic byte, timestamp int64, key, value string) []byte {
	m := []byte{magic, 0}
	if magic > 0 {
		m = binary.BigEndian.AppendUint64(m, uint64(timestamp))
	}
	if key == "" {
		m = binary.BigEndian.AppendUint32(m, 1<<32-1)
	} else {
		m = append(binary.BigEndian.AppendUint32(m, uint32(len(key))), key...)
	}
	m = append(binary.BigEndian.AppendUint32(m, uint32(len(value))), value...)
	entry := binary.BigEndian.AppendUint64(nil, uint64(offset))
	entry = binary.BigEndian.AppendUint32(entry, uint32(len(m)+4))
	entry = binary.BigEndian.AppendUint32(entry, crc32.ChecksumIEEE(m))
	return append(entry, m...)
}

func produceOld(t *testing.T, conn net.Conn, version int16, topic string, set []byte) kmsg.ProduceResponseTopicPartition {
	t.Helper()
	q := kmsg.NewPtrProduceRequest()
	q.Version, q.Acks, q.TimeoutMillis = version, 1, 10_000
	q.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: set}}}}
	return harness.RoundTrip(t, conn, q).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
}

func fetchOld(t *testing.T, conn net.Conn, version int16, topic string) []byte {
	t.Helper()
	q := kmsg.NewPtrFetchRequest()
	q.Version, q.ReplicaID, q.MaxWaitMillis, q.MinBytes, q.MaxBytes = version, -1, 1000, 1, 1<<20
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes = 1 << 20
	q.Topics = []kmsg.FetchRequestTopic{{Topic: topic, Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	answer := harness.RoundTrip(t, conn, q).(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if answer.ErrorCode != 0 || answer.HighWatermark != 6 {
		t.Fatalf("Fetch v%d of %s: code %d, high watermark %d", version, topic, answer.ErrorCode, answer.HighWatermark)
	}
	return answer.RecordBatches
}

// expectOld looks at the entries of a fetch answer: six messages of the version's magic, or three batches.
func expectOld(t *testing.T, set []byte, version int16, stamped bool, began int64) {
	t.Helper()
	magic, wantEntries, step := byte(0), 6, int64(1)
	switch {
	case version >= 4:
		magic, wantEntries, step = 2, 3, 2
	case version >= 2:
		magic = 1
	}
	entries := 0
	for ; len(set) >= 17; entries++ {
		size := 12 + int(binary.BigEndian.Uint32(set[8:]))
		if size > len(set) {
			t.Fatalf("Fetch v%d: an entry of %d bytes in %d", version, size, len(set))
		}
		entry := set[:size]
		set = set[size:]
		if offset := int64(binary.BigEndian.Uint64(entry)); entry[16] != magic || offset != int64(entries)*step {
			t.Errorf("Fetch v%d: entry %d has magic %d and offset %d, want magic %d", version, entries, entry[16], offset, magic)
		}
		if magic == 2 {
			continue
		}
		if crc32.ChecksumIEEE(entry[16:]) != binary.BigEndian.Uint32(entry[12:]) {
			t.Errorf("Fetch v%d: the checksum of entry %d is wrong", version, entries)
		}
		if magic == 1 && stamped {
			if at := int64(binary.BigEndian.Uint64(entry[18:])); entry[17]&8 == 0 || at < began {
				t.Errorf("Fetch v%d: entry %d has attributes %#x and time %d, want the append time", version, entries, entry[17], at)
			}
		}
	}
	if entries != wantEntries {
		t.Errorf("Fetch v%d: %d entries, want %d", version, entries, wantEntries)
	}
}
