package fetcher

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage"
)

// BenchmarkReplicate is 1 MB batches from a leader to a follower over TCP, acknowledged by both, with so many in
// flight. Logs are in memory, so that what is measured is replication.
func BenchmarkReplicate(b *testing.B) {
	for _, partitions := range []int32{1, 8} {
		b.Run(fmt.Sprint("partitions=", partitions), func(b *testing.B) {
			c := tcpCluster(b, 2)
			p := both("t")
			p.partitions = partitions
			c.apply(p)
			n := record.NewBuilder(record.BatchOptions{})
			for range 1000 {
				n.Append(1, nil, bytes.Repeat([]byte("x"), 1000))
			}
			batch, err := n.Build()
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(batch)))
			b.ReportAllocs()
			ends := make([]replica.Appended, partitions)
			for i := 0; b.Loop(); i++ {
				index := int32(i) % partitions
				if i >= int(partitions) {
					c.brokers[1].await("t", index, ends[index]) // the one before
				}
				a, err := c.brokers[1].partition("t", index).AppendAsLeader(record.Trust(bytes.Clone(batch)), 1, storage.FromClient)
				if err != nil {
					b.Fatal(err)
				}
				ends[index] = a
			}
			for i, end := range ends[:min(int(partitions), b.N)] {
				c.brokers[1].await("t", int32(i), end)
			}
		})
	}
}

// BenchmarkAcknowledge is one small batch at a time: how long replication takes when nothing else happens.
func BenchmarkAcknowledge(b *testing.B) {
	for _, partitions := range []int32{1, 1000} {
		b.Run(fmt.Sprint("partitions=", partitions), func(b *testing.B) {
			c := tcpCluster(b, 2)
			p := both("t")
			p.partitions = partitions
			c.apply(p)
			b.ReportAllocs()
			for b.Loop() {
				c.brokers[1].await("t", 0, c.brokers[1].append("t", 0, "x"))
			}
		})
	}
}

// BenchmarkIdle is a second of two brokers that follow each other's 1,000 partitions, with nothing to do.
func BenchmarkIdle(b *testing.B) {
	c := tcpCluster(b, 2)
	for id := int32(1); id <= 2; id++ {
		c.apply(place{topics: []string{fmt.Sprint("led by ", id)}, partitions: 1000, leader: id, replicas: []int32{1, 2}})
	}
	<-time.After(2 * time.Second)
	for b.Loop() {
		<-time.After(time.Second)
	}
}

func tcpCluster(b *testing.B, count int32) *cluster {
	c := &cluster{t: b, network: &network{tcp: true}, brokers: make(map[int32]*broker)}
	for id := int32(1); id <= count; id++ {
		c.brokers[id] = newBroker(b, c.network, id)
	}
	return c
}
