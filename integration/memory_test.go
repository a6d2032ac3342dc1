package integration

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/protocol/record"
)

// TestGiants has 1,000 connections send the largest frames there may be, all at once: the memory of the broker stays within the
// bound, whoever sets it, the giants are answered one after the other, and a client of ordinary size is served in between.
func TestGiants(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		config map[string]string
		wrap   []string
		most   int // MB of RSS
	}{
		// Two frames fit in a bound of one (the second begins while some is left), their successors come before
		// they are collected, and 1,000 connections hold 64 KiB each.
		{"queued.max.request.bytes", map[string]string{"queued.max.request.bytes": "104857600"}, nil, 640},
		// Kafka's default is no bound; a quarter of 1 GiB then is. The garbage collector keeps the rest.
		{"memory of the process", nil, []string{"env", "GOMEMLIMIT=1GiB"}, 1100},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := harness.StartBroker(t, harness.Options{Plain: true, Config: c.config, Wrap: c.wrap})
			client := harness.NewClient(t, b.Address())
			harness.CreateTopic(t, client, "ordinary", 1, nil)
			stop := sendGiants(t, b, 1000)
			peak, served := 0, 0
			for end := time.Now().Add(5 * time.Second); time.Now().Before(end); served++ {
				harness.Produce(t, client, &kgo.Record{Topic: "ordinary", Value: []byte("served")})
				peak = max(peak, rss(t, b)>>20)
			}
			answered := stop()
			t.Logf("RSS %d MB at most, %d giants were answered and %d ordinary produces between them", peak, answered, served)
			if peak > c.most {
				t.Errorf("RSS rose to %d MB, at most %d", peak, c.most)
			}
			if answered == 0 || served < 5 {
				t.Errorf("%d giants and %d ordinary produces were answered", answered, served)
			}
			if got := len(harness.Consume(t, b.Address(), "ordinary", served)); got != served {
				t.Errorf("%d records, want %d", got, served)
			}
			b.Stop(t)
		})
	}
}

// sendGiants sends a produce request of 100 MiB, again and again, on each of many connections. The function that it returns ends
// them and gives the number of answers, all of which must be MESSAGE_TOO_LARGE: such a request is legal.
func sendGiants(t *testing.T, b *harness.Broker, count int) (stop func() int) {
	t.Helper()
	giant := giantProduce(t, "ordinary")
	stopped := make(chan struct{})
	answers := make(chan error, count)
	answered := 0
	var counting, running sync.WaitGroup
	counting.Go(func() {
		for err := range answers {
			if answered++; !errors.Is(err, kerr.MessageTooLarge) {
				t.Errorf("a giant was answered with %v", err)
			}
		}
	})
	for range count {
		conn := dial(t, b)
		running.Go(func() { <-stopped; _ = conn.Close() })
		running.Go(func() {
			for {
				_ = conn.SetDeadline(time.Now().Add(time.Minute))
				if _, err := conn.Write(giant); err != nil {
					return // stopped
				}
				err, ok := giantAnswer(conn)
				if !ok {
					return
				}
				answers <- err
			}
		})
	}
	return func() int {
		close(stopped)
		running.Wait()
		close(answers)
		counting.Wait()
		return answered
	}
}

// giantProduce is a frame of exactly 100 MiB with a valid batch of one record.
func giantProduce(t *testing.T, topic string) []byte {
	t.Helper()
	value := make([]byte, 100<<20-200)
	_, _ = rand.NewChaCha8([32]byte{}).Read(value[:1<<20]) // never fails
	builder := record.NewBuilder(record.BatchOptions{})
	builder.Append(time.Now().UnixMilli(), nil, value)
	batch, err := builder.Build()
	if err != nil {
		t.Fatal(err)
	}
	q := kmsg.NewPtrProduceRequest()
	q.Version, q.Acks, q.TimeoutMillis = 7, 1, 1000
	part := kmsg.NewProduceRequestTopicPartition()
	part.Records = batch
	q.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{part}}}
	return kmsg.NewRequestFormatter().AppendRequest(nil, q, 1)
}

// giantAnswer reads the answer to giantProduce, unless the connection ends.
func giantAnswer(conn net.Conn) (error, bool) {
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err, errors.Is(err, os.ErrDeadlineExceeded)
	}
	body := make([]byte, min(binary.BigEndian.Uint32(size[:]), 1<<20))
	if _, err := io.ReadFull(conn, body); err != nil {
		return err, errors.Is(err, os.ErrDeadlineExceeded)
	}
	p := kmsg.NewPtrProduceResponse()
	p.Version = 7
	if err := p.ReadFrom(body[4:]); err != nil {
		return err, true
	}
	return kerr.ErrorForCode(p.Topics[0].Partitions[0].ErrorCode), true
}
