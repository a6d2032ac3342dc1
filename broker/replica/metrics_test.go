package replica

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/kbroker/kbroker/storage/vfs"
)

// wantMetrics compares some of the metrics, each as name and value.
func (h *host) wantMetrics(want ...string) {
	h.t.Helper()
	families, err := h.registry.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	var have []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			have = append(have, fmt.Sprint(f.GetName(), " ", m.GetGauge().GetValue()+m.GetCounter().GetValue()))
		}
	}
	for _, line := range want {
		if !slices.Contains(have, line) {
			h.t.Errorf("want %s, have %q", line, have)
		}
	}
}

func TestMetricsOfInSyncReplicas(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	h.overrides["t"] = map[string]string{"min.insync.replicas": "2"}
	p := h.apply(leading(0, []int32{1}, []int32{1, 2, 3}))
	h.wantMetrics("kbroker_under_replicated_partitions 1", "kbroker_under_min_isr_partitions 1", "kbroker_at_min_isr_partitions 0")
	fetchAs(t, p, 2, 0)
	c := h.proposed()
	c.answer(ISRAnswer{}, ErrISRRefused)
	fetchAs(t, p, 2, 0)
	c = h.proposed()
	c.accept(me)
	h.wantMetrics("kbroker_under_replicated_partitions 1", "kbroker_under_min_isr_partitions 0", "kbroker_at_min_isr_partitions 1",
		"kbroker_isr_expands_total 1", "kbroker_isr_shrinks_total 0", "kbroker_failed_isr_updates_total 1")

	appendTo(t, p, 1)
	p.submit(p.maybeShrink(-1)) // whoever is not at the end
	c = h.proposed()
	c.accept(me)
	h.wantMetrics("kbroker_isr_shrinks_total 1", "kbroker_isr_expands_total 1")

	s := leading(1, []int32{1, 2}, []int32{1, 2, 3})
	s.PartitionEpoch, s.Adding, s.Removing = 9, []int32{3}, []int32{2}
	h.apply(s)
	h.wantMetrics("kbroker_under_replicated_partitions 0", "kbroker_reassigning_partitions 1")
}

func TestMetricsOfFollowers(t *testing.T) {
	h := newHost(t, vfs.NewMem())
	p := h.apply(following(0, 2))
	if _, err := p.AppendAsFollower(0, Fetched{Batches: batch(t, 3, 0).Batch, HighWatermark: 10}); err != nil {
		t.Fatal(err)
	}
	h.wantMetrics("kbroker_follower_partitions 1", "kbroker_follower_max_lag_records 7", "kbroker_leader_partitions 0")
	h.DirFailed("/a", errors.New("gone"))
	h.wantMetrics("kbroker_follower_partitions 0", "kbroker_follower_max_lag_records 0", "kbroker_offline_partitions 1")
}
