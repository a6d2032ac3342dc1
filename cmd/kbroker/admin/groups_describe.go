package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/urfave/cli/v2"
)

// describedGroup is a group of either protocol.
type describedGroup struct {
	Group       string             `json:"group"`
	Type        string             `json:"type"`
	State       string             `json:"state"`
	Assignor    string             `json:"assignor"`
	Coordinator int32              `json:"coordinator"`
	Epoch       *int32             `json:"epoch,omitempty"` // consumer protocol
	Members     []describedMember  `json:"members"`
	Offsets     []partitionOffsets `json:"offsets"`
}

type describedMember struct {
	ID         string             `json:"id"`
	InstanceID string             `json:"instanceId,omitempty"`
	ClientID   string             `json:"clientId"`
	Host       string             `json:"host"`
	Epoch      *int32             `json:"epoch,omitempty"` // consumer protocol
	Assigned   map[string][]int32 `json:"assigned"`
}

// partitionOffsets is a partition that is assigned or has a committed offset. What is not known is nil.
type partitionOffsets struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed *int64 `json:"committed"`
	End       *int64 `json:"end"`
	Lag       *int64 `json:"lag"`
	MemberID  string `json:"memberId,omitempty"`
	Host      string `json:"host,omitempty"`
	ClientID  string `json:"clientId,omitempty"`
}

func describeGroups(ctx context.Context, c *cli.Context, cluster *kafka) error {
	names, err := groupNames(ctx, c, cluster)
	if err != nil {
		return err
	}
	groups := []describedGroup{}
	for _, name := range names {
		g, err := describeGroup(ctx, cluster, name)
		if err != nil {
			return fmt.Errorf("group %s: %s", name, inWords(err))
		}
		if err := g.addOffsets(ctx, cluster); err != nil {
			return fmt.Errorf("group %s: %w", name, err)
		}
		groups = append(groups, *g)
	}
	return show(c, groups, func(w io.Writer) {
		for i, g := range groups {
			if i > 0 {
				fmt.Fprintln(w)
			}
			g.print(w, c.Bool("members"))
		}
	})
}

// groupNames are the groups that the flags and arguments name.
func groupNames(ctx context.Context, c *cli.Context, cluster *kafka) ([]string, error) {
	names := named(c, "group")
	switch {
	case c.Bool("all-groups") && len(names) > 0:
		return nil, errors.New("--all-groups and names of groups exclude each other")
	case c.Bool("all-groups"):
		found, err := cluster.ListGroups(ctx)
		if err != nil {
			return nil, fmt.Errorf("list groups: %w", err)
		}
		return found.Groups(), nil
	case len(names) == 0:
		return nil, errors.New("name groups, or say --all-groups")
	}
	return names, nil
}

// describeGroup asks for a group of the new protocol first: brokers that do not know it, or have a classic group of the
// name, say so, whereas a group of the new protocol looks dead to DescribeGroups. The error of a group that does not exist is
// kerr.GroupIDNotFound.
func describeGroup(ctx context.Context, cluster *kafka, name string) (*describedGroup, error) {
	consumers, err := cluster.DescribeConsumerGroups(ctx, name)
	if d, ok := consumers[name]; err == nil && ok && d.Err == nil {
		g := &describedGroup{
			Group: name, Type: "consumer", State: d.State, Assignor: d.AssignorName,
			Coordinator: d.Coordinator.NodeID, Epoch: &d.Epoch, Members: []describedMember{},
		}
		for _, m := range d.Members {
			g.Members = append(g.Members, describedMember{
				ID: m.MemberID, InstanceID: deref(m.InstanceID), ClientID: m.ClientID, Host: m.ClientHost,
				Epoch: &m.MemberEpoch, Assigned: assigned(m.Assignment),
			})
		}
		return g, nil
	}
	var classic kadm.DescribedGroups
	err = awaitCoordinator(ctx, func() (err error) {
		if classic, err = cluster.DescribeGroups(ctx, name); err == nil {
			err = classic[name].Err
		}
		return err
	})
	d, ok := classic[name]
	switch {
	case err != nil && d.Err == nil:
		return nil, err
	case !ok:
		return nil, errors.New("no answer")
	case d.Err != nil:
		return nil, d.Err
	case d.State == "Dead":
		return nil, kerr.GroupIDNotFound
	}
	g := &describedGroup{
		Group: name, Type: "classic", State: d.State, Assignor: d.Protocol,
		Coordinator: d.Coordinator.NodeID, Members: []describedMember{},
	}
	for _, m := range d.Members {
		set := kadm.TopicsSet{}
		if a, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range a.Topics {
				set.Add(t.Topic, t.Partitions...)
			}
		}
		g.Members = append(g.Members, describedMember{
			ID: m.MemberID, InstanceID: deref(m.InstanceID), ClientID: m.ClientID, Host: m.ClientHost, Assigned: assigned(set),
		})
	}
	return g, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func assigned(set kadm.TopicsSet) map[string][]int32 {
	list := map[string][]int32{}
	for topic, partitions := range set {
		list[topic] = slices.Sorted(maps.Keys(partitions))
	}
	return list
}

// addOffsets finds the offsets of all partitions that are assigned or have been committed.
func (g *describedGroup) addOffsets(ctx context.Context, cluster *kafka) error {
	committed, err := cluster.FetchOffsets(ctx, g.Group)
	if err != nil {
		return fmt.Errorf("fetch its offsets: %w", err)
	}
	owners := map[string]map[int32]*describedMember{}
	partitions := kadm.TopicsSet{}
	committed.Each(func(o kadm.OffsetResponse) { partitions.Add(o.Topic, o.Partition) })
	for i := range g.Members {
		for topic, list := range g.Members[i].Assigned {
			partitions.Add(topic, list...)
			if owners[topic] == nil {
				owners[topic] = map[int32]*describedMember{}
			}
			for _, p := range list {
				owners[topic][p] = &g.Members[i]
			}
		}
	}
	ends, err := endOffsets(ctx, cluster, partitions)
	if err != nil {
		return err
	}
	g.Offsets = []partitionOffsets{}
	for _, topic := range partitions.Topics() {
		for _, p := range slices.Sorted(maps.Keys(partitions[topic])) {
			row := partitionOffsets{Topic: topic, Partition: p}
			if o, ok := committed.Lookup(topic, p); ok && o.Err == nil && o.At >= 0 {
				row.Committed = &o.At
			}
			if end, ok := ends.Lookup(topic, p); ok && end.Err == nil {
				row.End = &end.Offset
			}
			if row.Committed != nil && row.End != nil {
				lag := *row.End - *row.Committed
				row.Lag = &lag
			}
			if m := owners[topic][p]; m != nil {
				row.MemberID, row.Host, row.ClientID = m.ID, m.Host, m.ClientID
			}
			g.Offsets = append(g.Offsets, row)
		}
	}
	slices.SortStableFunc(g.Offsets, func(a, b partitionOffsets) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return nil
}

// endOffsets lists the ends of the partitions' topics. Topics that are gone have none.
func endOffsets(ctx context.Context, cluster *kafka, partitions kadm.TopicsSet) (kadm.ListedOffsets, error) {
	if len(partitions) == 0 {
		return nil, nil
	}
	ends, err := cluster.ListEndOffsets(ctx, partitions.Topics()...)
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	return ends, nil
}

func (g *describedGroup) print(w io.Writer, membersOnly bool) {
	fmt.Fprintf(w, "GROUP\tTYPE\tSTATE\tASSIGNOR\tMEMBERS\tCOORDINATOR\n%s\t%s\t%s\t%s\t%d\t%d\n",
		g.Group, g.Type, g.State, orDash(g.Assignor), len(g.Members), g.Coordinator)
	if len(g.Members) > 0 {
		fmt.Fprintln(w, "\nMEMBER\tINSTANCE\tCLIENT-ID\tHOST\tASSIGNED")
		for _, m := range g.Members {
			var list []string
			for _, topic := range slices.Sorted(maps.Keys(m.Assigned)) {
				list = append(list, fmt.Sprint(topic, m.Assigned[topic]))
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", m.ID, orDash(m.InstanceID), m.ClientID, m.Host, orDash(strings.Join(list, " ")))
		}
	}
	if membersOnly || len(g.Offsets) == 0 {
		return
	}
	fmt.Fprintln(w, "\nTOPIC\tPARTITION\tCURRENT-OFFSET\tLOG-END-OFFSET\tLAG\tMEMBER\tHOST\tCLIENT-ID")
	for _, o := range g.Offsets {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", o.Topic, o.Partition, number(o.Committed), number(o.End), number(o.Lag),
			orDash(o.MemberID), orDash(o.Host), orDash(o.ClientID))
	}
}

func number(n *int64) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}
