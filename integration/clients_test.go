package integration

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// message is a record as every client can express it.
type message struct {
	key, value []byte
	header     string // value of the header "h"
	at         time.Time
}

// messages are the shapes that clients send: keyless, empty, small, 1 MiB, repetitive and random.
func messages() []message {
	at := time.UnixMilli(1_700_000_000_000)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)[:1<<20-512] // batch overhead included it is below max.message.bytes
	list := []message{
		{key: []byte("k"), value: []byte("v"), header: "x", at: at},
		{key: nil, value: []byte("no key"), at: at.Add(time.Millisecond)},
		{key: []byte("empty"), value: []byte{}, at: at.Add(2 * time.Millisecond)},
		{key: []byte("big"), value: big, header: "big", at: at.Add(3 * time.Millisecond)},
	}
	for i := range 200 {
		list = append(list, message{
			key: fmt.Appendf(nil, "key-%d", i), value: fmt.Appendf(nil, "value %d %d", i, i*i),
			header: fmt.Sprint(i), at: at.Add(time.Duration(i+4) * time.Millisecond),
		})
	}
	return list
}

// client is a family of clients: how it produces to a topic of one partition and reads it back.
type client struct {
	name    string
	codecs  []string
	produce func(t *testing.T, address, topic, codec string, list []message)
	consume func(t *testing.T, address, topic string, count int) []message
}

func clients() []client {
	all := []string{"none", "gzip", "snappy", "lz4", "zstd"}
	return []client{
		{"franz-go", all, franzProduce, franzConsume},
		{"sarama", all, saramaProduce, saramaConsume},
		{"kafka-go", all, kafkaGoProduce, kafkaGoConsume},
	}
}

// TestClients lets every client produce with every codec, and every client read what every
// client produced.
func TestClients(t *testing.T) {
	b := harness.StartBroker(t, harness.Options{})
	admin := harness.NewClient(t, b.Address())
	sent := messages()
	for _, producer := range clients() {
		for _, codec := range producer.codecs {
			topic := fmt.Sprintf("%s-%s", producer.name, codec)
			harness.CreateTopic(t, admin, topic, 1, nil)
			producer.produce(t, b.Address(), topic, codec, sent)
			for _, consumer := range clients() {
				got := consumer.consume(t, b.Address(), topic, len(sent))
				compare(t, fmt.Sprintf("%s read by %s", topic, consumer.name), sent, got)
			}
		}
	}
}

func compare(t *testing.T, what string, sent, got []message) {
	t.Helper()
	if len(sent) != len(got) {
		t.Errorf("%s: %d records, want %d", what, len(got), len(sent))
		return
	}
	for i := range sent {
		same := bytes.Equal(sent[i].key, got[i].key) && bytes.Equal(sent[i].value, got[i].value) &&
			sent[i].header == got[i].header && sent[i].at.Equal(got[i].at)
		if !same {
			t.Errorf("%s: record %d is key %q, %d bytes, header %q, at %v", what, i, got[i].key, len(got[i].value), got[i].header, got[i].at)
			return
		}
	}
}

func franzProduce(t *testing.T, address, topic, codec string, list []message) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	c := harness.NewClient(t, address, kgo.ProducerBatchCompression(codecs[codec]), kgo.ProducerBatchMaxBytes(1<<20+64))
	defer c.Close()
	var records []*kgo.Record
	for _, m := range list {
		r := &kgo.Record{Topic: topic, Key: m.key, Value: m.value, Timestamp: m.at}
		if m.header != "" {
			r.Headers = []kgo.RecordHeader{{Key: "h", Value: []byte(m.header)}}
		}
		records = append(records, r)
	}
	harness.Produce(t, c, records...)
}

func franzConsume(t *testing.T, address, topic string, count int) []message {
	var list []message
	for _, r := range harness.Consume(t, address, topic, count) {
		m := message{key: r.Key, value: r.Value, at: r.Timestamp}
		for _, h := range r.Headers {
			m.header = string(h.Value)
		}
		list = append(list, m)
	}
	return list
}

func saramaConfig(codec string) *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1
	c.Producer.MaxMessageBytes = 1<<20 + 64
	c.Producer.Compression = map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
		"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}[codec]
	return c
}

func saramaProduce(t *testing.T, address, topic, codec string, list []message) {
	saramaProduceWith(t, address, topic, saramaConfig(codec), list)
}

func saramaProduceWith(t *testing.T, address, topic string, config *sarama.Config, list []message) {
	t.Helper()
	p, err := sarama.NewSyncProducer([]string{address}, config)
	if err != nil {
		t.Fatalf("sarama: %v", err)
	}
	defer p.Close()
	var records []*sarama.ProducerMessage
	for _, m := range list {
		r := &sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(m.value), Timestamp: m.at}
		if m.key != nil {
			r.Key = sarama.ByteEncoder(m.key)
		}
		if m.header != "" {
			r.Headers = []sarama.RecordHeader{{Key: []byte("h"), Value: []byte(m.header)}}
		}
		records = append(records, r)
	}
	if err := p.SendMessages(records); err != nil {
		t.Fatalf("sarama: %v", err)
	}
}

func saramaConsume(t *testing.T, address, topic string, count int) []message {
	return saramaConsumeWith(t, address, topic, saramaConfig("none"), count)
}

func saramaConsumeWith(t *testing.T, address, topic string, config *sarama.Config, count int) []message {
	t.Helper()
	c, err := sarama.NewConsumer([]string{address}, config)
	if err != nil {
		t.Fatalf("sarama: %v", err)
	}
	defer c.Close()
	pc, err := c.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatalf("sarama: %v", err)
	}
	defer pc.Close()
	deadline := time.After(60 * time.Second)
	var list []message
	for len(list) < count {
		select {
		case r := <-pc.Messages():
			m := message{key: r.Key, value: r.Value, at: r.Timestamp}
			for _, h := range r.Headers {
				m.header = string(h.Value)
			}
			list = append(list, m)
		case err := <-pc.Errors():
			t.Fatalf("sarama: %v", err)
		case <-deadline:
			t.Fatalf("sarama read %d of %d records of %s in time", len(list), count, topic)
		}
	}
	return list
}

func kafkaGoProduce(t *testing.T, address, topic, codec string, list []message) {
	w := &kafka.Writer{
		Addr: kafka.TCP(address), Topic: topic, RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond,
		BatchBytes: 1<<20 + 64, Balancer: &kafka.RoundRobin{},
		Transport: new(kafka.Transport), // the default one remembers that the topic was not there
		Compression: map[string]kafka.Compression{
			"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
		}[codec],
	}
	defer w.Close()
	var records []kafka.Message
	for _, m := range list {
		r := kafka.Message{Key: m.key, Value: m.value, Time: m.at}
		if m.header != "" {
			r.Headers = []kafka.Header{{Key: "h", Value: []byte(m.header)}}
		}
		records = append(records, r)
	}
	if err := w.WriteMessages(harness.Context(t), records...); err != nil {
		t.Fatalf("kafka-go: %v", err)
	}
}

func kafkaGoConsume(t *testing.T, address, topic string, count int) []message {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{address}, Topic: topic, Partition: 0, MaxBytes: 8 << 20, MaxWait: 500 * time.Millisecond})
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	var list []message
	for len(list) < count {
		record, err := r.ReadMessage(ctx)
		if err != nil {
			t.Fatalf("kafka-go read %d of %d records of %s: %v", len(list), count, topic, err)
		}
		m := message{key: record.Key, value: record.Value, at: record.Time}
		for _, h := range record.Headers {
			m.header = string(h.Value)
		}
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b message) int { return a.at.Compare(b.at) })
	return list
}
