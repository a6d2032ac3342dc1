package harness

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// clientTimeout bounds one call of a test's client.
const clientTimeout = 60 * time.Second

// Context returns a context that bounds one step of a test.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), clientTimeout)
	t.Cleanup(cancel)
	return ctx
}

// NewClient returns a franz-go client of a broker, or of several with commas between them, closed when the test ends.
func NewClient(t testing.TB, address string, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(address, ",")...), kgo.RetryTimeout(clientTimeout),
		// A broker that restarts is back long before the library's defaults (seconds) would look for it.
		kgo.MetadataMinAge(100 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
	}, options...)...)
	if err != nil {
		t.Fatalf("new client: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// CreateTopic creates a topic with one replica and the given configs.
func CreateTopic(t testing.TB, c *kgo.Client, topic string, partitions int32, configs map[string]string) {
	t.Helper()
	values := map[string]*string{}
	for key, value := range configs {
		values[key] = &value
	}
	if _, err := kadm.NewClient(c).CreateTopic(Context(t), partitions, 1, values, topic); err != nil {
		t.Fatalf("create topic %s: %v", topic, err)
	}
}

// Produce produces records and waits for their acknowledgement.
func Produce(t testing.TB, c *kgo.Client, records ...*kgo.Record) {
	t.Helper()
	settled := make(chan error, 1)
	ctx := Context(t)
	go func() { settled <- c.ProduceSync(ctx, records...).FirstErr() }()
	select {
	case err := <-settled:
		if err != nil {
			t.Fatalf("produce: %v", err)
		}
	case <-time.After(clientTimeout + 5*time.Second):
		// What was sent once, the idempotent producer sends again until it knows the outcome, whatever its context says.
		t.Fatal("produce: the outcome is not known in time")
	}
}

// Consume reads a topic from its start until it has count records, and fails the test when they
// do not come in time. It does not look for more.
func Consume(t testing.TB, address, topic string, count int, options ...kgo.Opt) []*kgo.Record {
	t.Helper()
	c := NewClient(t, address, append([]kgo.Opt{
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(500 * time.Millisecond),
	}, options...)...)
	defer c.Close()
	ctx := Context(t)
	var records []*kgo.Record
	for len(records) < count {
		fetches := c.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("consume %s: %d of %d records: %v", topic, len(records), count, err)
		}
		fetches.EachError(func(topic string, partition int32, err error) {
			t.Fatalf("consume %s-%d: %v", topic, partition, err)
		})
		records = append(records, fetches.Records()...)
	}
	return records
}

// RoundTrip writes a request of the version that it has, and reads its answer.
func RoundTrip(t testing.TB, conn net.Conn, q kmsg.Request) kmsg.Response {
	t.Helper()
	const correlation = 7
	if _, err := conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("raw")).AppendRequest(nil, q, correlation)); err != nil {
		t.Fatalf("write: %v", err)
	}
	head := make([]byte, 8)
	if _, err := io.ReadFull(conn, head); err != nil {
		t.Fatalf("read the head of the answer: %v", err)
	}
	size := binary.BigEndian.Uint32(head)
	if got := binary.BigEndian.Uint32(head[4:]); got != correlation || size < 4 || size > 100<<20 {
		t.Fatalf("an answer of %d bytes to request %d", size, got)
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(conn, body); err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	answer := q.ResponseKind()
	if answer.IsFlexible() && answer.Key() != 18 { // ApiVersions has the old header at any version
		body = body[1:] // no tagged fields
	}
	if err := answer.ReadFrom(body); err != nil {
		t.Fatalf("parse the answer: %v", err)
	}
	return answer
}

// EndOffset returns the log end offset of a partition as consumers see it.
func EndOffset(t testing.TB, c *kgo.Client, topic string, partition int32) int64 {
	t.Helper()
	offsets, err := kadm.NewClient(c).ListEndOffsets(Context(t), topic)
	if err != nil {
		t.Fatalf("list the end offsets of %s: %v", topic, err)
	}
	o, ok := offsets.Lookup(topic, partition)
	if !ok || o.Err != nil {
		t.Fatalf("end offset of %s-%d: %v", topic, partition, o.Err)
	}
	return o.Offset
}

// Metric reads one series of a broker's /metrics by its name with labels, or 0 when it is absent.
func (b *Broker) Metric(t testing.TB, series string) float64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(b.get(t, "/metrics"))
	if m == nil {
		return 0
	}
	value, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatalf("metric %s: %v", series, err)
	}
	return value
}

func (b *Broker) get(t testing.TB, path string) string {
	t.Helper()
	status, body := b.HTTP(t, path)
	if status != http.StatusOK {
		t.Fatalf("%s answers %d: %s", path, status, body)
	}
	return body
}

// HTTP gets a path of the metrics listener.
func (b *Broker) HTTP(t testing.TB, path string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(Context(t), http.MethodGet, "http://127.0.0.1:"+strconv.Itoa(b.MetricsPort)+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("get %s: %v", path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("get %s: %v", path, err)
	}
	return response.StatusCode, string(text)
}
