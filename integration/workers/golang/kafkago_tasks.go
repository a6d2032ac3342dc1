package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// kafkaGoTasks does tasks with kafka-go: its Writer, its Reader, and its Client for the rest.
type kafkaGoTasks struct{ address string }

var kafkaGoCodecs = map[string]kafka.Compression{
	"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
}

func (k kafkaGoTasks) client() *kafka.Client { return &kafka.Client{Addr: kafka.TCP(k.address)} }

func (k kafkaGoTasks) produce(ctx context.Context, topic, codec string, list []message) error {
	w := &kafka.Writer{
		Addr: kafka.TCP(k.address), Topic: topic, RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond,
		Transport:   new(kafka.Transport), // the default one remembers that a topic was not there
		Compression: kafkaGoCodecs[codec],
	}
	var records []kafka.Message
	for _, m := range list {
		r := kafka.Message{Key: []byte(m.key), Value: []byte(m.value)}
		for _, h := range m.headers {
			r.Headers = append(r.Headers, kafka.Header{Key: h[0], Value: []byte(h[1])})
		}
		records = append(records, r)
	}
	return errors.Join(w.WriteMessages(ctx, records...), w.Close())
}

func (k kafkaGoTasks) idempotent(context.Context, string, []message) error {
	return errors.New("kafka-go has no idempotent producer")
}

func (k kafkaGoTasks) consume(ctx context.Context, topic string, count int) ([]message, error) {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{k.address}, Topic: topic, Partition: 0, MaxWait: heartbeatInterval})
	defer r.Close()
	var list []message
	for len(list) < count {
		record, err := r.ReadMessage(ctx)
		if err != nil {
			return list, err
		}
		m := message{key: string(record.Key), value: string(record.Value), offset: record.Offset, at: record.Time}
		for _, h := range record.Headers {
			m.headers = append(m.headers, [2]string{h.Key, string(h.Value)})
		}
		list = append(list, m)
	}
	return list, nil
}

func (k kafkaGoTasks) lookUp(ctx context.Context, topic string, at time.Time) (offset int64, err error) {
	answer, err := k.client().ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: {kafka.TimeOffsetOf(0, at)}},
	})
	if err != nil {
		return 0, err
	}
	partitions := answer.Topics[topic]
	if len(partitions) != 1 || len(partitions[0].Offsets) != 1 {
		return 0, fmt.Errorf("offsets %+v", partitions)
	}
	for offset = range partitions[0].Offsets {
	}
	return offset, partitions[0].Error
}

func (k kafkaGoTasks) create(ctx context.Context, topic string, partitions int, configs map[string]string) error {
	var entries []kafka.ConfigEntry
	for key, value := range configs {
		entries = append(entries, kafka.ConfigEntry{ConfigName: key, ConfigValue: value})
	}
	answer, err := k.client().CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
		{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: entries},
	}})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

func (k kafkaGoTasks) describe(ctx context.Context, topic string) (partitions int, err error) {
	answer, err := k.client().Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, err
	}
	for _, t := range answer.Topics {
		if t.Error != nil {
			return 0, t.Error
		}
		partitions += len(t.Partitions)
	}
	return partitions, nil
}

func (k kafkaGoTasks) remove(ctx context.Context, topic string) error {
	answer, err := k.client().DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

func (k kafkaGoTasks) alter(ctx context.Context, topic, key, value string) error {
	answer, err := k.client().IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: key, Value: value, ConfigOperation: kafka.ConfigOperationSet}},
		}},
	})
	if err != nil {
		return err
	}
	for _, r := range answer.Resources {
		if r.Error != nil {
			return r.Error
		}
	}
	return nil
}

func (k kafkaGoTasks) config(ctx context.Context, topic, key string) (value string, err error) {
	answer, err := k.client().DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{key}},
	}})
	if err != nil {
		return "", err
	}
	for _, r := range answer.Resources {
		if r.Error != nil {
			return "", r.Error
		}
		for _, e := range r.ConfigEntries {
			value = e.ConfigValue
		}
	}
	return value, nil
}
