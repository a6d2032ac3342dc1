package zkmeta

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"
)

// Topics lists the names; n watches /brokers/topics.
func (c *Client) Topics(ctx context.Context, n Notify) ([]string, error) {
	s, err := c.bind()
	if err != nil {
		return nil, err
	}
	return s.children(ctx, topicsPath, n)
}

// Assignments reads topics, pipelined; those that do not exist are absent from the result. n (may be nil) is asked for
// each topic's Notify, which watches topics that exist. An assignment that cannot be understood is logged and left out.
// n is called from several goroutines.
func (c *Client) Assignments(ctx context.Context, topics []string, n func(topic string) Notify) (map[string]TopicAssignment, error) {
	s, err := c.bind()
	if err != nil {
		return nil, err
	}
	found := make([]*TopicAssignment, len(topics))
	err = s.each(ctx, len(topics), func(ctx context.Context, i int) error {
		var notify Notify
		if n != nil {
			notify = n(topics[i])
		}
		data, stat, err := s.get(ctx, topicPath(topics[i]), notify)
		if errors.Is(err, ErrNoNode) {
			return nil
		}
		if err != nil {
			return err
		}
		z, err := decodeTopic(data)
		if err != nil {
			c.log.Error("topic assignment not understood", zap.String("topic", topics[i]), zap.Error(err))
			return nil
		}
		z.Topic, z.Version = topics[i], stat.Version
		found[i] = (*TopicAssignment)(&z)
		return nil
	})
	if err != nil {
		return nil, err
	}
	assignments := make(map[string]TopicAssignment, len(topics))
	for _, a := range found {
		if a != nil {
			assignments[a.Topic] = *a
		}
	}
	return assignments, nil
}

// CreateTopic writes config and topic znode, in that order, in one multi; ErrNodeExists when the topic is there.
// A config left over from before is replaced. A nil lease creates as any broker may (auto-creation). a.ID must be
// random: by it the call knows its own topic after a lost answer.
func (c *Client) CreateTopic(ctx context.Context, l *Lease, a TopicAssignment, config map[string]string) error {
	s, err := c.bind()
	if err != nil {
		return err
	}
	var (
		configPath = Entity{"topics", a.Topic}.path()
		configData = configZNode(config).encode()
		z          = topicZNode(a)
		data       = z.encode()
		leftover   bool // there is a config already
		unsure     bool // an earlier try may have taken effect
	)
	for {
		write := s.create(configPath, configData, 0)
		if leftover {
			write = s.set(configPath, configData, anyVersion)
		}
		_, err := s.commitWith(ctx, l, "create topic", write, s.create(z.path(), data, 0))
		switch at := failedAt(err); {
		case err == nil:
			return nil
		case errors.Is(err, errLost):
			unsure = true
		case at == 0 && errors.Is(err, ErrNodeExists):
			// The topic, or only a config: the next look at the topic's own znode tells.
			leftover = true
		case at == 0 && leftover && errors.Is(err, ErrNoNode):
			leftover = false
		case at == 1 && errors.Is(err, ErrNodeExists) && !unsure:
			return fmt.Errorf("create topic %s: %w", a.Topic, ErrNodeExists)
		case at == 1 && errors.Is(err, ErrNodeExists):
			stored, _, ok, err := s.lookup(ctx, z.path(), nil)
			if err != nil {
				return err
			}
			if ok && !bytes.Equal(stored, data) {
				return fmt.Errorf("create topic %s: %w", a.Topic, ErrNodeExists)
			}
			if ok {
				return nil
			}
		case errors.Is(err, ErrNoNode):
			if err := c.EnsureRoots(ctx); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// SetAssignment rewrites a topic's znode under the lease (any version, as Kafka). ErrNoNode when it is gone.
func (c *Client) SetAssignment(ctx context.Context, l Lease, a TopicAssignment) error {
	s, err := c.bind()
	if err != nil {
		return err
	}
	z := topicZNode(a)
	_, err = s.persistWith(ctx, &l, "set", s.set(z.path(), z.encode(), anyVersion))
	return err
}
