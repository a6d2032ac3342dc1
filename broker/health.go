package broker

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kbroker/kbroker/broker/replica"
)

// The parts on which readiness depends.
const (
	partZooKeeper = "zookeeper"
	partServing   = "serving"
)

// Health tells operators how the broker is, from before it is started.
type Health struct {
	mu      sync.Mutex
	reasons map[string]string // by part; empty: ready
	dirs    func() []replica.Dir
}

// NewHealth returns the health of a broker that is not started yet.
func NewHealth() *Health {
	return &Health{
		reasons: map[string]string{partZooKeeper: "not connected yet", partServing: "starting"},
		dirs:    func() []replica.Dir { return nil },
	}
}

func (h *Health) set(part string, ready bool, reason string) {
	if ready {
		reason = ""
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reasons[part] = reason
}

// watchDirs lets the log directories count from now on.
func (h *Health) watchDirs(dirs func() []replica.Dir) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dirs = dirs
}

// check returns whether all parts are ready, and the state of each.
func (h *Health) check() (ready bool, state map[string]string) {
	h.mu.Lock()
	dirs := h.dirs
	ready, state = true, make(map[string]string, len(h.reasons))
	for part, reason := range h.reasons {
		state[part] = "ok"
		if reason == "" {
			continue
		}
		state[part] = reason
		// Clients are served while ZooKeeper is away. Were that not ready, whoever asks would take all brokers away with it.
		if part != partZooKeeper || h.reasons[partServing] != "" {
			ready = false
		}
	}
	h.mu.Unlock()
	for _, d := range dirs() {
		part := "log dir " + d.Path
		switch {
		case d.Err != nil:
			ready, state[part] = false, d.Err.Error()
		case d.Full:
			ready, state[part] = false, "full: produce is refused until there is space"
		default:
			state[part] = "ok"
		}
	}
	return ready, state
}

// Handler serves /metrics, /healthz (the process answers), /readyz (clients are served; with
// reasons when not) and /debug/pprof.
func (h *Health) Handler(registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, true, map[string]string{"process": "ok"}) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		ready, state := h.check()
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
