package server

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
)

func TestTrafficIsReported(t *testing.T) {
	r := prometheus.NewRegistry()
	m := newMetrics(r, func() int64 { return 0 })
	const heartbeat = 12
	for _, took := range []time.Duration{time.Microsecond, 100 * time.Microsecond, 100*time.Microsecond + 1, time.Second, time.Minute} {
		m.byAPI[heartbeat].count(10, 20, took)
	}
	// Only the series of the one API: the others are there, and zero.
	got := &one{Collector: newTrafficReport(&m.byAPI), api: "Heartbeat"}
	const want = `
# HELP kbroker_request_bytes_total Bytes of requests with their headers.
# TYPE kbroker_request_bytes_total counter
kbroker_request_bytes_total{api="Heartbeat"} 50
# HELP kbroker_request_duration_seconds From the arrival of a request to the last byte of its answer, waiting included.
# TYPE kbroker_request_duration_seconds histogram
kbroker_request_duration_seconds_bucket{api="Heartbeat",le="0.0001"} 2
kbroker_request_duration_seconds_bucket{api="Heartbeat",le="0.0004"} 3
kbroker_request_duration_seconds_bucket{api="Heartbeat",le="0.0016"} 3
kbroker_request_duration_seconds_bucket{api="Heartbeat",le="0.0064"} 3
kbroker_request_duration_seconds_bucket{api="Heartbeat",le="0.0256"} 3
kbroker_request_duration_seconds_bucket{api="Heartbeat",le="0.1024"} 3
kbroker_request_duration_seconds_bucket{api="Heartbeat",le="0.4096"} 3
kbroker_request_duration_seconds_bucket{api="Heartbeat",le="1.6384"} 4
kbroker_request_duration_seconds_bucket{api="Heartbeat",le="6.5536"} 4
kbroker_request_duration_seconds_bucket{api="Heartbeat",le="+Inf"} 5
kbroker_request_duration_seconds_sum{api="Heartbeat"} 61.000201001
kbroker_request_duration_seconds_count{api="Heartbeat"} 5
# HELP kbroker_requests_total Requests that were answered, or need no answer.
# TYPE kbroker_requests_total counter
kbroker_requests_total{api="Heartbeat"} 5
# HELP kbroker_response_bytes_total Bytes of answers with their headers.
# TYPE kbroker_response_bytes_total counter
kbroker_response_bytes_total{api="Heartbeat"} 100
`
	if err := testutil.CollectAndCompare(got, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(r, "kbroker_requests_total"); err != nil || n < 40 {
		t.Errorf("%d series of requests, %v: want one of each API", n, err)
	}
}

// one is a Collector of the series of one API.
type one struct {
	prometheus.Collector
	api string
}

func (o *one) Collect(metrics chan<- prometheus.Metric) {
	all := make(chan prometheus.Metric)
	go func() {
		o.Collector.Collect(all)
		close(all)
	}()
	for m := range all {
		var written dto.Metric
		if err := m.Write(&written); err == nil && written.Label[0].GetValue() == o.api {
			metrics <- m
		}
	}
}

// BenchmarkCount counts a call, with traffic and with counters of Prometheus.
func BenchmarkCount(b *testing.B) {
	b.Run("traffic", func(b *testing.B) {
		var t traffic
		for b.Loop() {
			t.count(100, 10, 50*time.Microsecond)
		}
	})
	b.Run("prometheus", func(b *testing.B) {
		f := promauto.With(nil)
		requests, in, out := f.NewCounter(prometheus.CounterOpts{Name: "a"}), f.NewCounter(prometheus.CounterOpts{Name: "b"}), f.NewCounter(prometheus.CounterOpts{Name: "c"})
		latency := f.NewHistogram(prometheus.HistogramOpts{Name: "d", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9)})
		for b.Loop() {
			requests.Inc()
			in.Add(100)
			out.Add(10)
			latency.Observe((50 * time.Microsecond).Seconds())
		}
	})
}
