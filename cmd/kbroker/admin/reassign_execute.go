package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/urfave/cli/v2"

	"github.com/kbroker/kbroker/cmd/kbroker/admin/placement"
)

func executePlan(ctx context.Context, c *cli.Context, cluster *kafka) error {
	plan, err := planFile(c)
	if err != nil {
		return err
	}
	between, err := bytesPerSecond("throttle", c.String("throttle"))
	if err != nil {
		return err
	}
	within, err := bytesPerSecond("replica-alter-log-dirs-throttle", c.String("replica-alter-log-dirs-throttle"))
	if err != nil {
		return err
	}
	now, err := ongoing(ctx, cluster)
	if err != nil {
		return err
	}
	if len(now) > 0 && !c.Bool("additional") {
		return errors.New("there are reassignments in progress (kbroker reassign list); --additional starts others beside them")
	}
	if err := checkBrokers(ctx, cluster, plan); err != nil {
		return err
	}
	current, err := currentPartitions(ctx, cluster, plan)
	if err != nil {
		return err
	}
	if err := keepRollback(c, placement.NewPlan(current)); err != nil {
		return err
	}
	if err := setThrottles(ctx, cluster, plan, current, now, between, within); err != nil {
		return err
	}
	if between >= 0 || within >= 0 {
		fmt.Fprintln(c.App.ErrWriter, "throttled; kbroker reassign verify removes the throttles once the reassignment is complete")
	}
	outcomes, failed := startReassignments(ctx, cluster, plan)
	if failed != nil {
		return failed
	}
	moved, err := startMoves(ctx, cluster, wantedDirs(plan))
	if err != nil {
		return err
	}
	outcomes = append(outcomes, moved...)
	if c.Bool("wait") && !slices.ContainsFunc(outcomes, func(o outcome) bool { return o.Error != "" }) {
		return verify(ctx, c, cluster, plan)
	}
	return showOutcomes(c, "PARTITION", outcomes)
}

// checkBrokers refuses plans with brokers that do not live: the replicas would never get in sync.
func checkBrokers(ctx context.Context, cluster *kafka, plan *placement.Plan) error {
	alive, err := cluster.ListBrokers(ctx)
	if err != nil {
		return failure("list brokers", err)
	}
	for _, p := range plan.Partitions {
		for _, id := range p.Replicas {
			if !slices.ContainsFunc(alive, func(b kadm.BrokerDetail) bool { return b.NodeID == id }) {
				return fmt.Errorf("%s: broker %d is not alive", p.Name(), id)
			}
		}
	}
	return nil
}

// keepRollback saves where partitions are now, or prints it for people to save.
func keepRollback(c *cli.Context, plan *placement.Plan) error {
	if path := c.String("rollback"); path != "" {
		if err := writePlan(path, plan); err != nil {
			return fmt.Errorf("--rollback: %w", err)
		}
		return nil
	}
	content, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.ErrWriter, "to undo it, execute this: %s\n", content)
	return nil
}

func startReassignments(ctx context.Context, cluster *kafka, plan *placement.Plan) ([]outcome, error) {
	var q kadm.AlterPartitionAssignmentsReq
	for _, p := range plan.Partitions {
		q.Assign(p.Topic, p.Partition, p.Replicas)
	}
	answers, err := cluster.AlterPartitionAssignments(ctx, q)
	if err != nil {
		return nil, failure("start the reassignment", err)
	}
	return reassignOutcomes(answers, "started"), nil
}

func reassignOutcomes(answers kadm.AlterPartitionAssignmentsResponses, result string) []outcome {
	outcomes := []outcome{}
	for _, a := range answers.Sorted() {
		outcomes = append(outcomes, outcome{
			Name: fmt.Sprintf("%s-%d", a.Topic, a.Partition), Result: result, Error: answered(a.Err, a.ErrMessage),
		})
	}
	return outcomes
}

// replicaDir is a replica, and the log directory it should be in.
type replicaDir struct {
	topic     string
	partition int32
	broker    int32
	dir       string
}

func (r *replicaDir) name() string {
	return fmt.Sprintf("%s-%d on broker %d to %s", r.topic, r.partition, r.broker, r.dir)
}

// wantedDirs are the replicas for which a plan names a directory.
func wantedDirs(plan *placement.Plan) []replicaDir {
	var wanted []replicaDir
	for _, p := range plan.Partitions {
		for i, dir := range p.LogDirs {
			if dir != placement.AnyLogDir {
				wanted = append(wanted, replicaDir{p.Topic, p.Partition, p.Replicas[i], dir})
			}
		}
	}
	return wanted
}

// moveRetry is the wait between two requests to move replicas that are not where they should be yet, as in Kafka's tool.
const moveRetry = 100 * time.Millisecond

// startMoves has brokers put replicas into log directories. A broker that does not have the replica yet remembers the directory
// for when it gets it, or says that it has none: then it is asked again until the time of ctx is over.
func startMoves(ctx context.Context, cluster *kafka, moves []replicaDir) ([]outcome, error) {
	var outcomes []outcome
	for pending := moves; len(pending) > 0; {
		var later []replicaDir
		for _, m := range pending {
			q := kadm.AlterReplicaLogDirsReq{}
			set := kadm.TopicsSet{}
			set.Add(m.topic, m.partition)
			q.Add(m.dir, set)
			answers, err := cluster.AlterBrokerReplicaLogDirs(ctx, m.broker, q)
			if err == nil {
				err = errors.New("no answer")
				answers.Each(func(a kadm.AlterReplicaLogDirsResponse) { err = a.Err })
			}
			if errors.Is(err, kerr.ReplicaNotAvailable) {
				later = append(later, m)
				continue
			}
			outcomes = append(outcomes, outcome{Name: m.name(), Result: "started", Error: inWords(err)})
		}
		pending = later
		if len(pending) > 0 && !pause(ctx, moveRetry) {
			return nil, fmt.Errorf("%s did not start: %w", pending[0].name(), ctx.Err())
		}
	}
	return outcomes, nil
}

// pause waits, and returns false if the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func cancelPlan(ctx context.Context, c *cli.Context, cluster *kafka) error {
	plan := &placement.Plan{}
	now, err := ongoing(ctx, cluster)
	if err != nil {
		return err
	}
	if c.Bool("all") {
		if c.Args().Present() || c.IsSet("file") {
			return errors.New("--all and a file exclude each other")
		}
		for _, o := range now.Sorted() {
			plan.Partitions = append(plan.Partitions, placement.Partition{Topic: o.Topic, Partition: o.Partition, Replicas: o.Replicas})
		}
	} else if plan, err = planFile(c); err != nil {
		return err
	}
	var q kadm.AlterPartitionAssignmentsReq
	for _, p := range plan.Partitions {
		if _, ok := now[p.Topic][p.Partition]; ok {
			q.CancelAssign(p.Topic, p.Partition)
		}
	}
	outcomes := []outcome{}
	if len(q) > 0 {
		answers, err := cluster.AlterPartitionAssignments(ctx, q)
		if err != nil {
			return failure("cancel reassignments", err)
		}
		outcomes = reassignOutcomes(answers, "canceled")
	}
	back, err := movesBack(ctx, cluster, plan)
	if err != nil {
		return err
	}
	outcomes = append(outcomes, back...)
	if len(outcomes) == 0 {
		outcomes = append(outcomes, outcome{Name: "none", Result: "nothing of it is in progress"})
	}
	if !c.Bool("preserve-throttles") && len(plan.Partitions) > 0 {
		outcomes = append(outcomes, clearThrottles(ctx, cluster, plan)...)
	}
	return showOutcomes(c, "PARTITION", outcomes)
}

// movesBack ends the moves between log directories: a move to where the replica is cancels the one in progress.
func movesBack(ctx context.Context, cluster *kafka, plan *placement.Plan) ([]outcome, error) {
	states, err := moveStates(ctx, cluster, wantedDirs(plan))
	if err != nil {
		return nil, err
	}
	var back []replicaDir
	for _, s := range states {
		if s.State == stateMoving {
			back = append(back, replicaDir{s.Topic, s.Partition, s.Broker, s.Current})
		}
	}
	return startMoves(ctx, cluster, back)
}
