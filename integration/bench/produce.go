package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/protocol/record"
)

// load is what a producer sends.
type load struct {
	megabytes int // of records, before compression
	batchSize int // bytes of a batch, before compression
	codec     record.Codec
}

// inFlight is how many requests a producer has under way: the default of Kafka's own.
const inFlight = 5

// produceOf sends batches that were made before the clock starts, one a request, over one
// connection with five requests in flight: so the figures are the server's. A client that makes its batches
// while it sends takes more of the machine than the servers do.
func produceOf(l load) func(context.Context, *subject, string) (figures, error) {
	return func(ctx context.Context, s *subject, topic string) (figures, error) {
		batch, size, err := madeBatch(l)
		if err != nil {
			return nil, err
		}
		if err := s.createTopic(ctx, topic, fewPartitions); err != nil {
			return nil, err
		}
		c, err := s.client()
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if err := c.Ping(ctx); err != nil { // connections are made before the clock starts
			return nil, err
		}
		count := (l.megabytes<<20 + size - 1) / size
		m, err := startMeter(s)
		if err != nil {
			return nil, err
		}
		if err := sendAll(ctx, c, topic, batch, count); err != nil {
			return nil, err
		}
		return m.rate(float64(count*size) / (1 << 20))
	}
}

// sendAll produces a batch count times, spread over the topic's partitions.
func sendAll(ctx context.Context, c *kgo.Client, topic string, batch record.Batch, count int) error {
	var next atomic.Int64
	return together(inFlight, func(int) error {
		for {
			n := next.Add(1) - 1
			if n >= int64(count) {
				return nil
			}
			if err := sendBatch(ctx, c, topic, int32(n%fewPartitions), batch); err != nil {
				return err
			}
		}
	})
}

// together runs f for 0..count-1 at the same time and returns what went wrong.
func together(count int, f func(i int) error) error {
	errs := make([]error, count)
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() { errs[i] = f(i) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func sendBatch(ctx context.Context, c *kgo.Client, topic string, partition int32, batch record.Batch) error {
	req, t, p := kmsg.NewPtrProduceRequest(), kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	req.Acks, req.TimeoutMillis = 1, 30_000
	t.Topic, p.Partition, p.Records = topic, partition, batch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	// All subjects are broker 1. Requests to a broker leave on one connection, several at a time.
	response, err := c.Broker(1).Request(ctx, req)
	if err != nil {
		return err
	}
	for _, t := range response.(*kmsg.ProduceResponse).Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				return fmt.Errorf("produce to %s-%d: error code %d", t.Topic, p.Partition, p.ErrorCode)
			}
		}
	}
	return nil
}

// madeBatch makes a batch of records and tells their size before compression.
func madeBatch(l load) (record.Batch, int, error) {
	b := record.NewBuilder(record.BatchOptions{Codec: l.codec, Level: record.DefaultLevel(l.codec)})
	now, random := time.Now().UnixMilli(), rand.New(rand.NewPCG(1, 2))
	value := bytes.Repeat([]byte("0123456789abcdef"), recordSize/16)
	size := 0
	for size+recordSize+100 <= l.batchSize { // 100: of the batch's header and the record's
		if l.codec != record.None {
			value = logLines(value[:0], random)
		}
		b.Append(now, nil, value)
		size += recordSize
	}
	batch, err := b.Build()
	return batch, size, err
}

// logLines fills a record with text that compresses like logs do, to a third or a quarter.
func logLines(dst []byte, random *rand.Rand) []byte {
	for len(dst) < recordSize {
		dst = fmt.Appendf(dst, `{"level":"info","time":%d,"path":"/api/v1/items/%d","status":%d,"took":%.3f,"user":"%08x"}`+"\n",
			1_700_000_000_000+random.Int64N(1e9), random.IntN(1e5), 200+random.IntN(5), random.Float64(), random.Uint32())
	}
	return dst[:recordSize]
}

// Of the scenario with many producers.
const (
	tinyProducers = 100
	tinyRecords   = 2000 // of each producer
	tinySize      = 100
	tinyUnsettled = 20 // records of a producer that may be under way
)

// produceTiny has a hundred clients send small records one by one, each to partition after partition, without waiting
// for a batch to fill.
func produceTiny(ctx context.Context, s *subject, topic string) (figures, error) {
	if err := s.createTopic(ctx, topic, manyPartitions); err != nil {
		return nil, err
	}
	clients := make([]*kgo.Client, tinyProducers)
	for i := range clients {
		c, err := s.client(kgo.DefaultProduceTopic(topic), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(),
			kgo.MaxProduceRequestsInflightPerBroker(inFlight), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(tinyUnsettled),
			kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			return nil, err
		}
		defer c.Close()
		clients[i] = c
	}
	if err := together(tinyProducers, func(i int) error { return produceSome(ctx, clients[i], i, 1) }); err != nil {
		return nil, err // each is connected and knows the partitions
	}
	m, err := startMeter(s)
	if err != nil {
		return nil, err
	}
	if err := together(tinyProducers, func(i int) error { return produceSome(ctx, clients[i], i, tinyRecords) }); err != nil {
		return nil, err
	}
	elapsed, cpu, err := m.read()
	count := float64(tinyProducers * tinyRecords)
	return figures{"records/s": count / elapsed, "records per CPU-s": count / cpu}, err
}

// produceSome produces count records, each to another partition, and waits until they are settled.
func produceSome(ctx context.Context, c *kgo.Client, producer, count int) error {
	value := bytes.Repeat([]byte{'x'}, tinySize)
	var mu sync.Mutex
	var failed error
	for i := range count {
		r := &kgo.Record{Value: value, Partition: int32((producer*7919 + i) % manyPartitions)}
		c.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
	}
	if err := c.Flush(ctx); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return failed
}
