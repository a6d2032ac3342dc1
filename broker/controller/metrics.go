package controller

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the controller. The gauges about the cluster are zero on brokers
// that are not the controller.
type metrics struct {
	active, epoch, brokers, topics, partitions, offline, imbalanced, deleting prometheus.Gauge

	eventSeconds *prometheus.HistogramVec
	waitSeconds  prometheus.Histogram
	elections    prometheus.Counter
	senders      atomic.Pointer[map[int32]*sender] // replaced by the owner
}

func newMetrics(r prometheus.Registerer, queued func() int) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "kbroker", Subsystem: "controller", Name: name, Help: help})
		r.MustRegister(g)
		return g
	}
	m := &metrics{
		active:     gauge("active", "1 on the broker that is the controller, 0 elsewhere."),
		epoch:      gauge("epoch", "Controller epoch of this broker's term, 0 when it is not the controller."),
		brokers:    gauge("brokers", "Registered brokers."),
		topics:     gauge("topics", "Topics of the cluster."),
		partitions: gauge("partitions", "Partitions of the cluster that have or had a leader."),
		offline:    gauge("offline_partitions", "Partitions without a leader."),
		imbalanced: gauge("preferred_imbalance", "Partitions that are not led by their preferred replica."),
		deleting:   gauge("topics_to_delete", "Topics whose deletion is not complete."),
	}
	// From a millisecond, which one write to ZooKeeper takes, to the minutes of a failover.
	buckets := prometheus.ExponentialBuckets(0.001, 2, 18)
	m.eventSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "kbroker", Subsystem: "controller", Name: "event_seconds",
		Help: "Time to handle an event, by its kind.", Buckets: buckets,
	}, []string{"event"})
	m.waitSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "kbroker", Subsystem: "controller", Name: "event_wait_seconds",
		Help: "Time that events waited to be handled.", Buckets: buckets,
	})
	m.elections = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "kbroker", Subsystem: "controller", Name: "elected_total",
		Help: "Times that this broker became the controller.",
	})
	r.MustRegister(m.eventSeconds, m.waitSeconds, m.elections,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "kbroker", Subsystem: "controller", Name: "event_queue_size",
			Help: "Events that wait to be handled.",
		}, func() float64 { return float64(queued()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "kbroker", Subsystem: "controller", Name: "requests_unsent",
			Help: "Requests to brokers that are not answered yet.",
		}, m.countUnsent))
	return m
}

func (m *metrics) countUnsent() float64 {
	senders := m.senders.Load()
	if senders == nil {
		return 0
	}
	n := 0
	for _, s := range *senders {
		n += s.unsent()
	}
	return float64(n)
}

// update shows a term, or that there is none. Only the owner calls it.
func (m *metrics) update(t *term) {
	if t == nil {
		for _, g := range []prometheus.Gauge{m.active, m.epoch, m.brokers, m.topics, m.partitions, m.offline, m.imbalanced, m.deleting} {
			g.Set(0)
		}
		return
	}
	m.active.Set(1)
	m.epoch.Set(float64(t.origin.lease.Epoch))
	m.brokers.Set(float64(len(t.brokers)))
	m.topics.Set(float64(len(t.topics)))
	m.partitions.Set(float64(t.partitions))
	m.offline.Set(float64(t.offline))
	m.imbalanced.Set(float64(t.imbalanced))
	queued := 0
	for _, topic := range t.topics {
		if topic.queued {
			queued++
		}
	}
	m.deleting.Set(float64(queued))
}
