package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Administer creates topics and deletes them again, and elects preferred leaders, while faults happen. What fails is not tried
// again: the outcome may be either, but must be one of them everywhere.
func (l *Workload) Administer(name string, seed uint64) {
	admin := kadm.NewClient(l.client(name))
	rng := rand.New(rand.NewPCG(seed, 5))
	created := 0
	l.running.Go(func() {
		every(l.ctx, rng, 4*time.Second, func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			switch rng.IntN(3) {
			case 0:
				created++
				topic := fmt.Sprintf("passing-%d", created)
				_, err := admin.CreateTopic(ctx, 1+rng.Int32N(3), 3, nil, topic)
				l.world.Journal.Note("create topic %s: %v", topic, err)
			case 1:
				if created == 0 {
					return
				}
				topic := fmt.Sprintf("passing-%d", 1+rng.IntN(created))
				_, err := admin.DeleteTopic(ctx, topic)
				l.world.Journal.Note("delete topic %s: %v", topic, err)
			case 2:
				var set kadm.TopicsSet
				ledger := l.ledgers[rng.IntN(len(l.ledgers))]
				set.Add(ledger.Topic, rng.Int32N(ledger.Partitions))
				_, err := admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, set)
				l.world.Journal.Note("elect preferred leaders of %s: %v", ledger.Topic, err)
			}
		})
	})
}
