package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/history"
	"github.com/kbroker/kbroker/zkmeta"
)

// Converge waits until all brokers are up, all replicas in sync, and every broker tells clients the same as ZooKeeper. An error
// says what still is not so when the time is over.
func (l *Workload) Converge(ctx context.Context, within time.Duration) (Image, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := l.world.AwaitReady(within); err != nil {
		return Image{}, err
	}
	zk, err := l.world.inspect(ctx)
	if err != nil {
		return Image{}, err
	}
	defer zk.Close()
	c, err := l.world.Client(fmt.Sprintf("converge-%d", time.Now().UnixNano()))
	if err != nil {
		return Image{}, err
	}
	defer c.Close()
	for {
		image, pending, err := l.world.ReadImage(ctx, zk)
		if err == nil && len(pending) == 0 {
			pending = l.disagreements(ctx, c, image)
		}
		if err == nil && len(pending) == 0 {
			return image, nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return image, fmt.Errorf("the cluster has not converged within %s: %s (%v)", within, strings.Join(pending, "; "), err)
		}
	}
}

// disagreements compares what brokers tell clients with the znodes.
func (l *Workload) disagreements(ctx context.Context, c *kgo.Client, image Image) (found []string) {
	for _, n := range l.world.Nodes {
		answer, _, _, ok := ask[*kmsg.MetadataResponse](ctx, l.ledgers[0], c, n.ID, kmsg.NewPtrMetadataRequest())
		if !ok {
			found = append(found, n.Name()+" does not answer")
			continue
		}
		told := map[zkmeta.TopicPartition]bool{}
		if answer.ControllerID != image.Controller {
			found = append(found, fmt.Sprintf("%s says %d is controller, not %d", n.Name(), answer.ControllerID, image.Controller))
		}
		if len(answer.Brokers) != len(l.world.Nodes) {
			found = append(found, fmt.Sprintf("%s knows %d brokers", n.Name(), len(answer.Brokers)))
		}
		for _, t := range answer.Topics {
			for _, p := range t.Partitions {
				tp := zkmeta.TopicPartition{Topic: *t.Topic, Partition: p.Partition}
				told[tp] = true
				state, exists := image.States[tp]
				slices.Sort(p.ISR)
				want := slices.Sorted(slices.Values(state.ISR))
				if !exists || p.Leader != state.Leader || p.LeaderEpoch != state.LeaderEpoch || !slices.Equal(p.ISR, want) {
					found = append(found, fmt.Sprintf("%s says of %s-%d: leader %d, epoch %d, in sync %v; in zookeeper: %d, %d, %v",
						n.Name(), tp.Topic, tp.Partition, p.Leader, p.LeaderEpoch, p.ISR, state.Leader, state.LeaderEpoch, want))
				}
			}
		}
		for tp := range image.States {
			if !told[tp] {
				found = append(found, fmt.Sprintf("%s does not know %s-%d", n.Name(), tp.Topic, tp.Partition))
			}
		}
	}
	return found
}

// ReadFinal reads every partition of a topic from its leader, up to the latest offset, into the history.
func (l *Workload) ReadFinal(ctx context.Context, from *Ledger, image Image) error {
	c := l.raw("final-" + from.Topic)
	for p := range from.Partitions {
		state := image.States[zkmeta.TopicPartition{Topic: from.Topic, Partition: p}]
		from.learn(p, leader{state.Leader, state.LeaderEpoch})
		before := len(from.watermarks(p))
		for len(from.watermarks(p)) == before {
			if ctx.Err() != nil {
				return fmt.Errorf("read %s-%d: leader %d does not tell its latest offset", from.Topic, p, from.leader(p).id)
			}
			observeEnd(ctx, c, from, p)
		}
		all := from.watermarks(p)
		end := all[len(all)-1]
		r := &reader{ledger: from, client: c, name: "final", partition: p, rng: rand.New(rand.NewPCG(0, 0))}
		for r.next < end {
			if ctx.Err() != nil {
				return fmt.Errorf("read %s-%d: got no further than %d of %d", from.Topic, p, r.next, end)
			}
			// Observers go on: the leader may move to the preferred replica meanwhile.
			if before := r.next; !r.fetch(ctx, from.leader(p)) || r.next == before {
				time.Sleep(50 * time.Millisecond)
			}
		}
	}
	from.Note(func(h *history.History) {
		h.Reads = slices.DeleteFunc(h.Reads, func(r history.Read) bool {
			if r.Reader == "final" {
				h.Final[r.Partition] = append(h.Final[r.Partition], r)
			}
			return r.Reader == "final"
		})
	})
	return nil
}

// watermarks lists the latest offsets of a partition that were told.
func (l *Ledger) watermarks(partition int32) (offsets []int64) {
	l.Note(func(h *history.History) {
		for _, w := range h.Watermarks {
			if w.Partition == partition {
				offsets = append(offsets, w.Offset)
			}
		}
	})
	return offsets
}
