package consumer

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// Leave removes members of the classic protocol (LeaveGroup), and answers for each in order when that is stored. It does
// not remove members of the new one, which Kafka answers UNKNOWN_MEMBER_ID; those leave by heartbeat.
func (g *Group) Leave(x *journal.Turn, image Image, r classic.LeaveRequest, reply func([]classic.Left)) {
	g.use(image)
	defer g.askWake(x)
	var left []classic.Left
	var members []*member
	for _, l := range r.Members {
		m, code := g.leaver(l)
		answer := classic.Left{MemberID: l.MemberID, InstanceID: l.InstanceID, Err: code}
		if code == nil {
			answer.MemberID = m.id
			if !slices.Contains(members, m) {
				members = append(members, m)
			}
		}
		left = append(left, answer)
	}
	changes, applied := g.fence(members, journal.MemberLeft)
	g.store(x, changes, applied, func(_ time.Time, err *kerr.Error) {
		for i := range left {
			if err != nil {
				left[i].Err = err
			}
		}
		reply(left)
	})
}

// leaver finds who is to leave. An administrator names static members by instance id alone.
func (g *Group) leaver(l classic.Leaving) (*member, *kerr.Error) {
	var m *member
	if l.InstanceID == nil {
		if s := g.members[l.MemberID]; s != nil {
			m = s.member
		}
	} else {
		m = g.static(*l.InstanceID)
		if m != nil && l.MemberID != "" && l.MemberID != m.id {
			return nil, kerr.FencedInstanceID
		}
	}
	if m == nil || m.classic == nil {
		return nil, kerr.UnknownMemberID
	}
	return m, nil
}
