package fetcher

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are those that count.
type metrics struct {
	fetches, errors, bytes, throttled prometheus.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	f := promauto.With(r)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return metrics{
		fetches:   counter("kbroker_replication_fetches_total", "Fetches that leaders answered, or failed to."),
		errors:    counter("kbroker_replication_fetch_errors_total", "Fetches, or partitions in them, that failed for a reason other than a change of leader."),
		bytes:     counter("kbroker_replication_bytes_in_total", "Bytes of record batches fetched from leaders."),
		throttled: counter("kbroker_replication_throttled_bytes_in_total", "Bytes among them of partitions whose fetching is throttled."),
	}
}

func (m *metrics) unregister(r prometheus.Registerer) {
	for _, c := range []prometheus.Counter{m.fetches, m.errors, m.bytes, m.throttled} {
		r.Unregister(c)
	}
}

// collector gives the metrics that are looked up on scrape.
type collector Fetchers

var (
	descFollowed = prometheus.NewDesc("kbroker_replication_followed_partitions", "Partitions that this broker follows.", nil, nil)
	descFailed   = prometheus.NewDesc("kbroker_replication_failed_partitions", "Followed partitions that are not fetched until their leader changes.", nil, nil)
	descMaxLag   = prometheus.NewDesc("kbroker_replication_max_lag", "Most records by which a followed partition trails its leader's high watermark.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	to <- descFollowed
	to <- descFailed
	to <- descMaxLag
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	f := (*Fetchers)(c)
	var failed, lag int64
	f.mu.Lock()
	followed := len(f.mu.followed)
	for _, p := range f.mu.followed {
		if p.failed.Load() {
			failed++
		}
		lag = max(lag, p.lag.Load())
	}
	f.mu.Unlock()
	gauge := func(d *prometheus.Desc, value int64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value))
	}
	gauge(descFollowed, int64(followed))
	gauge(descFailed, failed)
	gauge(descMaxLag, lag)
}
