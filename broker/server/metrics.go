package server

import (
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

// metrics are the counters of a Server. Those of an API are resolved once, so that counting a
// call looks nothing up.
type metrics struct {
	byAPI       [protocol.KeyLimit]apiMetrics
	connections *prometheus.GaugeVec // by listener
	refused     *prometheus.CounterVec
	panics      prometheus.Counter
}

type apiMetrics struct {
	requests, in, out prometheus.Counter
	latency           prometheus.Observer
}

func newMetrics(r prometheus.Registerer, inUse func() int64) *metrics {
	f := promauto.With(r)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "kbroker_request_memory_bytes", Help: "Bytes of requests that are being read or handled (queued.max.request.bytes).",
	}, func() float64 { return float64(inUse()) })
	byAPI := []string{"api"}
	requests := f.NewCounterVec(prometheus.CounterOpts{
		Name: "kbroker_requests_total", Help: "Requests that were answered, or need no answer.",
	}, byAPI)
	latency := f.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "kbroker_request_duration_seconds",
		Help:    "From the arrival of a request to the last byte of its answer, waiting included.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9), // 0.1 ms to 6.5 s
	}, byAPI)
	in := f.NewCounterVec(prometheus.CounterOpts{
		Name: "kbroker_request_bytes_total", Help: "Bytes of requests with their headers.",
	}, byAPI)
	out := f.NewCounterVec(prometheus.CounterOpts{
		Name: "kbroker_response_bytes_total", Help: "Bytes of answers with their headers.",
	}, byAPI)
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
	for _, a := range protocol.APIs() {
		m.byAPI[a.Key] = apiMetrics{
			requests: requests.WithLabelValues(a.Name),
			latency:  latency.WithLabelValues(a.Name),
			in:       in.WithLabelValues(a.Name),
			out:      out.WithLabelValues(a.Name),
		}
	}
	return m
}
