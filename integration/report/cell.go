package report

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// cellWithin bounds the test of one cell, or one step of it with a group; the start of a process is not counted.
const cellWithin = 15 * time.Second

// codecs are Kafka's, by their numbers.
var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// column is something that clients do.
type column struct {
	name string
	try  func(t *trial, ctx context.Context) error
}

// The columns that kcat and others do not offer.
const (
	idempotence = "idempotence"
	topics      = "topics"
	configs     = "configs"
)

// columns are those of the page, in its order.
func columns() []column {
	var all []column
	add := func(name string, try func(t *trial, ctx context.Context) error) {
		all = append(all, column{name, func(t *trial, ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, cellWithin)
			defer cancel()
			return try(t, ctx)
		}})
	}
	for i, codec := range codecs {
		add("produce "+codec, func(t *trial, ctx context.Context) error { return t.produce(ctx, i) })
	}
	add("consume", (*trial).consume)
	for _, protocol := range []string{classic, cooperative, consumer} {
		all = append(all, column{protocol, func(t *trial, ctx context.Context) error { return t.shareGroup(ctx, protocol) }})
	}
	add(idempotence, (*trial).idempotence)
	add("headers", (*trial).headers)
	add("times", (*trial).lookUp)
	add(topics, (*trial).topics)
	add(configs, (*trial).configs)
	return all
}

// trial is one cell under test.
type trial struct {
	address string
	client  *client
	doer    doer
	topic   string // of its own
	kafka   *kgo.Client
	admin   *kadm.Client
}

// bench is a broker on which cells are tried.
type bench struct {
	address string
	kafka   *kgo.Client
}

func newBench(t testing.TB, address string) *bench {
	return &bench{address, harness.NewClient(
		t, address, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.UnknownTopicRetries(-1),
	)}
}

// try tries a cell with a worker of the client; the suffix makes its topic another than that of the try before.
func (b *bench) try(ctx context.Context, c *client, d doer, column column, suffix string) error {
	if w, ok := d.(*worker); ok { // the start of a process is not the cell's
		if err := w.ready(ctx); err != nil {
			return err
		}
	}
	t := &trial{
		address: b.address, client: c, doer: d, kafka: b.kafka, admin: kadm.NewClient(b.kafka),
		topic: fmt.Sprintf("%s-%s", slug(c.id()), slug(column.name+suffix)),
	}
	return column.try(t, ctx)
}

// slug is a name as topics and groups can have it.
func slug(name string) string {
	return strings.Trim(regexp.MustCompile(`[^a-zA-Z0-9.]+`).ReplaceAllString(name, "-"), "-")
}

// create creates the cell's topic.
func (t *trial) create(ctx context.Context, partitions int32) error {
	if _, err := t.admin.CreateTopic(ctx, partitions, 1, nil, t.topic); err != nil {
		return fmt.Errorf("create topic %s: %w", t.topic, err)
	}
	return nil
}

// eventually polls until done returns nil, and returns its last error when the cell's time is over.
func eventually(ctx context.Context, done func() error) error {
	for {
		err := done()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
