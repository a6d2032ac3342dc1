package main

import (
	"context"
	"time"

	"github.com/kbroker/kbroker/protocol/record"
)

// scenario is a load, run against one subject at a time.
type scenario struct {
	name        string
	topic       string // prefix of its topics
	brokersOnly bool   // the floor cannot do it
	kbrokerOnly bool   // Apache Kafka with ZooKeeper cannot do it either
	run         func(ctx context.Context, s *subject, topic string) (figures, error)
}

// possible tells whether the subject can do it.
func (sc *scenario) possible(s *subject) bool {
	switch s.name {
	case floorName:
		return !sc.brokersOnly && !sc.kbrokerOnly
	case kafkaName:
		return !sc.kbrokerOnly
	}
	return true
}

const (
	recordSize     = 1 << 10
	fewPartitions  = 4
	manyPartitions = 1000
)

func scenarios(o options) []scenario {
	list := []scenario{
		{name: "produce 1 KiB records, 1 MB batches, acks=1", topic: "big", run: produceOf(load{o.megabytes, 1_000_000, record.None})},
		{name: "produce 1 KiB records, 16 KiB batches, acks=1", topic: "small", run: produceOf(load{o.megabytes / 4, 16 << 10, record.None})},
		{name: "consume from the page cache", topic: "big", run: consumeOf(o.megabytes)},
		{name: "100 producers, 100-byte records, linger=0, 1,000 partitions", topic: "tiny", run: produceTiny},
	}
	for _, codec := range []record.Codec{record.Zstd, record.LZ4, record.Snappy, record.Gzip} {
		name := codec.String()
		list = append(list, scenario{
			name: "produce " + name + ", 1 MB of records a batch", topic: name, run: produceOf(load{o.megabytes / 2, 1_000_000, codec}),
		})
	}
	return append(list,
		scenario{name: "1,000 records/s, acks=all, end to end", topic: "latency", brokersOnly: true, run: latencyFor(o.latencyFor)},
		scenario{name: "1,000 records/s, acks=all, beside the cleaner", topic: "cleaning", brokersOnly: true, run: produceBesideCleaner(2 * o.megabytes)},
		scenario{name: "1,000 members join a group, classic", topic: "classic", brokersOnly: true, run: joinClassic},
		scenario{name: "1,000 members join a group, consumer", topic: "consumer", kbrokerOnly: true, run: joinConsumer},
		scenario{name: "1,000 groups of 3 members, heartbeats only", topic: "idle", brokersOnly: true, run: heartbeats},
		scenario{name: "10,000 offset commits/s", topic: "commits", brokersOnly: true, run: commits},
	)
}

// meter measures a stretch of time and the CPU that a subject uses in it.
type meter struct {
	s     *subject
	began time.Time
	cpu   float64
}

func startMeter(s *subject) (meter, error) {
	cpu, err := cpuSeconds(s.pid)
	return meter{s: s, began: time.Now(), cpu: cpu}, err
}

// read returns the seconds on the clock and of CPU since the meter was started.
func (m meter) read() (elapsed, cpu float64, err error) {
	elapsed = time.Since(m.began).Seconds()
	now, err := cpuSeconds(m.s.pid)
	return elapsed, now - m.cpu, err
}

// rate gives throughput and cost of megabytes of records.
func (m meter) rate(megabytes float64) (figures, error) {
	elapsed, cpu, err := m.read()
	return figures{"MB/s": megabytes / elapsed, "CPU-s per GB": cpu / (megabytes / 1024)}, err
}
