package controller

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
	"github.com/kbroker/kbroker/zkmeta/zkserver"
	"github.com/kbroker/kbroker/zkmeta/zkserver/zktest"
)

// The times of a cluster of three brokers in one process, on the embedded ZooKeeper in memory: brokers decode what they are
// told and answer at once. Run with -benchtime 1x.

// crowd is a cluster whose brokers note who leads.
type crowd struct {
	*world
	brokers map[int32]*node

	asked struct { // of ZooKeeper
		sync.Mutex
		reads, multis int
	}
	led struct {
		sync.Mutex
		epochs  map[zkmeta.TopicPartition]int32 // of the leader that is told to the leader itself
		leaders map[zkmeta.TopicPartition]int32
		by      map[int32]int // how many a broker leads
	}
}

const partitionsPerTopic = 10

func newCrowd(b *testing.B, partitions int) *crowd {
	c := &crowd{world: &world{TB: b, network: zktest.NewNetwork(), nodes: map[string]*node{}, log: zap.NewNop()}, brokers: map[int32]*node{}}
	c.led.epochs, c.led.leaders = map[zkmeta.TopicPartition]int32{}, map[zkmeta.TopicPartition]int32{}
	c.led.by = map[int32]int{}
	server, err := zkserver.New(zkserver.Options{Listener: c.network, Logger: c.log, Intercept: func(r zkserver.Request) zkserver.Verdict {
		c.asked.Lock()
		defer c.asked.Unlock()
		switch r.Op {
		case 4, 8, 12, 22: // getData, getChildren, several of them
			c.asked.reads++
		case 14:
			c.asked.multis++
		}
		return zkserver.Verdict{}
	}})
	if err != nil {
		b.Fatal(err)
	}
	c.server = server
	b.Cleanup(func() {
		for _, n := range c.nodes {
			n.stop()
		}
		server.Close()
	})
	c.brokers[1] = c.broker(1, "auto.leader.rebalance.enable=false")
	c.brokers[2] = c.broker(2, "auto.leader.rebalance.enable=false")
	c.brokers[3] = c.bystander(3)
	for _, n := range c.brokers {
		n.answers(func(r kmsg.Request) kmsg.Response { c.hear(n.id, r); return nil })
	}
	c.until(func() bool { return c.brokers[1].metric("brokers") == 3 })
	c.fill(partitions)
	return c
}

// hear notes of which partitions a broker is told that it leads them.
func (c *crowd) hear(id int32, r kmsg.Request) {
	lead, ok := r.(*kmsg.LeaderAndISRRequest)
	if !ok {
		return
	}
	c.led.Lock()
	defer c.led.Unlock()
	for _, t := range lead.TopicStates {
		for _, p := range t.PartitionStates {
			tp := zkmeta.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			if p.Leader == id && p.LeaderEpoch >= c.led.epochs[tp] {
				if before, ok := c.led.leaders[tp]; ok {
					c.led.by[before]--
				}
				c.led.by[id]++
				c.led.epochs[tp], c.led.leaders[tp] = p.LeaderEpoch, id
			}
		}
	}
}

// leadBy counts the partitions that a broker leads, as far as the brokers heard.
func (c *crowd) leadBy(id int32) int {
	c.led.Lock()
	defer c.led.Unlock()
	return c.led.by[id]
}

func (c *crowd) until(done func() bool) {
	c.Helper()
	for start := time.Now(); !done(); {
		if time.Since(start) > time.Minute {
			c.Fatal("does not happen")
		}
		<-time.After(time.Millisecond)
	}
}

// fill makes topics of ten partitions, spread evenly.
func (c *crowd) fill(partitions int) {
	c.Helper()
	var topics []NewTopic
	for i := range partitions / partitionsPerTopic {
		var replicas [][]int32
		for j := range partitionsPerTopic {
			first := int32(i*partitionsPerTopic + j)
			replicas = append(replicas, []int32{first%3 + 1, (first+1)%3 + 1, (first+2)%3 + 1})
		}
		topics = append(topics, placed(fmt.Sprintf("topic-%05d", i), replicas...))
	}
	c.brokers[1].create(topics...)
	c.until(func() bool {
		c.led.Lock()
		defer c.led.Unlock()
		return len(c.led.leaders) == partitions
	})
	c.asked.Lock()
	defer c.asked.Unlock()
	c.asked.reads, c.asked.multis = 0, 0
}

// cpu is the time that this process has computed: on a busy machine it says more than the clock.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (c *crowd) report(b *testing.B, start time.Time, before time.Duration, unit string) {
	b.ReportMetric(float64(time.Since(start).Milliseconds()), unit)
	b.ReportMetric(float64((cpu(b) - before).Milliseconds()), "cpu-ms")
	c.asked.Lock()
	defer c.asked.Unlock()
	b.ReportMetric(float64(c.asked.reads), "zk-reads")
	b.ReportMetric(float64(c.asked.multis), "zk-multis")
	b.ReportMetric(0, "ns/op")
}

// From the end of a broker's session until others heard that they lead what it led.
func BenchmarkBrokerDeath(b *testing.B) {
	for _, partitions := range []int{1_000, 10_000, 30_000} {
		b.Run(fmt.Sprint(partitions), func(b *testing.B) {
			for range b.N {
				c := newCrowd(b, partitions)
				start, before := time.Now(), cpu(b)
				c.brokers[3].expire()
				c.until(func() bool { return c.leadBy(3) == 0 })
				c.report(b, start, before, "ms-to-leaders")
				c.until(func() bool {
					return c.brokers[1].metric("event_queue_size")+c.brokers[1].metric("requests_unsent") == 0
				})
				b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms-to-quiet")
			}
		})
	}
}

// From the end of the controller's session until another broker is controller, others lead what it led, and all are told.
func BenchmarkControllerFailover(b *testing.B) {
	for _, partitions := range []int{1_000, 10_000, 30_000} {
		b.Run(fmt.Sprint(partitions), func(b *testing.B) {
			for range b.N {
				c := newCrowd(b, partitions)
				start, before := time.Now(), cpu(b)
				c.brokers[1].cancel()
				c.brokers[1].expire()
				c.until(func() bool { return c.leadBy(1) == 0 })
				c.report(b, start, before, "ms-to-leaders")
				c.until(func() bool {
					return c.brokers[2].metric("active")+c.brokers[2].metric("event_queue_size")+c.brokers[2].metric("requests_unsent") == 1
				})
				b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms-to-quiet")
			}
		})
	}
}

func BenchmarkControlledShutdown(b *testing.B) {
	for _, led := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint(led), func(b *testing.B) {
			for range b.N {
				c := newCrowd(b, 3*led)
				start, before := time.Now(), cpu(b)
				remaining, err := c.brokers[1].controller.ControlledShutdown(context.Background(), 3, c.brokers[3].epoch)
				if err != nil || len(remaining) > 0 {
					b.Fatal(len(remaining), err)
				}
				c.report(b, start, before, "ms-to-answer")
				c.until(func() bool { return c.leadBy(3) == 0 })
				b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms-to-leaders")
			}
		})
	}
}
