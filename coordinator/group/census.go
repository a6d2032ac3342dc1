package group

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kbroker/kbroker/coordinator/group/offsets"
)

const (
	// censusTime bounds a scrape. Groups that are busy for longer are told as they were seen last.
	censusTime = time.Second
	// mostLags bounds the series of lag that one broker tells of.
	mostLags = 100_000
)

// census tells of the groups that live here, when it is asked. It has every group that changed take a view of itself, all
// of them at once, so that no group waits, and groups that did nothing cost nothing.
type census struct {
	groups                       *Groups
	count, members, lag, omitted *prometheus.Desc
}

// view is a group at the end of a turn. It is never changed.
type view struct {
	kind      kind
	state     string
	members   int
	committed []offsets.Fetched
}

func newCensus(g *Groups) *census {
	return &census{
		groups: g,
		count: prometheus.NewDesc("kbroker_group_groups",
			"Groups that this broker coordinates, by type and state.", []string{"type", "state"}, nil),
		members: prometheus.NewDesc("kbroker_group_members",
			"Members of the groups that this broker coordinates, by type of the group.", []string{"type"}, nil),
		lag: prometheus.NewDesc("kbroker_consumer_group_lag",
			"Records between the committed offset of a group and the high watermark. Only for partitions that the coordinator "+
				"of the group leads itself: those that other brokers lead are missing.",
			[]string{"group", "topic", "partition"}, nil),
		omitted: prometheus.NewDesc("kbroker_consumer_group_lag_omitted",
			"Series of lag that were left out because there were too many.", nil, nil),
	}
}

// Describe and Collect are prometheus.Collector.
func (c *census) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.count
	descs <- c.members
	descs <- c.lag
	descs <- c.omitted
}

func (c *census) Collect(metrics chan<- prometheus.Metric) {
	type label struct {
		kind  kind
		state string
	}
	counts := make(map[label]int)
	members := map[kind]int{classicKind: 0, consumerKind: 0}
	lags, omitted := 0, 0
	for _, a := range c.refresh() {
		v := a.view.Load()
		if v == nil {
			continue
		}
		counts[label{v.kind, v.state}]++
		members[v.kind] += v.members
		if !utf8.ValidString(a.id) {
			continue // no label can hold it
		}
		for _, f := range v.committed {
			end, led := c.groups.o.EndOffset(f.Topic, f.Index)
			switch {
			case !led:
			case lags == mostLags:
				omitted++
			default:
				lags++
				metrics <- prometheus.MustNewConstMetric(c.lag, prometheus.GaugeValue, float64(max(end-f.Offset.Offset, 0)),
					a.id, f.Topic, strconv.Itoa(int(f.Index)))
			}
		}
	}
	for l, n := range counts {
		metrics <- prometheus.MustNewConstMetric(c.count, prometheus.GaugeValue, float64(n), l.kind.String(), l.state)
	}
	for k, n := range members {
		metrics <- prometheus.MustNewConstMetric(c.members, prometheus.GaugeValue, float64(n), k.String())
	}
	metrics <- prometheus.MustNewConstMetric(c.omitted, prometheus.GaugeValue, float64(omitted))
}

// refresh returns all groups, with views that are as new as can be had within censusTime.
func (c *census) refresh() []*actor {
	var actors []*actor
	for _, s := range c.groups.allShards() {
		actors = append(actors, s.all()...)
	}
	looked := make(chan struct{}, len(actors))
	asked := 0
	for _, a := range actors {
		if !a.changed.Swap(false) {
			continue
		}
		asked++
		a.box.Post(func() {
			a.look()
			looked <- struct{}{}
		})
	}
	late := time.NewTimer(censusTime)
	defer late.Stop()
	for range asked {
		select {
		case <-looked:
		case <-late.C:
			return actors
		}
	}
	return actors
}

// look takes a view of the group.
func (a *actor) look() {
	if a.gone {
		a.view.Store(nil)
		return
	}
	v := &view{kind: a.kind()}
	if a.consumer != nil {
		v.state, v.members = a.consumer.State(), len(a.consumer.Describe().Members)
	} else {
		v.state, v.members = string(a.classic.State()), len(a.classic.Describe().Members)
	}
	v.committed = a.offsets.Fetch(nil, false)
	a.view.Store(v)
}
