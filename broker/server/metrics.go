package server

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/kbroker/kbroker/protocol"
)

// Values of the label reason of kbroker_frames_refused_total.
const (
	refusedSize       = "size"
	refusedHeader     = "header"
	refusedAPI        = "unknown_api"
	refusedVersion    = "unsupported_version"
	refusedConnection = "connection"
)

// metrics are the counters of a Server.
type metrics struct {
	byAPI       [protocol.KeyLimit]traffic
	connections *prometheus.GaugeVec // by listener
	refused     *prometheus.CounterVec
	panics      prometheus.Counter
}

func newMetrics(r prometheus.Registerer, inUse func() int64) *metrics {
	f := promauto.With(r)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "kbroker_request_memory_bytes", Help: "Bytes of requests that are being read or handled (queued.max.request.bytes).",
	}, func() float64 { return float64(inUse()) })
	m := &metrics{
		connections: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "kbroker_connections", Help: "Open connections.",
		}, []string{"listener"}),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "kbroker_frames_refused_total", Help: "Connections closed because of what their peer sent, or from where.",
		}, []string{"reason"}),
		panics: f.NewCounter(prometheus.CounterOpts{
			Name: "kbroker_connection_panics_total", Help: "Connections closed because serving them panicked: a bug each.",
		}),
	}
	if r != nil {
		r.MustRegister(newTrafficReport(&m.byAPI))
	}
	return m
}

// Buckets of a call's duration: 0.1 ms, and each four times the one before, to 6.5 s.
const (
	shortestBucket = 100 * time.Microsecond
	buckets        = 9
)

// traffic counts the calls of one API. What changes with a call lies side by side: of Prometheus's own counters each is
// somewhere else, and a broker that wakes up for single small calls finds none of them in the processor's cache. Warm, a call
// is counted in 21 ns, by four of Prometheus's in 44 ns (BenchmarkCount).
type traffic struct {
	in, out atomic.Int64 // bytes
	took    atomic.Int64 // nanoseconds, of all calls together
	// calls are counted by duration, each in the first bucket that is long enough; the last has no bound.
	calls [buckets + 1]atomic.Uint64

	_ [24]byte // two lines of the cache for each: calls of other APIs are counted on other processors
}

// count counts a call that was answered.
func (t *traffic) count(in, out int64, took time.Duration) {
	t.in.Add(in)
	t.out.Add(out)
	t.took.Add(int64(took))
	bucket, bound := 0, shortestBucket
	for bucket < buckets && took > bound {
		bucket, bound = bucket+1, 4*bound
	}
	t.calls[bucket].Add(1)
}

// requests returns how many calls were counted.
func (t *traffic) requests() (n uint64) {
	for i := range t.calls {
		n += t.calls[i].Load()
	}
	return n
}

// trafficReport is a prometheus.Collector of the traffic of all APIs.
type trafficReport struct {
	byAPI                      *[protocol.KeyLimit]traffic
	requests, latency, in, out *prometheus.Desc
}

func newTrafficReport(byAPI *[protocol.KeyLimit]traffic) *trafficReport {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, []string{"api"}, nil) }
	return &trafficReport{
		byAPI:    byAPI,
		requests: desc("kbroker_requests_total", "Requests that were answered, or need no answer."),
		latency: desc("kbroker_request_duration_seconds",
			"From the arrival of a request to the last byte of its answer, waiting included."),
		in:  desc("kbroker_request_bytes_total", "Bytes of requests with their headers."),
		out: desc("kbroker_response_bytes_total", "Bytes of answers with their headers."),
	}
}

// Describe and Collect are prometheus.Collector.
func (r *trafficReport) Describe(descs chan<- *prometheus.Desc) {
	descs <- r.requests
	descs <- r.latency
	descs <- r.in
	descs <- r.out
}

func (r *trafficReport) Collect(metrics chan<- prometheus.Metric) {
	bounds := prometheus.ExponentialBuckets(shortestBucket.Seconds(), 4, buckets)
	for _, a := range protocol.APIs() {
		t := &r.byAPI[a.Key]
		within := make(map[float64]uint64, len(bounds))
		calls := uint64(0)
		for i, bound := range bounds {
			calls += t.calls[i].Load()
			within[bound] = calls
		}
		calls += t.calls[buckets].Load()
		counter := func(d *prometheus.Desc, n float64) {
			metrics <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, n, a.Name)
		}
		counter(r.requests, float64(calls))
		counter(r.in, float64(t.in.Load()))
		counter(r.out, float64(t.out.Load()))
		metrics <- prometheus.MustNewConstHistogram(r.latency, calls, time.Duration(t.took.Load()).Seconds(), within, a.Name)
	}
}
