package broker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kbroker/kbroker/zkmeta"
)

// zookeeperMetrics are the session's state and the latency of its requests.
type zookeeperMetrics struct {
	connected   prometheus.Gauge
	expirations prometheus.Counter
	latency     *prometheus.HistogramVec
}

func newZooKeeperMetrics(r prometheus.Registerer) *zookeeperMetrics {
	m := &zookeeperMetrics{
		connected: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kbroker_zookeeper_connected", Help: "1 while the session with ZooKeeper is connected.",
		}),
		expirations: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kbroker_zookeeper_expirations_total", Help: "Sessions that expired.",
		}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kbroker_zookeeper_request_seconds", Help: "Latency of requests to ZooKeeper by operation.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
		}, []string{"operation"}),
	}
	r.MustRegister(m.connected, m.expirations, m.latency)
	m.connected.Set(1)
	return m
}

func (m *zookeeperMetrics) request(operation string, elapsed time.Duration) {
	m.latency.WithLabelValues(operation).Observe(elapsed.Seconds())
}

func (m *zookeeperMetrics) session(s zkmeta.SessionState) {
	switch s {
	case zkmeta.Connected:
		m.connected.Set(1)
	case zkmeta.Expired:
		m.expirations.Inc()
		m.connected.Set(0)
	case zkmeta.Disconnected:
		m.connected.Set(0)
	}
}
