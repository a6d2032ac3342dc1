package admin

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/urfave/cli/v2"

	"github.com/kbroker/kbroker/cmd/kbroker/admin/placement"
)

// What can become of a part of a reassignment.
const (
	stateComplete  = "complete"
	stateMoving    = "in progress"
	stateDifferent = "not as planned" // and nothing is in progress that would make it so
)

// progress is how far a reassignment is.
type progress struct {
	Complete   bool                `json:"complete"`
	Partitions []partitionProgress `json:"partitions"`
	LogDirs    []dirProgress       `json:"logDirs"`
	Others     int                 `json:"otherReassignments"` // in progress, not of this plan
	Throttles  string              `json:"throttles"`          // what became of them
}

type partitionProgress struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	State     string  `json:"state"`
	Replicas  []int32 `json:"replicas"`
	Target    []int32 `json:"target"`
	Adding    []int32 `json:"adding"`
	Removing  []int32 `json:"removing"`
	Remaining *int64  `json:"remainingBytes"` // to be copied; null when not known
}

type dirProgress struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Broker    int32  `json:"broker"`
	State     string `json:"state"`
	Current   string `json:"current"` // empty: the broker has no such replica
	Target    string `json:"target"`
}

func verifyPlan(ctx context.Context, c *cli.Context, cluster *kafka) error {
	plan, err := planFile(c)
	if err != nil {
		return err
	}
	return verify(ctx, c, cluster, plan)
}

// pollEvery is how often --wait looks.
const pollEvery = time.Second

// verify shows how far a plan is, with --wait once nothing of it is in progress, and removes throttles at its end.
func verify(ctx context.Context, c *cli.Context, cluster *kafka, plan *placement.Plan) error {
	said := ""
	for {
		p, err := measure(ctx, cluster, plan)
		if err != nil {
			return err
		}
		moving := p.moving()
		if moving && c.Bool("wait") {
			if now := p.sentence(); now != said {
				fmt.Fprintln(c.App.ErrWriter, now)
				said = now
			}
			if !pause(ctx, pollEvery) {
				return fmt.Errorf("%w while the reassignment goes on; kbroker reassign verify looks again", ctx.Err())
			}
			continue
		}
		var failed []outcome
		switch {
		case c.Bool("preserve-throttles"):
			p.Throttles = "preserved"
		case moving || p.Others > 0:
			p.Throttles = "kept while reassignments are in progress"
		default:
			if failed = clearThrottles(ctx, cluster, plan); len(failed) == 0 {
				p.Throttles = "removed"
			} else {
				p.Throttles = failed[0].Name + " " + failed[0].Error
			}
		}
		if err := show(c, p, p.print); err != nil {
			return err
		}
		switch {
		case len(failed) > 0:
			return fmt.Errorf("%d throttles were not removed: %s %s", len(failed), failed[0].Name, failed[0].Error)
		case !p.Complete:
			return verdict("the reassignment is not complete")
		}
		return nil
	}
}

// measure compares a plan with what is.
func measure(ctx context.Context, cluster *kafka, plan *placement.Plan) (*progress, error) {
	now, err := ongoing(ctx, cluster)
	if err != nil {
		return nil, err
	}
	found, err := cluster.Metadata(ctx, planTopics(plan)...)
	if err != nil {
		return nil, failure("look up topics", err)
	}
	sizes := replicaSizes(ctx, cluster, now)
	p := &progress{Complete: true, Partitions: []partitionProgress{}, LogDirs: []dirProgress{}}
	planned := 0
	for _, part := range plan.Partitions {
		detail := found.Topics[part.Topic].Partitions[part.Partition] // gone: without replicas
		row := partitionProgress{
			Topic: part.Topic, Partition: part.Partition, State: stateComplete, Replicas: listed(detail.Replicas), Target: part.Replicas,
			Adding: []int32{}, Removing: []int32{},
		}
		o, moving := now[part.Topic][part.Partition]
		switch {
		case moving:
			planned++
			row.State, row.Adding, row.Removing = stateMoving, listed(o.AddingReplicas), listed(o.RemovingReplicas)
			row.Remaining = sizes.remaining(o, detail.Leader)
		case !slices.Equal(detail.Replicas, part.Replicas):
			row.State = stateDifferent
		}
		p.Complete = p.Complete && row.State == stateComplete
		p.Partitions = append(p.Partitions, row)
	}
	for _, list := range now {
		p.Others += len(list)
	}
	p.Others -= planned
	if p.LogDirs, err = moveStates(ctx, cluster, wantedDirs(plan)); err != nil {
		return nil, err
	}
	for _, d := range p.LogDirs {
		p.Complete = p.Complete && d.State == stateComplete
	}
	return p, nil
}

func planTopics(plan *placement.Plan) []string {
	set := kadm.TopicsSet{}
	for _, p := range plan.Partitions {
		set.Add(p.Topic)
	}
	return set.Topics()
}

// moveStates finds the log directories that replicas are in.
func moveStates(ctx context.Context, cluster *kafka, wanted []replicaDir) ([]dirProgress, error) {
	states := []dirProgress{}
	if len(wanted) == 0 {
		return states, nil
	}
	set := kadm.TopicsSet{}
	for _, w := range wanted {
		set.Add(w.topic, w.partition)
	}
	dirs, err := cluster.DescribeAllLogDirs(ctx, set)
	if err != nil {
		return nil, failure("describe log directories", err)
	}
	for _, w := range wanted {
		s := dirProgress{Topic: w.topic, Partition: w.partition, Broker: w.broker, State: stateDifferent, Target: w.dir}
		dirs[w.broker].EachPartition(func(p kadm.DescribedLogDirPartition) {
			switch {
			case p.Topic != w.topic || p.Partition != w.partition:
			case p.IsFuture:
				s.State = stateMoving
			default:
				s.Current = p.Dir
			}
		})
		if s.State != stateMoving && s.Current == w.dir {
			s.State = stateComplete
		}
		states = append(states, s)
	}
	return states, nil
}

func (p *progress) moving() bool {
	return slices.ContainsFunc(p.Partitions, func(r partitionProgress) bool { return r.State == stateMoving }) ||
		slices.ContainsFunc(p.LogDirs, func(d dirProgress) bool { return d.State == stateMoving })
}

// mostNamed is how many partitions a line of progress has room for.
const mostNamed = 4

// sentence is the progress in one line.
func (p *progress) sentence() string {
	done, left, names := 0, int64(0), []string{}
	for _, r := range p.Partitions {
		switch {
		case r.State != stateMoving:
			done++
		case r.Remaining != nil:
			left += *r.Remaining
			names = append(names, fmt.Sprintf("%s-%d %s", r.Topic, r.Partition, bytesText(*r.Remaining)))
		}
	}
	if more := len(names) - mostNamed; more > 0 {
		names = append(names[:mostNamed], fmt.Sprintf("and %d more", more))
	}
	line := fmt.Sprintf("%d of %d partitions done, %s left", done, len(p.Partitions), bytesText(left))
	if len(names) > 0 {
		line += " (" + strings.Join(names, ", ") + ")"
	}
	for _, d := range p.LogDirs {
		if d.State == stateMoving {
			line += fmt.Sprintf("; %s-%d on broker %d goes to %s", d.Topic, d.Partition, d.Broker, d.Target)
		}
	}
	return line
}

func (p *progress) print(w io.Writer) {
	fmt.Fprintln(w, "TOPIC\tPARTITION\tSTATE\tREPLICAS\tTARGET\tREMAINING")
	for _, r := range p.Partitions {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", r.Topic, r.Partition, r.State, brokers(r.Replicas), brokers(r.Target), sizeText(r.Remaining))
	}
	if len(p.LogDirs) > 0 {
		fmt.Fprintln(w, "\nTOPIC\tPARTITION\tBROKER\tSTATE\tLOG-DIR\tTARGET")
		for _, d := range p.LogDirs {
			fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\t%s\n", d.Topic, d.Partition, d.Broker, d.State, orDash(d.Current), d.Target)
		}
	}
	fmt.Fprintf(w, "\nThrottles: %s.", p.Throttles)
	if p.Others > 0 {
		fmt.Fprintf(w, " %d other reassignments are in progress.", p.Others)
	}
	fmt.Fprintln(w)
}

func sizeText(n *int64) string {
	if n == nil {
		return "-"
	}
	return bytesText(*n)
}
