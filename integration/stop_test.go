package integration

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestStopWithWaitingConsumers: consumers wait for records at the end of a topic; a stop does not wait with them.
func TestStopWithWaitingConsumers(t *testing.T) {
	t.Parallel()
	b := harness.StartBroker(t, harness.Options{})
	harness.CreateTopic(t, harness.NewClient(t, b.Address()), "quiet", 1, nil)
	conn := holdFetch(t, b, "quiet")
	began := time.Now()
	b.Stop(t)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %s, the fetch that waited wanted to wait for a minute", took)
	}
	size := make([]byte, 4)
	if _, err := conn.Read(size); err != nil || binary.BigEndian.Uint32(size) == 0 {
		t.Errorf("the fetch was not answered: %v", err)
	}
}

// holdFetch sends a fetch that waits for a minute, and returns when the broker has it.
func holdFetch(t *testing.T, b *harness.Broker, topic string) net.Conn {
	t.Helper()
	conn := sendFetch(t, b, topic, 16<<20)
	awaitStack(t, b, "fetchCall).wait")
	return conn
}

// holdAnswer fetches the topic, which has to be larger than what sockets buffer, and does not read the answer.
func holdAnswer(t *testing.T, b *harness.Broker, topic string) {
	t.Helper()
	sendFetch(t, b, topic, 1)
	awaitStack(t, b, ").SendTo+")
}

func sendFetch(t *testing.T, b *harness.Broker, topic string, minBytes int32) net.Conn {
	t.Helper()
	q := kmsg.NewPtrFetchRequest()
	q.Version = 11
	q.ReplicaID, q.MaxWaitMillis, q.MinBytes, q.MaxBytes = -1, 60_000, minBytes, 32<<20
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes = 32 << 20
	q.Topics = []kmsg.FetchRequestTopic{{Topic: topic, Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	conn := dial(t, b)
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(clientDeadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("held")).AppendRequest(nil, q, 1)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// awaitStack waits until a goroutine of the broker is in a function.
func awaitStack(t *testing.T, b *harness.Broker, function string) {
	t.Helper()
	harness.Eventually(t, clientDeadline, func() error {
		if _, stacks := b.HTTP(t, "/debug/pprof/goroutine?debug=1"); !strings.Contains(stacks, function) {
			return fmt.Errorf("no goroutine is in %s", function)
		}
		return nil
	})
}
