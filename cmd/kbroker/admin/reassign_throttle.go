package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/cmd/kbroker/admin/placement"
)

// The configurations by which Kafka's tool throttles, and which both clear (Kafka's QuotaConfigs).
const (
	leaderRate        = "leader.replication.throttled.rate"
	followerRate      = "follower.replication.throttled.rate"
	logDirRate        = "replica.alter.log.dirs.io.max.bytes.per.second"
	throttledLeaders  = "leader.replication.throttled.replicas"
	throttledFollower = "follower.replication.throttled.replicas"
)

// setThrottles sets rates of at least 0, first the replicas they are of, then the rates, before anything moves.
func setThrottles(
	ctx context.Context, cluster *kafka, plan *placement.Plan, current []placement.Partition,
	now kadm.ListPartitionReassignmentsResponses, between, within int64,
) error {
	var changes []resourceOps
	if between >= 0 {
		t := placement.Throttles(plan.Partitions, current, ongoingOf(now))
		for _, topic := range slices.Sorted(maps.Keys(t.Leaders)) {
			changes = append(changes, resourceOps{kmsg.ConfigResourceTypeTopic, topic, []kadm.AlterConfig{
				setting(throttledLeaders, t.Leaders[topic]), setting(throttledFollower, t.Followers[topic]),
			}})
		}
		rate := strconv.FormatInt(between, 10)
		for _, id := range t.Brokers {
			changes = append(changes, resourceOps{kmsg.ConfigResourceTypeBroker, fmt.Sprint(id), []kadm.AlterConfig{
				setting(leaderRate, rate), setting(followerRate, rate),
			}})
		}
	}
	if within >= 0 {
		moving := map[int32]bool{}
		for _, r := range wantedDirs(plan) {
			moving[r.broker] = true
		}
		for _, id := range slices.Sorted(maps.Keys(moving)) {
			op := setting(logDirRate, strconv.FormatInt(within, 10))
			changes = append(changes, resourceOps{kmsg.ConfigResourceTypeBroker, fmt.Sprint(id), []kadm.AlterConfig{op}})
		}
	}
	if len(changes) == 0 {
		return nil
	}
	for i, err := range incrementalAlter(ctx, cluster, false, changes) {
		if err != nil {
			return failure("set the throttle of "+resourceName(changes[i]), err)
		}
	}
	return nil
}

func setting(key, value string) kadm.AlterConfig {
	return kadm.AlterConfig{Op: kadm.SetConfig, Name: key, Value: &value}
}

func resourceName(r resourceOps) string {
	if r.kind == kmsg.ConfigResourceTypeBroker {
		return "broker " + r.name
	}
	return "topic " + r.name
}

func ongoingOf(now kadm.ListPartitionReassignmentsResponses) []placement.Ongoing {
	var list []placement.Ongoing
	for _, o := range now.Sorted() {
		list = append(list, placement.Ongoing{
			Partition: placement.Partition{Topic: o.Topic, Partition: o.Partition, Replicas: o.Replicas},
			Adding:    o.AddingReplicas, Removing: o.RemovingReplicas,
		})
	}
	return list
}

// clearThrottles removes all throttles of all brokers, and of the plan's topics, as Kafka's tool does: nobody remembers which
// were set for this plan. Only what failed has an outcome.
func clearThrottles(ctx context.Context, cluster *kafka, plan *placement.Plan) []outcome {
	alive, err := cluster.ListBrokers(ctx)
	if err != nil {
		return []outcome{{Name: "throttles", Error: failure("list brokers", err).Error()}}
	}
	brokers, topics := map[int32]bool{}, map[string]bool{}
	for _, b := range alive {
		brokers[b.NodeID] = true
	}
	for _, p := range plan.Partitions {
		topics[p.Topic] = true
		for _, id := range p.Replicas {
			brokers[id] = true
		}
	}
	var changes []resourceOps
	for _, id := range slices.Sorted(maps.Keys(brokers)) {
		changes = append(changes, resourceOps{kmsg.ConfigResourceTypeBroker, fmt.Sprint(id), removals(leaderRate, followerRate, logDirRate)})
	}
	for _, topic := range slices.Sorted(maps.Keys(topics)) {
		changes = append(changes, resourceOps{kmsg.ConfigResourceTypeTopic, topic, removals(throttledLeaders, throttledFollower)})
	}
	var failed []outcome
	for i, err := range incrementalAlter(ctx, cluster, false, changes) {
		if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			failed = append(failed, outcome{Name: "throttle of " + resourceName(changes[i]), Error: "not removed: " + failureText(err)})
		}
	}
	return failed
}

func removals(keys ...string) []kadm.AlterConfig {
	var ops []kadm.AlterConfig
	for _, key := range keys {
		ops = append(ops, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: key})
	}
	return ops
}
