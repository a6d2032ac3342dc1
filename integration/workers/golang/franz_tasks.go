package main

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// franzTasks does tasks with kgo and kadm.
type franzTasks struct{ address string }

var franzCodecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(),
	"zstd": kgo.ZstdCompression(),
}

func (f franzTasks) produce(ctx context.Context, topic, codec string, list []message) error {
	return f.send(ctx, topic, list, kgo.ProducerBatchCompression(franzCodecs[codec]), kgo.DisableIdempotentWrite())
}

func (f franzTasks) idempotent(ctx context.Context, topic string, list []message) error {
	return f.send(ctx, topic, list, kgo.ProducerBatchCompression(kgo.NoCompression()))
}

func (f franzTasks) send(ctx context.Context, topic string, list []message, options ...kgo.Opt) error {
	c, err := kgo.NewClient(append(options, kgo.SeedBrokers(f.address), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return err
	}
	defer c.Close()
	var records []*kgo.Record
	for _, m := range list {
		r := &kgo.Record{Topic: topic, Key: []byte(m.key), Value: []byte(m.value)}
		for _, h := range m.headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
		}
		records = append(records, r)
	}
	return c.ProduceSync(ctx, records...).FirstErr()
}

func (f franzTasks) consume(ctx context.Context, topic string, count int) ([]message, error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(f.address), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var list []message
	for len(list) < count {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return list, err
		}
		for _, r := range fetches.Records() {
			m := message{key: string(r.Key), value: string(r.Value), offset: r.Offset, at: r.Timestamp}
			for _, h := range r.Headers {
				m.headers = append(m.headers, [2]string{h.Key, string(h.Value)})
			}
			list = append(list, m)
		}
	}
	return list, nil
}

// admin makes an admin client for one call.
func (f franzTasks) admin(call func(a *kadm.Client) error) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(f.address))
	if err != nil {
		return err
	}
	defer c.Close()
	return call(kadm.NewClient(c))
}

func (f franzTasks) lookUp(ctx context.Context, topic string, at time.Time) (offset int64, err error) {
	err = f.admin(func(a *kadm.Client) error {
		offsets, err := a.ListOffsetsAfterMilli(ctx, at.UnixMilli(), topic)
		if err != nil {
			return err
		}
		o, _ := offsets.Lookup(topic, 0)
		offset = o.Offset
		return o.Err
	})
	return offset, err
}

func (f franzTasks) create(ctx context.Context, topic string, partitions int, configs map[string]string) error {
	values := map[string]*string{}
	for key, value := range configs {
		values[key] = &value
	}
	return f.admin(func(a *kadm.Client) error {
		_, err := a.CreateTopic(ctx, int32(partitions), 1, values, topic)
		return err
	})
}

func (f franzTasks) describe(ctx context.Context, topic string) (partitions int, err error) {
	err = f.admin(func(a *kadm.Client) error {
		topics, err := a.ListTopics(ctx, topic)
		partitions = len(topics[topic].Partitions)
		return errors.Join(err, topics[topic].Err)
	})
	return partitions, err
}

func (f franzTasks) remove(ctx context.Context, topic string) error {
	return f.admin(func(a *kadm.Client) error {
		_, err := a.DeleteTopic(ctx, topic)
		return err
	})
}

func (f franzTasks) alter(ctx context.Context, topic, key, value string) error {
	return f.admin(func(a *kadm.Client) error {
		answers, err := a.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}, topic)
		if err != nil {
			return err
		}
		_, err = answers.On(topic, func(r *kadm.AlterConfigsResponse) error { return r.Err })
		return err
	})
}

func (f franzTasks) config(ctx context.Context, topic, key string) (value string, err error) {
	err = f.admin(func(a *kadm.Client) error {
		configs, err := a.DescribeTopicConfigs(ctx, topic)
		if err != nil {
			return err
		}
		_, err = configs.On(topic, func(r *kadm.ResourceConfig) error {
			for _, c := range r.Configs {
				if c.Key == key {
					value = c.MaybeValue()
				}
			}
			return r.Err
		})
		return err
	})
	return value, err
}
