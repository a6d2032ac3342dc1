package main

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/protocol/record"
)

// clusterScenario is a load or a fault, run against one cluster at a time.
type clusterScenario struct {
	name        string
	topic       string
	rounds      int
	single      bool // a single broker is measured too
	kbrokerOnly bool
	run         func(ctx context.Context, c *cluster, topic string) (figures, error)
}

func (sc *clusterScenario) possible(c *cluster) bool {
	switch c.name {
	case singleName:
		return sc.single
	case kafkaName:
		return !sc.kbrokerOnly
	}
	return true
}

const clusterPartitions = 6

func clusterScenarios(o options) []clusterScenario {
	list := []clusterScenario{
		{name: "produce 1 KiB records, 1 MB batches, acks=all", topic: "big", rounds: o.rounds, single: true, run: replicatedOf(o.megabytes)},
		{name: "1,000 records/s, acks=all, end to end", topic: "latency", rounds: o.rounds, single: true, run: replicatedLatency(o.latencyFor)},
	}
	for _, count := range []int{1000, o.many} {
		if count == 0 || len(list) > 2 && count == 1000 {
			continue
		}
		name := fmt.Sprintf("%d partitions, ", count)
		kbrokerOnly := count > 1000 // Apache Kafka takes minutes
		list = append(list,
			clusterScenario{name: name + "idle", topic: "idle", rounds: 1, kbrokerOnly: kbrokerOnly, run: idleOf(count)},
			clusterScenario{name: name + "SIGKILL of a broker", topic: "killed", rounds: o.rounds, kbrokerOnly: kbrokerOnly, run: killedOf(count, false)},
			clusterScenario{name: name + "SIGKILL of the controller", topic: "controller", rounds: o.rounds, kbrokerOnly: kbrokerOnly, run: killedOf(count, true)},
		)
	}
	return append(list, clusterScenario{
		name: "controlled shutdown of a broker that leads 1000 partitions", topic: "shutdown", rounds: o.rounds, run: shutDown(1000),
	})
}

// clusterMeter measures a stretch of time and the CPU that all brokers use in it.
type clusterMeter struct {
	c     *cluster
	began time.Time
	cpu   float64
}

func (c *cluster) meter() (clusterMeter, error) {
	cpu, err := c.cpu()
	return clusterMeter{c: c, began: time.Now(), cpu: cpu}, err
}

func (m clusterMeter) read() (elapsed, cpu float64, err error) {
	elapsed = time.Since(m.began).Seconds()
	now, err := m.c.cpu()
	return elapsed, now - m.cpu, err
}

// replicatedOf sends ready-made batches as produceOf does, five in flight to each broker, and waits for all replicas.
func replicatedOf(megabytes int) func(context.Context, *cluster, string) (figures, error) {
	return func(ctx context.Context, c *cluster, topic string) (figures, error) {
		batch, size, err := madeBatch(load{batchSize: 1_000_000, codec: record.None})
		if err != nil {
			return nil, err
		}
		if err := c.createTopic(ctx, topic, clusterPartitions); err != nil {
			return nil, err
		}
		client, err := c.client()
		if err != nil {
			return nil, err
		}
		defer client.Close()
		if err := c.sendReplicated(ctx, client, topic, batch, 60); err != nil { // warms up
			return nil, err
		}
		m, err := c.meter()
		if err != nil {
			return nil, err
		}
		count := (megabytes<<20 + size - 1) / size
		if err := c.sendReplicated(ctx, client, topic, batch, count); err != nil {
			return nil, err
		}
		elapsed, cpu, err := m.read()
		sent := float64(count*size) / (1 << 20)
		return figures{"MB/s": sent / elapsed, "CPU-s per GB": cpu / (sent / 1024), "RSS MB": c.rss(), "peak RSS MB": c.peakRSS()}, err
	}
}

// sendReplicated produces a batch count times with acks=all, spread over the topic's partitions.
func (c *cluster) sendReplicated(ctx context.Context, client *kgo.Client, topic string, batch record.Batch, count int) error {
	var next atomic.Int64
	return together(inFlight*clusterBrokers, func(int) error {
		for {
			n := next.Add(1) - 1
			if n >= int64(count) {
				return nil
			}
			partition := int32(n % clusterPartitions)
			leader := partition%int32(len(c.brokers)) + 1
			codes, err := produceTo(ctx, client, leader, topic, batch, partition)
			for began := time.Now(); err == nil && codes[0] == 3 && time.Since(began) < startWithin; {
				// Apache Kafka's leader need not have heard of a topic that others know.
				codes, err = produceTo(ctx, client, leader, topic, batch, partition)
			}
			if err == nil && codes[0] != 0 {
				err = fmt.Errorf("produce to %s-%d: error code %d", topic, partition, codes[0])
			}
			if err != nil {
				return err
			}
		}
	})
}

// produceTo sends a batch for each of some partitions to a broker, with acks=all, and returns their codes.
func produceTo(ctx context.Context, client *kgo.Client, broker int32, topic string, batch record.Batch, partitions ...int32) ([]int16, error) {
	req, t := kmsg.NewPtrProduceRequest(), kmsg.NewProduceRequestTopic()
	req.Acks, req.TimeoutMillis, t.Topic = -1, 30_000, topic
	for _, index := range partitions {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = index, batch
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	response, err := client.Broker(int(broker)).Request(ctx, req)
	if err != nil {
		return nil, err
	}
	codes := make([]int16, 0, len(partitions))
	for _, t := range response.(*kmsg.ProduceResponse).Topics {
		for _, p := range t.Partitions {
			codes = append(codes, p.ErrorCode)
		}
	}
	if len(codes) != len(partitions) {
		return nil, fmt.Errorf("answered %d partitions of %d", len(codes), len(partitions))
	}
	return codes, nil
}

// replicatedLatency is latencyFor on a cluster.
func replicatedLatency(length time.Duration) func(context.Context, *cluster, string) (figures, error) {
	return func(ctx context.Context, c *cluster, topic string) (figures, error) {
		if err := c.createTopic(ctx, topic, clusterPartitions); err != nil {
			return nil, err
		}
		p, err := c.client(kgo.ProducerLinger(0), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()))
		if err != nil {
			return nil, err
		}
		defer p.Close()
		consumer, err := c.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			return nil, err
		}
		defer consumer.Close()
		warm := int(length / time.Millisecond / 3)
		if _, err := endToEnd(ctx, p, consumer, warm); err != nil {
			return nil, err
		}
		m, err := c.meter()
		if err != nil {
			return nil, err
		}
		latencies, err := endToEnd(ctx, p, consumer, int(length/time.Millisecond))
		if err != nil {
			return nil, err
		}
		elapsed, cpu, err := m.read()
		slices.Sort(latencies)
		at := func(q float64) float64 { return milliseconds(latencies[int(q*float64(len(latencies)-1))]) }
		return figures{"p50 ms": at(.5), "p99 ms": at(.99), "p99.9 ms": at(.999), "CPU % of a core": cpu / elapsed * 100}, err
	}
}

// idleFor is how long idle brokers are watched, after as long to become idle.
const idleFor = 8 * time.Second

// idleOf measures what partitions cost that nobody writes to.
func idleOf(partitions int) func(context.Context, *cluster, string) (figures, error) {
	return func(ctx context.Context, c *cluster, topic string) (figures, error) {
		began := time.Now()
		if err := c.createTopic(ctx, topic, partitions); err != nil {
			return nil, err
		}
		created := time.Since(began)
		time.Sleep(idleFor) // a benchmark of real processes
		m, err := c.meter()
		if err != nil {
			return nil, err
		}
		time.Sleep(idleFor)
		elapsed, cpu, err := m.read()
		brokers := float64(len(c.brokers))
		return figures{
			"CPU % of a core, a broker": cpu / elapsed * 100 / brokers, "RSS MB, a broker": c.rss() / brokers,
			"peak RSS MB, a broker": c.peakRSS() / brokers, "ms to create, all in sync": milliseconds(created),
		}, err
	}
}
