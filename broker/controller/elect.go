package controller

import (
	"slices"

	"github.com/kbroker/kbroker/zkmeta"
)

// strategy is a way to choose a leader (Kafka: Election.scala).
type strategy int8

const (
	electOffline            strategy = iota // for partitions without a leader; unclean where the topic allows
	electUnclean                            // the same, unclean allowed for all
	electReassign                           // among the replicas a reassignment leads to
	electPreferred                          // the first replica, or nobody
	electControlledShutdown                 // away from brokers that are shutting down
)

func (s strategy) String() string {
	return [...]string{"offline", "unclean", "reassign", "preferred", "controlled-shutdown"}[s]
}

// choice is the outcome of an election: the next state, and who must be told.
type choice struct {
	next       zkmeta.PartitionState
	recipients []int32
}

// choose elects a leader for a partition whose written state is now, or
// reports that nobody can be. It never changes anything.
//
//	strategy             leader                                    in-sync replicas
//	offline, unclean     first online in ISR; if none and unclean   online part, or only
//	                     is allowed, the first online               an unclean leader
//	reassign             first online in ISR of the target          as they are
//	preferred            first replica if online and in ISR         as they are
//	controlled shutdown  first in ISR not shutting down             without those
func (c *cluster) choose(s strategy, p *partition, now zkmeta.PartitionState, allowUnclean bool) (choice, bool) {
	switch s {
	case electReassign:
		target := p.target()
		return elected(now, firstOf(c.onlineOf(p, target), now.ISR), now.ISR, target)
	case electPreferred:
		return elected(now, firstOf(c.onlineOf(p, p.replicas[:min(1, len(p.replicas))]), now.ISR), now.ISR, p.replicas)
	case electControlledShutdown:
		isr := slices.DeleteFunc(slices.Clone(now.ISR), func(id int32) bool { return c.shuttingDown[id] })
		reachable := slices.DeleteFunc(slices.Clone(p.replicas), func(id int32) bool {
			_, registered := c.brokers[id]
			return !registered || slices.Contains(p.failed, id)
		})
		return elected(now, firstOf(reachable, isr), isr, reachable)
	default:
		online := c.onlineOf(p, p.replicas)
		leader := firstOf(online, now.ISR)
		if leader == noLeader && allowUnclean && len(online) > 0 {
			// Whatever the new leader lacks is lost; until it has dealt
			// with that the partition counts as recovering (KIP-704).
			now.Recovering = true
			return elected(now, online[0], online[:1], online)
		}
		return elected(now, leader, c.onlineOf(p, now.ISR), online)
	}
}

// firstOf returns the first candidate that is in sync.
func firstOf(candidates, isr []int32) int32 {
	for _, id := range candidates {
		if slices.Contains(isr, id) {
			return id
		}
	}
	return noLeader
}

func elected(now zkmeta.PartitionState, leader int32, isr, recipients []int32) (choice, bool) {
	if leader == noLeader {
		return choice{}, false
	}
	now.Leader, now.ISR = leader, slices.Clone(isr)
	now.LeaderEpoch++
	return choice{next: now, recipients: slices.Clone(recipients)}, true
}
