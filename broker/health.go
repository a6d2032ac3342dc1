package broker

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The parts on which readiness depends.
const (
	partZooKeeper = "zookeeper"
	partServing   = "serving"
)

// readiness notes for each part whether it is ready, or why not.
type readiness struct {
	mu      sync.Mutex
	reasons map[string]string // by part; empty: ready
}

func newReadiness() *readiness {
	return &readiness{reasons: map[string]string{
		partZooKeeper: "not connected yet",
		partServing:   "starting",
	}}
}

func (r *readiness) set(part string, ready bool, reason string) {
	if ready {
		reason = ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reasons[part] = reason
}

// check returns whether all parts are ready, and the state of each.
func (r *readiness) check() (bool, map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ready, state := true, make(map[string]string, len(r.reasons))
	for part, reason := range r.reasons {
		state[part] = "ok"
		if reason != "" {
			ready, state[part] = false, reason
		}
	}
	return ready, state
}

// Handler serves /metrics, /healthz (the process answers), /readyz (clients are served; with
// reasons when not) and /debug/pprof/.
func (b *Broker) Handler(registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, true, map[string]string{"process": "ok"}) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		ready, state := b.state.check()
		for _, d := range b.logs.Dirs() {
			state["log dir "+d.Path] = "ok"
			if d.Err != nil {
				ready, state["log dir "+d.Path] = false, d.Err.Error()
			}
		}
		answer(w, ready, state)
	})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

func answer(w http.ResponseWriter, ok bool, state map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(state) // the peer is gone when this fails
}
