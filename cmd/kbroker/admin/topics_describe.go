package admin

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v2"
)

// describedTopic is a topic of kbroker topics describe.
type describedTopic struct {
	Topic             string               `json:"topic"`
	ID                string               `json:"id,omitempty"`
	Internal          bool                 `json:"internal"`
	ReplicationFactor int                  `json:"replicationFactor"`
	Configs           map[string]string    `json:"configs,omitempty"` // those of the topic itself
	Partitions        []describedPartition `json:"partitions"`
}

type describedPartition struct {
	Partition   int32   `json:"partition"`
	Leader      int32   `json:"leader"` // -1: none
	LeaderEpoch int32   `json:"leaderEpoch"`
	Replicas    []int32 `json:"replicas"`
	ISR         []int32 `json:"isr"`
	Offline     []int32 `json:"offline"`
	Adding      []int32 `json:"adding,omitempty"`
	Removing    []int32 `json:"removing,omitempty"`
	Error       string  `json:"error,omitempty"`
}

// The conditions of a partition that kafka-topics can filter by.
const (
	underReplicated = "under-replicated"
	unavailable     = "unavailable"
	underMinISR     = "under-min-isr"
	atMinISR        = "at-min-isr"
)

// conditionFlags are the flags of kafka-topics for them.
var conditionFlags = []struct{ flag, condition, usage string }{
	{"under-replicated-partitions", underReplicated, "partitions with replicas that are not in sync"},
	{"unavailable-partitions", unavailable, "partitions without a living leader"},
	{"under-min-isr-partitions", underMinISR, "partitions with fewer in-sync replicas than min.insync.replicas"},
	{"at-min-isr-partitions", atMinISR, "partitions with just min.insync.replicas in-sync replicas"},
}

func conditionFilters() []cli.Flag {
	var flags []cli.Flag
	for _, f := range conditionFlags {
		flags = append(flags, &cli.BoolFlag{Name: f.flag, Aliases: []string{f.condition}, Usage: f.usage})
	}
	return flags
}

func describeTopics(ctx context.Context, c *cli.Context, cluster *kafka) error {
	details, err := topicDetails(ctx, c, cluster)
	if err != nil {
		return err
	}
	wanted := []string{}
	for _, f := range conditionFlags {
		if c.Bool(f.flag) {
			wanted = append(wanted, f.condition)
		}
	}
	v, err := look(ctx, cluster, details, slices.Contains(wanted, underMinISR) || slices.Contains(wanted, atMinISR))
	if err != nil {
		return err
	}
	configs := map[string]map[string]string{}
	if len(wanted) == 0 {
		if configs, err = ownConfigs(ctx, cluster, details); err != nil {
			return err
		}
	}
	topics := []describedTopic{}
	for _, t := range details {
		d := describedTopic{
			Topic: t.Topic, Internal: t.IsInternal, ReplicationFactor: v.replicationFactor(t),
			Configs: configs[t.Topic], Partitions: []describedPartition{},
		}
		if t.ID != (kadm.TopicID{}) {
			d.ID = base64.RawURLEncoding.EncodeToString(t.ID[:]) // as Kafka's tools print it
		}
		for _, p := range t.Partitions.Sorted() {
			if len(wanted) > 0 && !slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(v.conditions(p), w) }) {
				continue
			}
			d.Partitions = append(d.Partitions, v.describe(p))
		}
		if len(wanted) == 0 || len(d.Partitions) > 0 {
			topics = append(topics, d)
		}
	}
	return show(c, topics, func(w io.Writer) { printTopics(w, topics, len(wanted) > 0) })
}

func printTopics(w io.Writer, topics []describedTopic, partitionsOnly bool) {
	const header, row = "PARTITION\tLEADER\tEPOCH\tREPLICAS\tISR\tOFFLINE\tREASSIGNMENT", "%d\t%s\t%s\t%s\t%s\t%s\t%s\n"
	if partitionsOnly {
		fmt.Fprintln(w, "TOPIC\t"+header)
	}
	for i, t := range topics {
		if !partitionsOnly {
			if i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintf(w, "TOPIC\tID\tPARTITIONS\tREPLICATION-FACTOR\tCONFIGS\n%s\t%s\t%d\t%d\t%s\n\n",
				t.Topic, orDash(t.ID), len(t.Partitions), t.ReplicationFactor, orDash(pairs(t.Configs)))
			fmt.Fprintln(w, header)
		}
		for _, p := range t.Partitions {
			leader, epoch := "none", "-"
			if p.Leader >= 0 {
				leader = fmt.Sprint(p.Leader)
			}
			if p.LeaderEpoch >= 0 {
				epoch = fmt.Sprint(p.LeaderEpoch)
			}
			if partitionsOnly {
				fmt.Fprintf(w, "%s\t", t.Topic)
			}
			fmt.Fprintf(w, row, p.Partition, leader, epoch, brokers(p.Replicas), brokers(p.ISR), brokers(p.Offline), p.moves())
		}
	}
}

// moves is what a reassignment in progress does to the partition.
func (p *describedPartition) moves() string {
	var parts []string
	for _, b := range p.Adding {
		parts = append(parts, fmt.Sprintf("+%d", b))
	}
	for _, b := range p.Removing {
		parts = append(parts, fmt.Sprintf("-%d", b))
	}
	return orDash(strings.Join(parts, ","))
}

func brokers(ids []int32) string {
	var list []string
	for _, id := range ids {
		list = append(list, fmt.Sprint(id))
	}
	return orDash(strings.Join(list, ","))
}

// pairs lists a map as key=value, sorted.
func pairs(m map[string]string) string {
	var list []string
	for k, v := range m {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

// view is what the conditions of partitions are judged by.
type view struct {
	alive   map[int32]bool
	minISR  map[string]int // by topic; only if asked for
	ongoing kadm.ListPartitionReassignmentsResponses
}

// look finds the brokers and reassignments there are, and min.insync.replicas of topics if that is wanted too.
func look(ctx context.Context, cluster *kafka, details []kadm.TopicDetail, withMinISR bool) (*view, error) {
	listed, err := cluster.ListBrokers(ctx)
	if err != nil {
		return nil, failure("list brokers", err)
	}
	v := &view{alive: map[int32]bool{}, minISR: map[string]int{}}
	for _, b := range listed {
		v.alive[b.NodeID] = true
	}
	// A cluster of before KIP-455 has no such request: then there is none to show.
	if v.ongoing, err = ongoing(ctx, cluster); err != nil && !isUnsupported(err) {
		return nil, err
	}
	if !withMinISR {
		return v, nil
	}
	const key = "min.insync.replicas"
	var names []string
	for _, t := range details {
		names = append(names, t.Topic)
	}
	found, err := describeConfigs(ctx, cluster, kmsg.ConfigResourceTypeTopic, []string{key}, names...)
	if err != nil {
		return nil, err
	}
	for _, resource := range found {
		for _, entry := range resource.Entries {
			if n, err := strconv.Atoi(entry.Value); err == nil && entry.Key == key {
				v.minISR[resource.Name] = n
			}
		}
	}
	return v, nil
}

func (v *view) describe(p kadm.PartitionDetail) describedPartition {
	d := describedPartition{
		Partition: p.Partition, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch,
		Replicas: listed(p.Replicas), ISR: listed(p.ISR), Offline: listed(p.OfflineReplicas), Error: inWords(p.Err),
	}
	if o, ok := v.ongoing[p.Topic][p.Partition]; ok {
		d.Adding, d.Removing = o.AddingReplicas, o.RemovingReplicas
	}
	return d
}

// replicationFactor does not count replicas that a reassignment is adding.
func (v *view) replicationFactor(t kadm.TopicDetail) int {
	for _, p := range t.Partitions.Sorted() {
		return len(p.Replicas) - len(v.ongoing[t.Topic][p.Partition].AddingReplicas)
	}
	return 0
}

// listed is never nil, which JSON would show as null.
func listed(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}

// conditions are those of kafka-topics (TopicCommand.PartitionDescription): replicas that a reassignment is adding do not make
// a partition under-replicated.
func (v *view) conditions(p kadm.PartitionDetail) []string {
	var found []string
	if len(p.ISR) < len(p.Replicas)-len(v.ongoing[p.Topic][p.Partition].AddingReplicas) {
		found = append(found, underReplicated)
	}
	if p.Leader < 0 || !v.alive[p.Leader] {
		found = append(found, unavailable)
	}
	least, ok := v.minISR[p.Topic]
	switch {
	case ok && len(p.ISR) < least:
		found = append(found, underMinISR)
	case ok && len(p.ISR) == least:
		found = append(found, atMinISR)
	}
	return found
}

// ownConfigs are the keys that were set for each topic.
func ownConfigs(ctx context.Context, cluster *kafka, details []kadm.TopicDetail) (map[string]map[string]string, error) {
	var names []string
	for _, t := range details {
		names = append(names, t.Topic)
	}
	found, err := describeConfigs(ctx, cluster, kmsg.ConfigResourceTypeTopic, nil, names...)
	if err != nil {
		return nil, err
	}
	own := map[string]map[string]string{}
	for _, resource := range found {
		if resource.err != nil {
			return nil, failure("configuration of topic "+resource.Name, resource.err)
		}
		own[resource.Name] = map[string]string{}
		for _, entry := range resource.Entries {
			if entry.Source == kmsg.ConfigSourceDynamicTopicConfig.String() {
				own[resource.Name][entry.Key] = entry.Value
			}
		}
	}
	return own, nil
}

// ongoing lists all reassignments in progress, which kadm cannot ask for.
func ongoing(ctx context.Context, cluster *kafka) (kadm.ListPartitionReassignmentsResponses, error) {
	q := kmsg.NewPtrListPartitionReassignmentsRequest()
	q.Topics = nil // all
	answer, err := q.RequestWith(ctx, cluster.requests)
	if err == nil {
		err = kerr.ErrorForCode(answer.ErrorCode)
	}
	if err != nil {
		return nil, failure("list reassignments", err)
	}
	all := kadm.ListPartitionReassignmentsResponses{}
	for _, t := range answer.Topics {
		all[t.Topic] = map[int32]kadm.ListPartitionReassignmentsResponse{}
		for _, p := range t.Partitions {
			all[t.Topic][p.Partition] = kadm.ListPartitionReassignmentsResponse{
				Topic: t.Topic, Partition: p.Partition,
				Replicas: p.Replicas, AddingReplicas: p.AddingReplicas, RemovingReplicas: p.RemovingReplicas,
			}
		}
	}
	return all, nil
}
