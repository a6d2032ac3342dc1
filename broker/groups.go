package broker

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/coordinator/group"
	"github.com/kbroker/kbroker/coordinator/group/assign"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/group/consumer"
	"github.com/kbroker/kbroker/coordinator/group/offsets"
	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/zkmeta"
)

const (
	groupTopic    = "__consumer_offsets"
	groupEntities = "groups" // the type of config znodes
	// regexRefresh is how long a subscription by regex may miss a new topic (Kafka: REGEX_BATCH_REFRESH_MIN_INTERVAL_MS).
	regexRefresh = 10 * time.Second
)

// buildGroups makes the group coordinator over the partitions of __consumer_offsets that are led here.
func (b *Broker) buildGroups(o Options) {
	b.settings = newGroupSettings(b.config)
	b.topics.cache = b.metadata
	b.journal = replica.NewJournal(b.replicas, replica.JournalOptions{
		Topic:          groupTopic,
		Codec:          func() record.Codec { return record.Codec(b.config.Broker().Groups.OffsetsCompression) },
		LoadBufferSize: func() int { return int(b.config.Broker().Groups.LoadBufferSize) },
		Logger:         o.Logger,
	})
	b.groups = group.New(group.Options{
		Journal:    b.journal,
		Partitions: b.groupPartitions,
		Config:     func() group.Config { return groupConfig(b.config.Broker()) },
		Consumer:   b.settings.of,
		Image:      func() consumer.Image { return b.topics.image() },
		EndOffset:  b.replicas.EndOffset,
		Registerer: o.Registry,
		Logger:     o.Logger,
	})
}

// leadershipChanged hands changes of the coordinators' topics to their coordinator.
func (b *Broker) leadershipChanged(topic string, partition, leaderEpoch int32, leading bool) {
	if topic == groupTopic {
		b.groups.LeadershipChanged(partition, leaderEpoch, leading)
	}
}

// metadataChanged tells the groups when the topics are others than before, or partitions are gone.
func (b *Broker) metadataChanged(deleted map[string][]int32) {
	if b.topics.moved() || len(deleted) > 0 {
		b.groups.TopicsChanged(deleted)
	}
}

// groupPartitions is 0 while the topic does not exist.
func (b *Broker) groupPartitions() int32 {
	return *b.partitions.of(b.metadata.Load(), func(i *metadata.Image) int32 {
		t, ok := i.Topic(groupTopic)
		if !ok {
			return 0
		}
		return int32(len(t.Partitions))
	})
}

func groupConfig(c *config.Broker) group.Config {
	return group.Config{
		Classic: classic.Config{
			MinSessionTimeout:     c.Groups.MinSessionTimeout,
			MaxSessionTimeout:     c.Groups.MaxSessionTimeout,
			InitialRebalanceDelay: c.Groups.InitialRebalanceDelay,
			MaxSize:               c.Groups.MaxSize,
			NewID:                 randomUUID,
		},
		Offsets:          offsets.Config{MetadataMaxBytes: c.Groups.OffsetMetadataMaxBytes, Retention: c.Groups.OffsetsRetention},
		CommitTimeout:    c.Groups.CommitTimeout,
		RetentionCheck:   c.Groups.OffsetsRetentionCheck,
		ConsumerProtocol: c.Groups.ConsumerProtocol,
	}
}

// randomUUID is a random UUID (version 4), as Java writes it.
func randomUUID() string {
	id := randomID()
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// randomShortID is a random UUID in Kafka's own form, which never begins with a dash (Uuid.java).
func randomShortID() string {
	for {
		id := randomID()
		if s := base64.RawURLEncoding.EncodeToString(id[:]); s[0] != '-' {
			return s
		}
	}
}

func randomID() (id [16]byte) {
	_, _ = rand.Read(id[:]) // it never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// groupSettings is the settings of consumer groups: the broker's, and those that some groups have of their own. Safe for
// concurrent use.
type groupSettings struct {
	store *config.Store

	mu        sync.RWMutex
	overrides map[string]map[string]string // by group
	made      map[string]*consumer.Config  // of those groups, and of all others under no name
	from      *config.Broker               // what made was made of
}

func newGroupSettings(store *config.Store) *groupSettings {
	return &groupSettings{store: store, overrides: map[string]map[string]string{}, made: map[string]*consumer.Config{}}
}

// of returns the settings of a group; the same ones until they change.
func (s *groupSettings) of(name string) *consumer.Config {
	now := s.store.Broker()
	s.mu.RLock()
	key := name
	if s.overrides[name] == nil {
		key = ""
	}
	c := s.made[key]
	if s.from != now {
		c = nil
	}
	s.mu.RUnlock()
	if c != nil {
		return c
	}
	return s.make(name)
}

func (s *groupSettings) make(name string) *consumer.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.store.Broker(); s.from != now {
		s.from = now
		clear(s.made)
	}
	key, overrides := name, s.overrides[name]
	if overrides == nil {
		key = ""
	}
	g := &s.from.Groups.Consumer
	times := s.store.GroupTimes(overrides)
	c := &consumer.Config{
		SessionTimeout: times.SessionTimeout, HeartbeatInterval: times.HeartbeatInterval, MaxSize: g.MaxSize,
		Upgrade: g.Upgrade, Downgrade: g.Downgrade, RegexRefresh: regexRefresh, NewID: randomShortID,
	}
	for _, a := range g.Assignors {
		if a == assign.Range().Name() {
			c.Assignors = append(c.Assignors, assign.Range())
		} else {
			c.Assignors = append(c.Assignors, assign.Uniform())
		}
	}
	s.made[key] = c
	return c
}

// set replaces what a group has of its own; nil: nothing.
func (s *groupSettings) set(name string, overrides map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.made, name)
	if len(overrides) == 0 {
		delete(s.overrides, name)
		return
	}
	s.overrides[name] = maps.Clone(overrides)
}

// setAll replaces what all groups have.
func (s *groupSettings) setAll(all map[string]map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.made)
	s.overrides = all
}

// readGroupConfig applies the config znode of one group.
func (b *Broker) readGroupConfig(ctx context.Context, e zkmeta.Entity) error {
	name, err := zkmeta.Desanitize(e.Name)
	if err != nil {
		return fmt.Errorf("read the name of a group: %w", err)
	}
	overrides, err := b.zk.Config(ctx, e)
	if err != nil {
		return err
	}
	b.settings.set(name, overrides)
	b.groups.ConfigChanged(name)
	b.log.Info("group config changed", zap.String("group", name))
	return nil
}

// readGroupConfigs applies the config znodes of all groups.
func (b *Broker) readGroupConfigs(ctx context.Context) error {
	configs, err := b.zk.Configs(ctx, groupEntities)
	if err != nil {
		return fmt.Errorf("read group configs from zookeeper: %w", err)
	}
	all := make(map[string]map[string]string, len(configs))
	for sanitized, overrides := range configs {
		if name, err := zkmeta.Desanitize(sanitized); err == nil && len(overrides) > 0 {
			all[name] = overrides
		}
	}
	b.settings.setAll(all)
	b.groups.ConfigChanged("")
	return nil
}
