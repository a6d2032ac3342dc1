package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/urfave/cli/v2"
)

func clusterCommand() *cli.Command {
	return &cli.Command{
		Name:  "cluster",
		Usage: "show brokers, controller and ailing partitions; exit code 2 unless all is well",
		Description: "Well is a cluster with a controller, whose brokers all live and whose partitions all have a leader, all replicas in\n" +
			"sync and no fewer than min.insync.replicas. A broker that has no replicas and is stopped is missed by nobody.",
		Flags:  clusterFlags(),
		Action: action(showCluster),
	}
}

// health is kbroker cluster.
type health struct {
	ClusterID     string            `json:"clusterId"`
	Controller    int32             `json:"controller"` // -1: none
	Healthy       bool              `json:"healthy"`
	Problems      []string          `json:"problems"`
	Brokers       []brokerHealth    `json:"brokers"`
	Topics        int               `json:"topics"`
	Partitions    int               `json:"partitions"`
	Counts        map[string]int    `json:"counts"` // of partitions by condition
	NotPreferred  int               `json:"leadersNotPreferred"`
	Reassignments int               `json:"reassignments"`
	Ailing        []ailingPartition `json:"ailing"`
}

type brokerHealth struct {
	ID         int32    `json:"id"`
	Alive      bool     `json:"alive"`
	Silent     bool     `json:"silent"` // alive, and does not answer
	Controller bool     `json:"controller"`
	Host       string   `json:"host"`
	Rack       string   `json:"rack"`
	Leaders    int      `json:"leaders"`
	Replicas   int      `json:"replicas"`
	InSync     int      `json:"inSync"`
	Bytes      *int64   `json:"bytes"` // of its replicas; null when it does not tell
	FailedDirs []string `json:"failedLogDirs,omitempty"`
}

type ailingPartition struct {
	Topic      string   `json:"topic"`
	Conditions []string `json:"conditions"`
	describedPartition
}

// severity is 0 for the worst.
func (p *ailingPartition) severity() int {
	switch {
	case slices.Contains(p.Conditions, unavailable):
		return 0
	case slices.Contains(p.Conditions, underMinISR):
		return 1
	}
	return 2
}

func showCluster(ctx context.Context, c *cli.Context, cluster *kafka) error {
	if c.Args().Present() {
		return fmt.Errorf("%s: cluster takes no arguments", c.Args().First())
	}
	m, err := cluster.Metadata(ctx)
	if err != nil {
		return failure("look at the cluster", err)
	}
	h := &health{ClusterID: m.Cluster, Controller: m.Controller, Topics: len(m.Topics), Problems: []string{}, Ailing: []ailingPartition{}}
	h.Counts = map[string]int{underReplicated: 0, unavailable: 0, underMinISR: 0, atMinISR: 0}
	v, err := h.look(ctx, cluster, m)
	if err != nil {
		return err
	}
	h.addPartitions(v, m)
	h.addBrokers(m)
	h.addLogDirs(ctx, cluster)
	h.judge()
	if err := show(c, h, h.print); err != nil {
		return err
	}
	if !h.Healthy {
		return verdict("the cluster is not healthy: " + strings.Join(h.Problems, "; "))
	}
	return nil
}

// look is the look of other commands, but not longer than answerWithin: the controller, which it asks, may be what ails. Then
// there are no reassignments and no minima to show, and the cluster is not well.
func (h *health) look(ctx context.Context, cluster *kafka, m kadm.Metadata) (*view, error) {
	looking, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	v, err := look(looking, cluster, m.Topics.Sorted(), true)
	if err == nil || ctx.Err() != nil || looking.Err() == nil && !errors.As(err, new(net.Error)) {
		return v, err
	}
	h.Problems = append(h.Problems, "reassignments and min.insync.replicas are not known: "+inWords(err))
	v = &view{alive: map[int32]bool{}}
	for _, b := range m.Brokers {
		v.alive[b.NodeID] = true
	}
	return v, nil
}

func (h *health) addPartitions(v *view, m kadm.Metadata) {
	for _, t := range m.Topics.Sorted() {
		if t.Err != nil {
			h.Problems = append(h.Problems, fmt.Sprintf("topic %s: %s", t.Topic, inWords(t.Err)))
		}
		for _, p := range t.Partitions.Sorted() {
			h.Partitions++
			conditions := v.conditions(p)
			for _, condition := range conditions {
				h.Counts[condition]++
			}
			if p.Leader >= 0 && len(p.Replicas) > 0 && p.Leader != p.Replicas[0] {
				h.NotPreferred++
			}
			if _, ok := v.ongoing[p.Topic][p.Partition]; ok {
				h.Reassignments++
			}
			// Just enough in-sync replicas is the normal state of topics with as many replicas.
			if ails := slices.DeleteFunc(conditions, func(c string) bool { return c == atMinISR }); len(ails) > 0 {
				h.Ailing = append(h.Ailing, ailingPartition{t.Topic, ails, v.describe(p)})
			}
		}
	}
	slices.SortStableFunc(h.Ailing, func(a, b ailingPartition) int { // the worst first
		return cmp.Compare(a.severity(), b.severity())
	})
}

// addBrokers lists the brokers that live, and those that do not and should have replicas.
func (h *health) addBrokers(m kadm.Metadata) {
	byID := map[int32]*brokerHealth{}
	get := func(id int32) *brokerHealth {
		if byID[id] == nil {
			byID[id] = &brokerHealth{ID: id}
		}
		return byID[id]
	}
	for _, b := range m.Brokers {
		g := get(b.NodeID)
		g.Alive, g.Controller, g.Host = true, b.NodeID == m.Controller, fmt.Sprintf("%s:%d", b.Host, b.Port)
		g.Rack = deref(b.Rack)
	}
	m.Topics.EachPartition(func(p kadm.PartitionDetail) {
		if p.Leader >= 0 {
			get(p.Leader).Leaders++
		}
		for _, id := range p.Replicas {
			get(id).Replicas++
		}
		for _, id := range p.ISR {
			get(id).InSync++
		}
	})
	for _, b := range byID {
		h.Brokers = append(h.Brokers, *b)
	}
	slices.SortFunc(h.Brokers, func(a, b brokerHealth) int { return cmp.Compare(a.ID, b.ID) })
}

// answerWithin is how long brokers have for each question: one that hangs is what the screen should show.
const answerWithin = 5 * time.Second

// addLogDirs asks every living broker what its log directories hold. It also finds the brokers that ZooKeeper or the controller
// thinks alive and that do not answer. One that refuses us the answer is well. Each is asked by itself: asked for all brokers, the
// client may have looked again which there are, and would pass over one that has died since we did.
func (h *health) addLogDirs(ctx context.Context, cluster *kafka) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	var asking sync.WaitGroup
	for i := range h.Brokers {
		if b := &h.Brokers[i]; b.Alive {
			asking.Go(func() {
				dirs, err := cluster.DescribeBrokerLogDirs(ctx, b.ID, nil)
				b.Silent = err != nil && !isUnsupported(err) && !errors.As(err, new(*kerr.Error))
				if err == nil {
					b.addLogDirs(dirs)
				}
			})
		}
	}
	asking.Wait()
}

func (b *brokerHealth) addLogDirs(dirs kadm.DescribedLogDirs) {
	bytes := int64(0)
	for _, d := range dirs.Sorted() {
		if d.Err != nil {
			b.FailedDirs = append(b.FailedDirs, fmt.Sprintf("%s: %s", d.Dir, inWords(d.Err)))
			continue
		}
		bytes += d.Size()
	}
	b.Bytes = &bytes
}

func (h *health) judge() {
	if h.Controller < 0 {
		h.Problems = append(h.Problems, "no controller")
	}
	for _, b := range h.Brokers {
		if !b.Alive {
			h.Problems = append(h.Problems, fmt.Sprintf("broker %d is down", b.ID))
		}
		if b.Silent {
			h.Problems = append(h.Problems, fmt.Sprintf("broker %d does not answer", b.ID))
		}
		if len(b.FailedDirs) > 0 {
			h.Problems = append(h.Problems, fmt.Sprintf("broker %d has failed log directories", b.ID))
		}
	}
	for _, f := range conditionFlags {
		if n := h.Counts[f.condition]; n > 0 && f.condition != atMinISR {
			h.Problems = append(h.Problems, fmt.Sprintf("%d of %d partitions %s", n, h.Partitions, f.condition))
		}
	}
	h.Healthy = len(h.Problems) == 0
}

// mostAiling is how many partitions the screen has room for.
const mostAiling = 20

func (h *health) print(w io.Writer) {
	state := "healthy"
	if !h.Healthy {
		state = "NOT HEALTHY"
	}
	controller := "none"
	if h.Controller >= 0 {
		controller = fmt.Sprint(h.Controller)
	}
	fmt.Fprintf(w, "CLUSTER\tSTATE\tCONTROLLER\tTOPICS\tPARTITIONS\tUNDER-REPLICATED\tUNAVAILABLE\tUNDER-MIN-ISR\tNOT-PREFERRED\tREASSIGNMENTS\n"+
		"%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n\n", orDash(h.ClusterID), state, controller, h.Topics, h.Partitions,
		h.Counts[underReplicated], h.Counts[unavailable], h.Counts[underMinISR], h.NotPreferred, h.Reassignments)
	fmt.Fprintln(w, "BROKER\tADDRESS\tRACK\tLEADERS\tREPLICAS\tIN-SYNC\tSIZE\tNOTE")
	for _, b := range h.Brokers {
		var notes []string
		if b.Controller {
			notes = append(notes, "controller")
		}
		if !b.Alive {
			notes = append(notes, "DOWN")
		}
		if b.Silent {
			notes = append(notes, "DOES NOT ANSWER")
		}
		if len(b.FailedDirs) > 0 {
			notes = append(notes, "FAILED "+strings.Join(b.FailedDirs, ", "))
		}
		size := "-"
		if b.Bytes != nil {
			size = bytesText(*b.Bytes)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", b.ID, orDash(b.Host), orDash(b.Rack), b.Leaders, b.Replicas, b.InSync, size,
			orDash(strings.Join(notes, ", ")))
	}
	if len(h.Ailing) == 0 {
		return
	}
	fmt.Fprintln(w, "\nTOPIC\tPARTITION\tLEADER\tREPLICAS\tISR\tOFFLINE\tSTATE")
	for _, p := range h.Ailing[:min(len(h.Ailing), mostAiling)] {
		leader := "none"
		if p.Leader >= 0 {
			leader = fmt.Sprint(p.Leader)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", p.Topic, p.Partition, leader, brokers(p.Replicas), brokers(p.ISR), brokers(p.Offline),
			strings.Join(p.Conditions, ", "))
	}
	if more := len(h.Ailing) - mostAiling; more > 0 {
		fmt.Fprintf(w, "and %d more: kbroker topics describe --under-replicated --unavailable --under-min-isr\n", more)
	}
}

// bytesText is a size for people.
func bytesText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, exponent := float64(n)/unit, 0
	for ; f >= unit; exponent++ {
		f /= unit
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGTPE"[exponent])
}
