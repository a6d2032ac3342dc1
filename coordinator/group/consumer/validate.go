package consumer

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// refusal is an error code with words for people.
type refusal struct {
	code    *kerr.Error
	message string
}

func refuse(code *kerr.Error, message string) *refusal { return &refusal{code, message} }

// validate is Kafka's throwIfConsumerGroupHeartbeatRequestIsInvalid. From version 1 on members name themselves.
func (c *Config) validate(r *HeartbeatRequest) *refusal {
	invalid := func(message string) *refusal { return refuse(kerr.InvalidRequest, message) }
	empty := func(s *string) bool { return s != nil && *s == "" }
	switch {
	case r.MemberID == "" && (r.Version >= 1 || r.MemberEpoch > 0 || r.MemberEpoch == leaveEpoch):
		return invalid("the member id is empty")
	case empty(r.InstanceID):
		return invalid("the instance id is empty")
	case empty(r.Rack):
		return invalid("the rack id is empty")
	}
	switch {
	case r.MemberEpoch == joinEpoch && r.RebalanceTimeout < 0:
		return invalid("who joins must say its rebalance timeout")
	case r.MemberEpoch == joinEpoch && (r.Owned == nil || len(r.Owned) > 0):
		return invalid("who joins owns no partitions, and must say so")
	case r.MemberEpoch == joinEpoch && r.Topics == nil && r.TopicRegex == nil:
		return invalid("who joins must subscribe, by topic names or by a regular expression")
	case r.MemberEpoch == staticLeaveEpoch && r.InstanceID == nil:
		return invalid("only a static member can leave for a while")
	case r.MemberEpoch < staticLeaveEpoch:
		return invalid("there is no such member epoch")
	}
	if r.ServerAssignor != nil && !c.knows(*r.ServerAssignor) {
		var names []string
		for _, a := range c.Assignors {
			names = append(names, a.Name())
		}
		return refuse(kerr.UnsupportedAssignor, "assignor "+*r.ServerAssignor+" is not among "+strings.Join(names, ", "))
	}
	return nil
}
