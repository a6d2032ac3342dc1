package replica

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/config"
)

// topic is what the hosted partitions of a topic share. It lives as long as there is one of them.
type topic struct {
	name string
	// config is never nil. The pointer is set under Manager.configMu.
	config            atomic.Pointer[config.Topic]
	bytesIn, bytesOut atomic.Uint64

	// overrides are guarded by Manager.configMu; told is false until they were read or told.
	overrides map[string]string
	told      bool

	partitions []*Partition // in no order; guarded by Manager.mu
}

// readTopics makes the topics of states known and reads the overrides of those that this broker does not host yet. That is done
// before m.applyMu is taken: ZooKeeper may be out of reach while the controller is not, and then metadata and everything else
// that it tells of must still be heard. It returns which topics could not be read, and why.
func (m *Manager) readTopics(ctx context.Context, states []State) map[string]error {
	var untold []*topic
	seen := map[string]bool{}
	for i := range states {
		if name := states[i].Topic; !seen[name] {
			seen[name] = true
			if t := m.topicNamed(name); !m.told(t) {
				untold = append(untold, t)
			}
		}
	}
	errs := make([]error, len(untold))
	each(len(untold), func(i int) { errs[i] = m.loadTopic(ctx, untold[i]) })
	failed := map[string]error{}
	for i, err := range errs {
		if err != nil {
			failed[untold[i].name] = err
		}
	}
	return failed
}

// findTopics finds the topic of every change. The configuration of a log must be that of the topic from its first record
// on: a compacted topic never takes a record without a key. So changes of a topic that could not be read fail. One that
// was forgotten since it was read is read here.
func (m *Manager) findTopics(ctx context.Context, changes []change, unread map[string]error, errs []error) {
	for i := range changes {
		c := &changes[i]
		c.topic = m.topicNamed(c.state.Topic)
		if m.told(c.topic) {
			continue
		}
		if unread[c.topic.name] == nil {
			unread[c.topic.name] = m.loadTopic(ctx, c.topic)
		}
		errs[c.at] = unread[c.topic.name]
	}
}

func (m *Manager) told(t *topic) bool {
	m.configMu.Lock()
	defer m.configMu.Unlock()
	return t.told
}

// topicNamed finds a topic, making one with the default configuration when there is none.
func (m *Manager) topicNamed(name string) *topic {
	m.mu.RLock()
	t := m.topics[name]
	m.mu.RUnlock()
	if t != nil {
		return t
	}
	t = &topic{name: name}
	m.configMu.Lock()
	defer m.configMu.Unlock()
	t.config.Store(m.effective(nil))
	m.mu.Lock()
	defer m.mu.Unlock()
	if other := m.topics[name]; other != nil {
		return other // made meanwhile
	}
	m.topics[name] = t
	return t
}

func (m *Manager) loadTopic(ctx context.Context, t *topic) error {
	overrides, err := m.topicOverrides(ctx, t.name)
	if err != nil {
		return fmt.Errorf("read configuration of topic %q: %w", t.name, err)
	}
	m.configMu.Lock()
	defer m.configMu.Unlock()
	if !t.told {
		// Else a change was told meanwhile, which is newer than what was read.
		t.told, t.overrides = true, overrides
		t.config.Store(m.effective(overrides))
	}
	return nil
}

// effective gives a topic's configuration. Topics without overrides share one: most have none, and there are many.
// m.configMu is held.
func (m *Manager) effective(overrides map[string]string) *config.Topic {
	if len(overrides) > 0 {
		return m.env.config.Topic(overrides)
	}
	if m.defaults == nil {
		m.defaults = m.env.config.Topic(nil)
	}
	return m.defaults
}

// SetTopicOverrides is told by the config change listener. Topics that are not hosted are of no interest: their
// configuration is read when they are.
func (m *Manager) SetTopicOverrides(topic string, overrides map[string]string) {
	m.configMu.Lock()
	defer m.configMu.Unlock()
	m.mu.RLock()
	t := m.topics[topic]
	m.mu.RUnlock()
	if t == nil {
		return
	}
	t.told, t.overrides = true, overrides
	m.configure(t)
	m.log.Info("topic configuration changed", zap.String("topic", topic), zap.Int("overrides", len(overrides)))
}

// BrokerConfigChanged renews the configuration of every log after a dynamic change.
func (m *Manager) BrokerConfigChanged() {
	m.configMu.Lock()
	defer m.configMu.Unlock()
	m.defaults = nil
	m.mu.RLock()
	topics := make([]*topic, 0, len(m.topics))
	for _, t := range m.topics {
		topics = append(topics, t)
	}
	m.mu.RUnlock()
	for _, t := range topics {
		m.configure(t)
	}
}

// configure brings a topic's effective configuration to its logs. m.configMu is held.
func (m *Manager) configure(t *topic) {
	effective := m.effective(t.overrides)
	t.config.Store(effective)
	m.mu.RLock()
	partitions := slices.Clone(t.partitions)
	m.mu.RUnlock()
	for _, p := range partitions {
		p.configured(effective)
	}
}

// configured takes a new configuration: the log its part, and the high watermark may move when min.insync.replicas fell.
func (p *Partition) configured(c *config.Topic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.log == nil {
		return // apply looks again after it set the log
	}
	p.log.SetConfig(c.Log)
	if p.role == leader && p.advance() {
		p.wake(onAnything)
	}
}

// host makes a partition findable.
func (m *Manager) host(p *Partition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.partitions[p.name()]; ok {
		return
	}
	m.partitions[p.name()] = p
	p.place = len(p.topic.partitions)
	p.topic.partitions = append(p.topic.partitions, p)
}

// unhost forgets a partition, and its topic with the last one.
func (m *Manager) unhost(p *Partition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.partitions[p.name()] != p {
		return
	}
	delete(m.partitions, p.name())
	// The last one takes its place: a topic may have thousands, and all of them go when it is deleted.
	t := p.topic
	last := len(t.partitions) - 1
	moved := t.partitions[last]
	t.partitions[p.place], moved.place = moved, p.place
	t.partitions[last] = nil
	if t.partitions = t.partitions[:last]; last == 0 {
		delete(m.topics, t.name)
	}
}

// dropEmptyTopics forgets topics that readTopics made and none of whose partitions could be hosted.
func (m *Manager) dropEmptyTopics(states []State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range states {
		if t := m.topics[states[i].Topic]; t != nil && len(t.partitions) == 0 {
			delete(m.topics, t.name)
		}
	}
}
