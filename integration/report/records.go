package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const recordCount = 10

// firstTime is the timestamp of the first record that the trial itself writes; a second lies between two.
const firstTime = 1_700_000_000_000

func keyOf(i int) string   { return fmt.Sprintf("k%d", i) }
func valueOf(i int) string { return fmt.Sprintf("v%d%s", i, strings.Repeat(".", 500)) }

// wanted is what a record's headers should be.
var wanted = []string{"a=1", "b=2"}

// written are records from the trial's own hand.
func (t *trial) written() []*kgo.Record {
	var records []*kgo.Record
	for i := range recordCount {
		records = append(records, &kgo.Record{
			Topic: t.topic, Key: []byte(keyOf(i)), Value: []byte(valueOf(i)), Timestamp: time.UnixMilli(firstTime + 1000*int64(i)),
		})
	}
	return records
}

// read reads partition 0 from its start.
func (t *trial) read(ctx context.Context, count int) ([]*kgo.Record, error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(t.address), kgo.FetchMaxWait(200*time.Millisecond), kgo.ConsumePartitions(
		map[string]map[int32]kgo.Offset{t.topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var records []*kgo.Record
	for len(records) < count {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read back, %d of %d records: %w", len(records), count, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records, nil
}

// readBack reads what the client should have written, and compares each record's key and value.
func (t *trial) readBack(ctx context.Context, count int) ([]*kgo.Record, error) {
	records, err := t.read(ctx, count)
	if err != nil {
		return nil, err
	}
	if len(records) != count {
		return nil, fmt.Errorf("%d records, want %d", len(records), count)
	}
	for i, r := range records {
		if string(r.Key) != keyOf(i) || string(r.Value) != valueOf(i) {
			return nil, fmt.Errorf("record %d is %q: %.20q", i, r.Key, r.Value)
		}
	}
	return records, nil
}

// produce: the client's records are there, in batches of the codec.
func (t *trial) produce(ctx context.Context, codec int) error {
	if err := t.create(ctx, 1); err != nil {
		return err
	}
	if _, err := t.doer.do(ctx, "produce", t.topic, codecs[codec]); err != nil {
		return err
	}
	records, err := t.readBack(ctx, recordCount)
	if err != nil {
		return err
	}
	for i, r := range records {
		if got := int(r.Attrs.CompressionType()); got != codec {
			return fmt.Errorf("record %d came with codec %d", i, got)
		}
	}
	return nil
}

// idempotence: the records are there, from a producer with an id.
func (t *trial) idempotence(ctx context.Context) error {
	if err := t.create(ctx, 1); err != nil {
		return err
	}
	if _, err := t.doer.do(ctx, "idempotent", t.topic); err != nil {
		return err
	}
	records, err := t.readBack(ctx, recordCount)
	if err != nil {
		return err
	}
	for i, r := range records {
		if r.ProducerID < 0 {
			return fmt.Errorf("record %d came without a producer id", i)
		}
	}
	return nil
}

// consume: the client reads batches of every codec that it has, with offsets and times.
func (t *trial) consume(ctx context.Context) error {
	if err := t.create(ctx, 1); err != nil {
		return err
	}
	readable := slices.DeleteFunc(slices.Clone(codecs), func(codec string) bool { return t.client.absent["produce "+codec] != "" })
	for i, r := range t.written() {
		if err := t.writeWith(ctx, readable[i%len(readable)], r); err != nil {
			return err
		}
	}
	events, err := t.doer.do(ctx, "consume", t.topic, strconv.Itoa(recordCount))
	if err != nil {
		return err
	}
	if len(events) != recordCount {
		return fmt.Errorf("consumed %d records, want %d", len(events), recordCount)
	}
	for i, e := range events {
		if e.Offset != int64(i) || e.Key != keyOf(i) || e.Value != valueOf(i) || e.Timestamp != firstTime+1000*int64(i) {
			return fmt.Errorf("consumed %d as offset %d, time %d, %q: %.20q", i, e.Offset, e.Timestamp, e.Key, e.Value)
		}
	}
	return nil
}

// writeWith writes a record in a batch of its own.
func (t *trial) writeWith(ctx context.Context, codec string, r *kgo.Record) error {
	compression := []kgo.CompressionCodec{
		kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
	}[slices.Index(codecs, codec)]
	c, err := kgo.NewClient(kgo.SeedBrokers(t.address), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(compression), kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	defer c.Close()
	return c.ProduceSync(ctx, r).FirstErr()
}

// headers: those that the client writes are there, and it reads them.
func (t *trial) headers(ctx context.Context) error {
	if err := t.create(ctx, 1); err != nil {
		return err
	}
	if _, err := t.doer.do(ctx, "headers", t.topic); err != nil {
		return err
	}
	records, err := t.readBack(ctx, 1)
	if err != nil {
		return err
	}
	var got []string
	for _, h := range records[0].Headers {
		got = append(got, h.Key+"="+string(h.Value))
	}
	if !slices.Equal(got, wanted) {
		return fmt.Errorf("written with headers %q", got)
	}
	events, err := t.doer.do(ctx, "consume", t.topic, "1")
	if err != nil {
		return err
	}
	if len(events) != 1 || !slices.Equal(events[0].Headers, wanted) {
		return fmt.Errorf("read as %+v", events)
	}
	return nil
}

// lookUp: the client finds the first record that is not before a time.
func (t *trial) lookUp(ctx context.Context) error {
	if err := t.create(ctx, 1); err != nil {
		return err
	}
	if err := t.kafka.ProduceSync(ctx, t.written()...).FirstErr(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	const at, want = firstTime + 4500, 5
	events, err := t.doer.do(ctx, "look-up", t.topic, strconv.FormatInt(at, 10))
	switch {
	case err != nil:
		return err
	case len(events) != 1:
		return errors.New("no offset")
	case events[0].Offset != want:
		return fmt.Errorf("offset %d, want %d", events[0].Offset, want)
	}
	return nil
}
