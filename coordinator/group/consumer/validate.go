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

// Validate tells what is wrong with a heartbeat whatever the group, with words for people, or nil.
func (c *Config) Validate(r *HeartbeatRequest) (*kerr.Error, string) {
	if refused := c.validate(r); refused != nil {
		return refused.code, refused.message
	}
	return nil, ""
}

// validate is Kafka's throwIfConsumerGroupHeartbeatRequestIsInvalid. From version 1 on members name themselves.
func (c *Config) validate(r *HeartbeatRequest) *refusal {
	invalid := func(message string) *refusal { return refuse(kerr.InvalidRequest, message) }
	empty := func(s *string) bool { return s != nil && strings.TrimSpace(*s) == "" }
	switch {
	case strings.TrimSpace(r.MemberID) == "" && (r.Version >= 1 || r.MemberEpoch > 0 || r.MemberEpoch == leaveEpoch):
		return invalid("MemberId can't be empty.")
	case empty(r.InstanceID):
		return invalid("InstanceId can't be empty.")
	case empty(r.Rack):
		return invalid("RackId can't be empty.")
	}
	switch {
	case r.MemberEpoch == joinEpoch && r.RebalanceTimeout < 0:
		return invalid("RebalanceTimeoutMs must be provided in first request.")
	case r.MemberEpoch == joinEpoch && (r.Owned == nil || len(r.Owned) > 0):
		return invalid("TopicPartitions must be empty when (re-)joining.")
	case r.MemberEpoch == joinEpoch && r.Topics == nil && r.TopicRegex == nil:
		return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
	case r.MemberEpoch == staticLeaveEpoch && r.InstanceID == nil:
		return invalid("InstanceId can't be null.")
	case r.MemberEpoch < staticLeaveEpoch:
		return invalid("MemberEpoch is invalid.")
	}
	if r.ServerAssignor != nil && !c.knows(*r.ServerAssignor) {
		var names []string
		for _, a := range c.Assignors {
			names = append(names, a.Name())
		}
		return refuse(kerr.UnsupportedAssignor, "ServerAssignor "+*r.ServerAssignor+" is not supported. Supported assignors: "+strings.Join(names, ", ")+".")
	}
	return nil
}
