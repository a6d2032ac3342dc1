package consumer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// fenceRetry is the pause before members are fenced again when that could not be stored.
const fenceRetry = 500 * time.Millisecond

// Tick does what is due: it fences members whose session ended, that did not give up partitions in time or, with the
// classic protocol, did not rejoin or sync in time. All that is due goes in one write with one higher group epoch.
func (g *Group) Tick(x *journal.Turn, image Image) {
	g.use(image)
	g.wake = time.Time{}
	var due []*member
	for _, s := range g.order {
		if !s.revokeBy.IsZero() && (s.state != unrevoked || s.epoch != s.revokeEpoch) {
			s.revokeBy = time.Time{}
		}
		if t := s.deadline(); t.IsZero() || t.After(x.Now) {
			g.watch(s)
		} else {
			due = append(due, s.member)
		}
	}
	if len(due) > 0 {
		changes, applied := g.fence(due, journal.MemberExpired)
		now := x.Now
		g.store(x, changes, applied, func(_ time.Time, err *kerr.Error) {
			if err != nil {
				g.watchAt(now.Add(fenceRetry))
			}
		})
	}
	g.askWake(x)
}
