package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// saramaTasks does tasks with Sarama.
type saramaTasks struct{ address string }

var saramaCodecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4,
	"zstd": sarama.CompressionZSTD,
}

func (s saramaTasks) settings() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Partitioner = sarama.NewManualPartitioner
	return c
}

func (s saramaTasks) produce(_ context.Context, topic, codec string, list []message) error {
	c := s.settings()
	c.Producer.Compression = saramaCodecs[codec]
	return s.send(c, topic, list)
}

func (s saramaTasks) idempotent(_ context.Context, topic string, list []message) error {
	c := s.settings()
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1
	return s.send(c, topic, list)
}

func (s saramaTasks) send(c *sarama.Config, topic string, list []message) error {
	p, err := sarama.NewSyncProducer([]string{s.address}, c)
	if err != nil {
		return err
	}
	var records []*sarama.ProducerMessage
	for _, m := range list {
		r := &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(m.key), Value: sarama.StringEncoder(m.value)}
		for _, h := range m.headers {
			r.Headers = append(r.Headers, sarama.RecordHeader{Key: []byte(h[0]), Value: []byte(h[1])})
		}
		records = append(records, r)
	}
	return errors.Join(p.SendMessages(records), p.Close())
}

func (s saramaTasks) consume(ctx context.Context, topic string, count int) ([]message, error) {
	c, err := sarama.NewConsumer([]string{s.address}, s.settings())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	p, err := c.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var list []message
	for len(list) < count {
		select {
		case r := <-p.Messages():
			m := message{key: string(r.Key), value: string(r.Value), offset: r.Offset, at: r.Timestamp}
			for _, h := range r.Headers {
				m.headers = append(m.headers, [2]string{string(h.Key), string(h.Value)})
			}
			list = append(list, m)
		case <-ctx.Done():
			return list, ctx.Err()
		}
	}
	return list, nil
}

func (s saramaTasks) lookUp(_ context.Context, topic string, at time.Time) (int64, error) {
	c, err := sarama.NewClient([]string{s.address}, s.settings())
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return c.GetOffset(topic, 0, at.UnixMilli())
}

// admin makes an admin client for one call.
func (s saramaTasks) admin(call func(a sarama.ClusterAdmin) error) error {
	a, err := sarama.NewClusterAdmin([]string{s.address}, s.settings())
	if err != nil {
		return err
	}
	return errors.Join(call(a), a.Close())
}

func (s saramaTasks) create(_ context.Context, topic string, partitions int, configs map[string]string) error {
	values := map[string]*string{}
	for key, value := range configs {
		values[key] = &value
	}
	return s.admin(func(a sarama.ClusterAdmin) error {
		return a.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: 1, ConfigEntries: values}, false)
	})
}

func (s saramaTasks) describe(_ context.Context, topic string) (partitions int, err error) {
	err = s.admin(func(a sarama.ClusterAdmin) error {
		topics, err := a.DescribeTopics([]string{topic})
		if err != nil {
			return err
		}
		if len(topics) != 1 || !errors.Is(topics[0].Err, sarama.ErrNoError) {
			return fmt.Errorf("described as %+v", topics)
		}
		partitions = len(topics[0].Partitions)
		return nil
	})
	return partitions, err
}

func (s saramaTasks) remove(_ context.Context, topic string) error {
	return s.admin(func(a sarama.ClusterAdmin) error { return a.DeleteTopic(topic) })
}

func (s saramaTasks) alter(_ context.Context, topic, key, value string) error {
	return s.admin(func(a sarama.ClusterAdmin) error {
		return a.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
			key: {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value},
		}, false)
	})
}

func (s saramaTasks) config(_ context.Context, topic, key string) (value string, err error) {
	err = s.admin(func(a sarama.ClusterAdmin) error {
		answers, err := a.DescribeConfigs([]*sarama.ConfigResource{
			{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{key}},
		}, sarama.DescribeConfigsOptions{})
		for _, r := range answers {
			if !errors.Is(r.ErrorCode, sarama.ErrNoError) {
				return r.ErrorCode
			}
			for _, e := range r.Configs {
				value = e.Value
			}
		}
		return err
	})
	return value, err
}
