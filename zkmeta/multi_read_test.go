package zkmeta

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// oldServerConn makes a server of today one from before 3.6: it does not know the request that reads several znodes.
type oldServerConn struct{ net.Conn }

func (c oldServerConn) Write(p []byte) (int, error) {
	if len(p) >= 12 && binary.BigEndian.Uint32(p[8:]) == opMultiRead {
		const unknown = 99
		p = append([]byte{}, p...)
		binary.BigEndian.PutUint32(p[8:], unknown)
	}
	return c.Conn.Write(p)
}

// TestStatesAreReadOfEveryServer: of one that reads several znodes with a request, and of one that does not and hangs up when it is
// asked to.
func TestStatesAreReadOfEveryServer(t *testing.T) {
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("old=%v", old), func(t *testing.T) {
			inMemory(t, func(t *testing.T, w *wire, _ func() *Client) {
				var together, alone atomic.Int32 // requests
				c, err := Connect(t.Context(), Options{
					Connect: "memory:1/kafka", MaxInFlight: 1,
					Dial: func(network, address string, timeout time.Duration) (net.Conn, error) {
						conn, err := w.Dial(network, address, timeout)
						if err == nil && old {
							conn = oldServerConn{conn}
						}
						return conn, err
					},
					Observe: func(operation string, _ time.Duration) {
						switch operation {
						case "multi read":
							together.Add(1)
						case "get":
							alone.Add(1)
						}
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				const count = 2*perRead + 3
				tps := writeStates(t, c, count)
				before := alone.Load()
				for range 2 {
					states, err := c.PartitionStates(t.Context(), append(tps, TopicPartition{"absent", 7}), nil)
					if err != nil {
						t.Fatal(err)
					}
					for i, tp := range tps {
						if s := states[tp]; s.Leader != int32(i) || s.PartitionEpoch != 0 || s.ModifiedAt == 0 {
							t.Fatalf("state of partition %d: %+v", i, s)
						}
					}
					if len(states) != count {
						t.Fatalf("read %d states of %d", len(states), count)
					}
				}
				synctest.Wait()
				gets := alone.Load() - before
				if old && (together.Load() != 1 || gets < 2*count) || !old && (together.Load() != 2*3 || gets > 0) {
					t.Errorf("%d requests for several znodes, %d for one", together.Load(), gets)
				}
			})
		})
	}
}

// writeStates writes the states of a topic, partition i led by i.
func writeStates(t *testing.T, c *Client, count int) []TopicPartition {
	t.Helper()
	if err := c.EnsureRoots(t.Context()); err != nil {
		t.Fatal(err)
	}
	lease, err := c.Elect(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	a := TopicAssignment{Topic: "t", ID: [16]byte{1}, Partitions: map[int32][]int32{}}
	states := map[TopicPartition]PartitionState{}
	tps := make([]TopicPartition, count)
	for i := range int32(count) {
		tps[i] = TopicPartition{"t", i}
		a.Partitions[i] = []int32{1}
		states[tps[i]] = PartitionState{Leader: i, ISR: []int32{1}, ControllerEpoch: lease.Epoch}
	}
	if err := c.CreateTopic(t.Context(), &lease, a, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreatePartitionStates(t.Context(), lease, states); err != nil {
		t.Fatal(err)
	}
	return tps
}

// TestAnAnswerThatEndsEarlyIsAnError, wherever it ends.
func TestAnAnswerThatEndsEarlyIsAnError(t *testing.T) {
	answer := appendMultiHeader(nil, opGetData, false)
	answer = binary.BigEndian.AppendUint32(answer, 3)
	answer = append(answer, "abc"...)
	answer = append(answer, make([]byte, statSize)...)
	answer = appendMultiHeader(answer, opFailed, false)
	noNode := codeNoNode
	answer = binary.BigEndian.AppendUint32(answer, uint32(noNode))
	for end := range answer {
		if _, err := parseMultiRead(answer[:end], 2); err == nil {
			t.Errorf("an answer that ends after %d of %d bytes was taken", end, len(answer))
		}
	}
	nodes, err := parseMultiRead(answer, 2)
	if err != nil || string(nodes[0].data) != "abc" || !nodes[0].exists || nodes[1].exists {
		t.Errorf("%+v, %v", nodes, err)
	}
}
