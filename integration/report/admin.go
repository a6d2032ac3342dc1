package report

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	retention = "retention.ms"
	anHour    = "3600000"
	twoHours  = "7200000"
)

// topics: the client creates a topic with a config, describes it and deletes it.
func (t *trial) topics(ctx context.Context) error {
	if _, err := t.doer.do(ctx, "create", t.topic); err != nil {
		return err
	}
	topics, err := t.admin.ListTopics(ctx, t.topic)
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	if d := topics[t.topic]; d.Err != nil || len(d.Partitions) != 3 || d.Partitions.NumReplicas() != 1 {
		return fmt.Errorf("the topic was created as %+v", d)
	}
	if err := t.holds(ctx, anHour); err != nil {
		return err
	}
	events, err := t.doer.do(ctx, "describe", t.topic)
	if err != nil {
		return err
	}
	if len(events) != 1 || events[0].Count != 3 {
		return fmt.Errorf("described as %+v", events)
	}
	if _, err := t.doer.do(ctx, "delete", t.topic); err != nil {
		return err
	}
	return eventually(ctx, func() error {
		topics, err := t.admin.ListTopics(ctx, t.topic)
		if err == nil && !errors.Is(topics[t.topic].Err, kerr.UnknownTopicOrPartition) {
			err = fmt.Errorf("the topic is still there: %w", topics[t.topic].Err)
		}
		return err
	})
}

// configs: the client alters a topic's config and describes it.
func (t *trial) configs(ctx context.Context) error {
	if err := t.create(ctx, 1); err != nil {
		return err
	}
	if _, err := t.doer.do(ctx, "alter", t.topic, retention, twoHours); err != nil {
		return err
	}
	if err := t.holds(ctx, twoHours); err != nil {
		return err
	}
	events, err := t.doer.do(ctx, "configs", t.topic, retention)
	if err != nil {
		return err
	}
	if len(events) != 1 || events[0].Value != twoHours {
		return fmt.Errorf("described as %+v", events)
	}
	return nil
}

// holds waits until the topic's retention is a value.
func (t *trial) holds(ctx context.Context, want string) error {
	return eventually(ctx, func() error {
		configs, err := t.admin.DescribeTopicConfigs(ctx, t.topic)
		if err != nil {
			return err
		}
		r, err := configs.On(t.topic, nil)
		if err != nil {
			return err
		}
		for _, c := range r.Configs {
			if c.Key == retention && c.MaybeValue() == want {
				return nil
			}
		}
		return fmt.Errorf("%s is not %s", retention, want)
	})
}
