package controller

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
)

// firstBalance is when leaders are balanced for the first time in a term, as in Kafka: not at once,
// for brokers that start together with the controller may still be on their way.
const firstBalance = 5 * time.Second

// balanceLater plans the next look at who leads (auto.leader.rebalance.enable).
func (t *term) balanceLater(after time.Duration) {
	e := event{
		name: "auto_leader_balance",
		// A mark of its own: an event of an earlier term must not stand in for it.
		mark: mark{kind: "auto_leader_balance", number: t.origin.lease.Epoch},
		handle: func(ctx context.Context) error {
			if !t.current() {
				return nil
			}
			cfg := t.c.config.Broker()
			t.balanceLater(cfg.LeaderImbalanceInterval)
			return t.balance(ctx, cfg.LeaderImbalancePercent)
		},
	}
	t.balancing = time.AfterFunc(after, func() { t.c.mail.change(e) })
}

// balance elects preferred leaders for brokers that lead too few of the partitions that are theirs to lead: when
// more than percent of those are led by others (Kafka: checkAndTriggerAutoLeaderRebalance).
func (m *machine) balance(ctx context.Context, percent int32) error {
	theirs := map[int32]int{}               // partitions, by preferred leader
	elsewhere := map[int32]([]*partition){} // of these, led by others
	for _, t := range m.topics {
		if t.queued {
			continue
		}
		for _, p := range t.partitions {
			if len(p.replicas) == 0 {
				continue
			}
			preferred := p.replicas[0]
			theirs[preferred]++
			if p.leadership != nil && p.leadership.Leader != preferred {
				elsewhere[preferred] = append(elsewhere[preferred], p)
			}
		}
	}
	var moving []*partition
	for _, broker := range slices.Sorted(maps.Keys(elsewhere)) {
		imbalance := float64(len(elsewhere[broker])) / float64(theirs[broker])
		if imbalance <= float64(percent)/100 {
			continue
		}
		able := slices.DeleteFunc(elsewhere[broker], func(p *partition) bool {
			return !m.online(p, broker) || !slices.Contains(p.leadership.ISR, broker)
		})
		if len(able) > 0 {
			m.log.Info("leaders go back to their preferred broker", zap.Int32("broker", broker),
				zap.Float64("imbalance", imbalance), zap.Int("count", len(able)))
			moving = append(moving, able...)
		}
	}
	if len(moving) == 0 {
		return nil
	}
	_, err := m.movePartitions(ctx, sorted(slices.Values(moving)), onlinePartition, electPreferred)
	return err
}
