package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Administer creates topics and deletes them again, elects preferred leaders, and moves replicas between brokers and between log
// directories, while faults happen. What fails is not tried
// again: the outcome may be either, but must be one of them everywhere.
func (l *Workload) Administer(name string, seed uint64) {
	admin := kadm.NewClient(l.client(name))
	rng := rand.New(rand.NewPCG(seed, 5))
	created := 0
	l.running.Go(func() {
		every(l.ctx, rng, 4*time.Second, func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			switch rng.IntN(5) {
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
			case 3:
				l.reassign(ctx, admin, rng)
			case 4:
				l.moveLog(ctx, admin, rng)
			}
		})
	})
}

// reassign gives a partition other replicas, or the same in another order.
func (l *Workload) reassign(ctx context.Context, admin *kadm.Client, rng *rand.Rand) {
	ledger := l.ledgers[rng.IntN(len(l.ledgers))]
	var to []int32
	for _, i := range rng.Perm(len(l.world.Nodes))[:ledger.Replicas] {
		to = append(to, l.world.Nodes[i].ID)
	}
	var request kadm.AlterPartitionAssignmentsReq
	partition := rng.Int32N(ledger.Partitions)
	request.Assign(ledger.Topic, partition, to)
	answers, err := admin.AlterPartitionAssignments(ctx, request)
	if err == nil {
		err = answers.Error()
	}
	l.world.Journal.Note("reassign %s-%d to %v: %v", ledger.Topic, partition, to, err)
}

// moveLog moves a replica to a log directory of the same broker.
func (l *Workload) moveLog(ctx context.Context, admin *kadm.Client, rng *rand.Rand) {
	dirs := logDirs()[:l.world.options.LogDirs]
	if len(dirs) < 2 {
		return
	}
	ledger, broker, dir := l.ledgers[rng.IntN(len(l.ledgers))], l.world.Nodes[rng.IntN(len(l.world.Nodes))].ID, dirs[rng.IntN(len(dirs))]
	var set kadm.TopicsSet
	partition := rng.Int32N(ledger.Partitions)
	set.Add(ledger.Topic, partition)
	var request kadm.AlterReplicaLogDirsReq
	request.Add(dir, set)
	answers, err := admin.AlterBrokerReplicaLogDirs(ctx, broker, request)
	for _, topic := range answers {
		for _, answer := range topic {
			if err == nil {
				err = answer.Err
			}
		}
	}
	l.world.Journal.Note("move %s-%d to %s on broker %d: %v", ledger.Topic, partition, dir, broker, err)
}
