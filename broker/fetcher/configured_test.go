package fetcher

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestFetchesAsConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(scripted)
		s.answer = func(_ int, q *kmsg.FetchRequest) *kmsg.FetchResponse {
			return full(0, q, func(_ [16]byte, p *kmsg.FetchResponseTopicPartition) { p.ErrorCode = 3 })
		}
		s.followAs(t, []string{
			"replica.fetch.wait.max.ms", "100", "replica.fetch.min.bytes", "2", "replica.fetch.response.max.bytes", "3000",
			"replica.fetch.max.bytes", "400", "replica.fetch.backoff.ms", "20000",
		}, "a")
		time.Sleep(time.Minute)
		all := s.requests()
		q := all[0]
		if q.MaxWaitMillis != 100 || q.MinBytes != 2 || q.MaxBytes != 3000 || q.Topics[0].Partitions[0].PartitionMaxBytes != 400 {
			t.Errorf("fetched with %+v", q)
		}
		// A refused partition is tried again soon, and later every 20 seconds.
		if len(all) > 12 {
			t.Errorf("%d tries within a minute", len(all))
		}
	})
}

// follow makes broker 2 a follower of broker 1, a scripted one.
func (s *scripted) follow(t *testing.T, topics ...string) *broker {
	return s.followAs(t, nil, topics...)
}
