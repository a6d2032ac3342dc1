package exact

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/protocol/record"
)

func askInitProducerID() []question {
	ask := func(transactional string, timeout int32, id int64, epoch int16) func(*side) kmsg.Request {
		return func(*side) kmsg.Request {
			r := kmsg.NewPtrInitProducerIDRequest()
			r.TransactionTimeoutMillis, r.ProducerID, r.ProducerEpoch = timeout, id, epoch
			if transactional != "null" {
				r.TransactionalID = &transactional
			}
			return r
		}
	}
	return []question{
		{"InitProducerId", 0, 5, ask("null", 1000, -1, -1)},
		{"InitProducerId, bad timeout", 0, 5, ask("null", -1, -1, -1)},
		{"InitProducerId with an id alone", 3, 5, ask("null", 1000, 5, -1)},
		{"InitProducerId with an epoch alone", 3, 5, ask("null", 1000, -1, 5)},
		{"InitProducerId with both", 3, 5, ask("null", 1000, 5, 5)},
		{"InitProducerId, empty transactional id", 0, 5, ask("", 1000, -1, -1)},
	}
}

// batch builds a batch of the records "record 0" and so on, all of one minute ago, or of any time.
func batch(count int, o record.BatchOptions, at ...int64) []byte {
	n := record.NewBuilder(o)
	timestamp := began
	if len(at) > 0 {
		timestamp = at[0]
	}
	for i := range count {
		n.Append(timestamp+int64(i), []byte("key"), fmt.Appendf(nil, "record %d", i), record.RecordHeader{Key: "h", Value: []byte("v")})
	}
	b, err := n.Build()
	if err != nil {
		panic(err) // a mistake of the test
	}
	return b
}

// began is the timestamp of the records.
var began = time.Now().Add(-time.Minute).UnixMilli()

// spoiled changes a batch; with renew the checksum is made right again.
func spoiled(b []byte, renew bool, change func(b []byte)) []byte {
	b = bytes.Clone(b)
	change(b)
	if renew {
		binary.BigEndian.PutUint32(b[17:], record.Batch(b).ComputeCRC())
	}
	return b
}

// produced is a request of one partition.
func produced(topic string, partition int32, acks int16, records []byte) func(*side) kmsg.Request {
	return func(*side) kmsg.Request {
		r := kmsg.NewPtrProduceRequest()
		r.Acks, r.TimeoutMillis = acks, 10_000
		t := kmsg.NewProduceRequestTopic()
		t.Topic = topic
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = partition, records
		t.Partitions = append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
		return r
	}
}

func askProduce() []question {
	plain := record.BatchOptions{}
	good := batch(3, plain)
	producer := func(id int64, epoch int16, sequence int32) record.BatchOptions {
		return record.BatchOptions{Producer: &record.Producer{ID: id, Epoch: epoch, Sequence: sequence}}
	}
	hour := int64(3_600_000)
	questions := []question{
		{"Produce", 3, 11, produced("one", 0, -1, good)},
		{"Produce, acks 1", 11, 11, produced("one", 0, 1, good)},
		{"Produce, acks 0", 11, 11, produced("one", 0, 0, good)},
		{"Produce, acks 0 to an unknown topic", 11, 11, produced("unknown", 0, 0, good)},
		{"Produce, stamped by the broker", 3, 11, produced("stamped", 0, -1, good)},
		{"Produce, v2 in an old version", 0, 2, produced("one", 0, -1, good)},
		{"Produce, acks 2", 0, 11, produced("one", 0, 2, good)},
		{"Produce, unknown topic", 3, 11, produced("unknown", 0, -1, good)},
		{"Produce, unknown partition", 3, 11, produced("one", 9, -1, good)},
		{"Produce, negative partition", 3, 11, produced("one", -1, -1, good)},
		{"Produce, no records", 3, 11, produced("one", 0, -1, []byte{})},
		{"Produce, null records", 11, 11, produced("one", 0, -1, nil)},
		{"Produce, two batches", 3, 11, produced("one", 0, -1, append(bytes.Clone(good), good...))},
		{"Produce, no topics", 0, 11, func(*side) kmsg.Request { r := kmsg.NewPtrProduceRequest(); r.Acks = -1; return r }},
		{"Produce, bad checksum", 3, 11, produced("one", 0, -1, spoiled(good, false, func(b []byte) { b[len(b)-3] ^= 1 }))},
		{"Produce, cut", 3, 11, produced("one", 0, -1, good[:len(good)-4])},
		{"Produce, a few bytes", 3, 11, produced("one", 0, -1, good[:10])},
		{"Produce, unknown magic", 3, 11, produced("one", 0, -1, spoiled(good, false, func(b []byte) { b[16] = 3 }))},
		{"Produce, wrong count", 3, 11, produced("one", 0, -1, spoiled(good, true, func(b []byte) { b[60] = 7 }))},
		{"Produce, wrong last offset delta", 3, 11, produced("one", 0, -1, spoiled(good, true, func(b []byte) { b[26] = 9 }))},
		{"Produce, base offset not zero", 11, 11, produced("one", 1, -1, spoiled(good, false, func(b []byte) { b[7] = 5 }))},
		{"Produce, broken records", 3, 11, produced("one", 0, -1, spoiled(good, true, func(b []byte) { b[61] ^= 0x40 }))},
		{"Produce, control batch", 11, 11, produced("one", 0, -1, spoiled(good, true, func(b []byte) { b[22] |= 0x20 }))},
		{"Produce, unknown codec", 11, 11, produced("one", 0, -1, spoiled(good, true, func(b []byte) { b[22] |= 7 }))},
		{"Produce, transactional without an id", 11, 11, produced("one", 0, -1, spoiled(good, true, func(b []byte) { b[22] |= 0x10 }))},
		{"Produce, zstd", 3, 11, produced("placed", 1, -1, batch(20, record.BatchOptions{Codec: record.Zstd}))},
		{"Produce, gzip", 3, 11, produced("one", 0, -1, batch(20, record.BatchOptions{Codec: record.Gzip}))},
		{"Produce, compaction without keys", 11, 11, produced("compacted", 0, -1, keyless())},
		{"Produce, in the far future", 11, 11, produced("timed", 0, -1, batch(2, plain, began+5*hour))},
		{"Produce, in the far past", 11, 11, produced("timed", 0, -1, batch(2, plain, began-5*hour))},
		{"Produce, too large", 11, 11, produced("timed", 0, -1, batch(200, plain))},
		{"Produce, few in sync", 11, 11, produced("few", 0, -1, good)},
		{"Produce, few in sync, acks 1", 11, 11, produced("few", 0, 1, good)},
	}
	questions = append([]question{{"CreateTopics for Produce", 4, 4, createTopics(3000, false,
		newTopic("compacted", 1, 1, with("cleanup.policy", "compact")), newTopic("few", 1, 1, with("min.insync.replicas", "2")),
		newTopic("timed", 1, 1, with("message.timestamp.after.max.ms", "3600000"), with("message.timestamp.before.max.ms", "3600000"), with("max.message.bytes", "1000")))}}, questions...)
	for i, step := range []struct {
		what     string
		epoch    int16
		sequence int32
	}{
		{"first", 0, 0},
		{"next", 0, 3},
		{"again", 0, 0},
		{"overlap", 0, 4},
		{"gap", 0, 9},
		{"next again", 0, 6},
		{"newer epoch not at 0", 1, 5},
		{"newer epoch", 1, 0},
		{"older epoch", 0, 9},
	} {
		questions = append(questions, question{
			fmt.Sprintf("Produce, idempotent %d: %s", i, step.what), 11, 11,
			produced("one", 1, -1, batch(3, producer(77, step.epoch, step.sequence))),
		})
	}
	return append(questions, question{"Produce, unknown producer not at 0", 11, 11, produced("placed", 0, -1, batch(3, producer(78, 0, 5)))})
}

func keyless() []byte {
	n := record.NewBuilder(record.BatchOptions{})
	n.Append(began, nil, []byte("no key"))
	n.Append(began, []byte("k"), []byte("key"))
	b, err := n.Build()
	if err != nil {
		panic(err) // a mistake of the test
	}
	return b
}
