package consumer

import (
	"time"

	"github.com/kbroker/kbroker/coordinator/group/assign"
)

// Config is what the broker, and the group's dynamic configuration, say. It is replaced as a whole and never changed.
type Config struct {
	SessionTimeout    time.Duration     // group.consumer.session.timeout.ms, or the group's consumer.session.timeout.ms
	HeartbeatInterval time.Duration     // group.consumer.heartbeat.interval.ms, or the group's consumer.heartbeat.interval.ms
	MaxSize           int32             // group.consumer.max.size
	Assignors         []assign.Assignor // group.consumer.assignors; the first is the default
	// Upgrade and Downgrade are group.consumer.migration.policy.
	Upgrade, Downgrade bool
	// RegexRefresh is how often regular expressions are resolved anew at most. Kafka waits 10 s, and so does a group
	// that is told to wait longer.
	RegexRefresh time.Duration
	NewID        func() string // a member id, for members that leave the choice to the broker
}

// assignor returns the assignor of that name, or the default one: a name that was stored may no longer be configured.
func (c *Config) assignor(name string) assign.Assignor {
	for _, a := range c.Assignors {
		if a.Name() == name {
			return a
		}
	}
	return c.Assignors[0]
}

func (c *Config) knows(assignor string) bool {
	for _, a := range c.Assignors {
		if a.Name() == assignor {
			return true
		}
	}
	return false
}

// Image is the topics of the cluster at one moment. A group keeps the newest that it was given.
type Image interface {
	assign.Topics
	// Version changes whenever topics, their partitions or the racks of replicas do.
	Version() uint64
	TopicByName(name string) (assign.Topic, bool)
	Name(id [16]byte) (string, bool)
	Names() []string // all topics, sorted; not to be changed
}
