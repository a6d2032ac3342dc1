package group

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kbroker/kbroker/coordinator/group/offsets"
)

// metrics of the coordinator. What is counted as it happens is here, what is looked up when it is asked for in census.go.
type metrics struct {
	rebalances *prometheus.CounterVec
	commits    prometheus.Counter
	expired    prometheus.Counter
	refused    prometheus.Counter
	loads      *prometheus.HistogramVec
	census     *census
}

func newMetrics(r prometheus.Registerer, g *Groups) *metrics {
	m := &metrics{
		rebalances: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "kbroker", Subsystem: "group", Name: "rebalances_total",
			Help: "Rebalances that began, by what caused them.",
		}, []string{"kind"}),
		commits: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "kbroker", Subsystem: "group", Name: "offset_commits_total",
			Help: "Offsets of partitions that were committed, also in transactions that are still open.",
		}),
		expired: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "kbroker", Subsystem: "group", Name: "offsets_expired_total",
			Help: "Committed offsets that were removed as they were past their retention.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "kbroker", Subsystem: "group", Name: "writes_refused_total",
			Help: "Changes of groups that could not be appended to __consumer_offsets.",
		}),
		loads: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "kbroker", Subsystem: "group", Name: "load_seconds",
			Help: "Time to load the groups of a partition of __consumer_offsets, by outcome: loaded, failed, or over when leadership moved on.",
			// From an empty partition to minutes, in which consumers of its groups stand still.
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
		}, []string{"outcome"}),
		census: newCensus(g),
	}
	if r != nil {
		r.MustRegister(m.all()...)
	}
	return m
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.rebalances, m.commits, m.expired, m.refused, m.loads, m.census}
}

func (m *metrics) unregister(r prometheus.Registerer) {
	if r == nil {
		return
	}
	for _, c := range m.all() {
		r.Unregister(c)
	}
}

func (m *metrics) committed(commits []offsets.Commit) {
	n := 0
	for _, c := range commits {
		if c.Err == nil {
			n++
		}
	}
	m.commits.Add(float64(n))
}

func (m *metrics) loaded(outcome string, took time.Duration) {
	m.loads.WithLabelValues(outcome).Observe(took.Seconds())
}
