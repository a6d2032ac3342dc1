package broker

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// readDynamicConfig reads /config/brokers/<id> and /config/brokers/<default> and applies them.
func (b *Broker) readDynamicConfig(ctx context.Context) error {
	own, err := b.zk.Config(ctx, zkmeta.Entity{Type: "brokers", Name: strconv.Itoa(int(b.id))})
	if err != nil {
		return fmt.Errorf("read the dynamic config of broker %d: %w", b.id, err)
	}
	all, err := b.zk.Config(ctx, zkmeta.Entity{Type: "brokers", Name: zkmeta.DefaultEntity})
	if err != nil {
		return fmt.Errorf("read the cluster-wide dynamic config: %w", err)
	}
	changed, err := b.config.SetDynamic(own, all)
	if err != nil {
		b.log.Error("dynamic config has illegal values, which are left out; correct them with kafka-configs",
			zap.Error(err))
	}
	if len(changed) > 0 {
		b.log.Info("dynamic config changed", zap.Strings("keys", changed))
	}
	if b.control != nil && slices.Contains(changed, "unclean.leader.election.enable") && b.config.Broker().UncleanLeaderElection {
		b.control.ElectUnclean("")
	}
	return nil
}

// configChanged returns what is done for each entity of a change notification: the znode is
// read again as a whole, so that the order of notifications does not matter.
func (b *Broker) configChanged(ctx context.Context) func(zkmeta.Entity) {
	return func(e zkmeta.Entity) {
		var err error
		switch e.Type {
		case "topics":
			var overrides map[string]string
			if overrides, err = b.zk.Config(ctx, e); err == nil {
				b.replicas.SetTopicOverrides(e.Name, overrides)
				b.log.Info("topic config changed", zap.String("topic", e.Name))
				if b.config.Topic(overrides).UncleanLeaderElection {
					b.control.ElectUnclean(e.Name)
				}
			}
		case "brokers":
			err = b.readDynamicConfig(ctx)
		case groupEntities:
			err = b.readGroupConfig(ctx, e)
		case "":
			// Notifications were purged before they were seen: anything may have changed.
			err = b.readAllConfigs(ctx)
		}
		if err != nil && ctx.Err() == nil {
			b.log.Error("config change could not be read",
				zap.String("type", e.Type), zap.String("name", e.Name), zap.Error(err))
		}
	}
}

// readAllConfigs applies every config znode anew.
func (b *Broker) readAllConfigs(ctx context.Context) error {
	topics, err := b.zk.Configs(ctx, "topics")
	if err != nil {
		return fmt.Errorf("read topic configs from zookeeper: %w", err)
	}
	for topic, overrides := range topics {
		b.replicas.SetTopicOverrides(topic, overrides)
	}
	if err := b.readGroupConfigs(ctx); err != nil {
		return err
	}
	return b.readDynamicConfig(ctx)
}
