package replica

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/kbroker/kbroker/broker/config"
)

// A rate is measured from the oldest sample that counts: what was not used before that is lost.
func TestQuotaForgetsWhatIsOlderThanItsSamples(t *testing.T) {
	for name, c := range map[string]struct {
		num, size string
		exceeded  bool
	}{
		"eleven samples of a second": {"11", "1", false},
		"two samples of a second":    {"2", "1", true},
		"two samples of ten":         {"2", "10", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				static := map[string]config.Setting{"broker.id": {Value: "1"}, "zookeeper.connect": {Value: "z:1"}}
				static["replication.quota.window.num"] = config.Setting{Value: c.num}
				static["replication.quota.window.size.seconds"] = config.Setting{Value: c.size}
				s, _, err := config.NewStore(static)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.SetDynamic(map[string]string{"follower.replication.throttled.rate": "100000"}, nil); err != nil {
					t.Fatal(err)
				}
				q := NewFollowerQuota(s)
				q.Record(1)
				time.Sleep(9 * time.Second)
				q.Record(800_000)
				if q.Exceeded() != c.exceeded {
					t.Errorf("exceeded: %v, want %v", q.Exceeded(), c.exceeded)
				}
			})
		})
	}
}
