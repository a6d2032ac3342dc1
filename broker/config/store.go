package config

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
)

// Source says where a value comes from; the numbers are DescribeConfigs'.
type Source int8

// The sources of a value, in the order of precedence within their level.
const (
	SourceUnknown              Source = 0
	SourceTopic                Source = 1
	SourceDynamicBroker        Source = 2
	SourceDynamicDefaultBroker Source = 3
	SourceStatic               Source = 4
	SourceDefault              Source = 5
	SourceGroup                Source = 8
)

// String names a source as Kafka's tools do.
func (s Source) String() string {
	names := [...]string{
		"UNKNOWN", "DYNAMIC_TOPIC_CONFIG", "DYNAMIC_BROKER_CONFIG", "DYNAMIC_DEFAULT_BROKER_CONFIG",
		"STATIC_BROKER_CONFIG", "DEFAULT_CONFIG", "DYNAMIC_BROKER_LOGGER_CONFIG", "DYNAMIC_CLIENT_METRICS_CONFIG",
		"DYNAMIC_GROUP_CONFIG",
	}
	if s < 0 || int(s) >= len(names) {
		s = SourceUnknown
	}
	return names[s]
}

// Store holds the configuration: static settings for good, dynamic ones as ZooKeeper last gave
// them. It may be used from several goroutines; reading takes no lock.
type Store struct {
	settings map[string]Setting // as given at start
	static   map[string]string  // the same, with node.id and broker.id copied to each other

	current atomic.Pointer[snapshot]

	// updating is held for a whole update, the calls of watchers included, so that they see
	// changes in their order.
	updating sync.Mutex
	watchers []func(changed []string) // guarded by updating
	brokerID int32                    // guarded by updating; negative while unknown
}

// snapshot is everything that holds at one moment. It is immutable, but for the cache.
type snapshot struct {
	levels    levels
	effective map[string]string // what is set, after the levels were laid over each other
	values    values            // of every broker key
	broker    *Broker
	topics    *topics
}

// NewStore makes a Store of the settings given at start. Warnings are one sentence each:
// unknown keys with the nearest known one, known but without effect here, deprecated ones.
// An error names every bad key (*Invalid, joined), with the origin of each.
func NewStore(static map[string]Setting) (s *Store, warns []string, err error) {
	s = &Store{settings: maps.Clone(static), static: make(map[string]string), brokerID: -1}
	for name, setting := range static {
		if k := brokerTable.byName[name]; k == nil || k.static() {
			s.static[name] = setting.Value
		}
	}
	s.static = withNodeID(s.static)

	vs, broken := parseBroker(s.static)
	if len(broken) == 0 {
		// What is refused comes first: rules such as a missing zookeeper.connect would mislead
		// whoever starts with a KRaft configuration.
		broken = refusals(vs, s.static)
	}
	if len(broken) > 0 {
		return nil, nil, s.originated(broken)
	}
	now, broken := s.snapshot(levels{static: s.static}, true)
	if len(broken) > 0 {
		return nil, nil, s.originated(broken)
	}
	s.current.Store(now)
	return s, warnings(static, now.values, now.broker), nil
}

// originated joins errors, each with the place of its key.
func (s *Store) originated(broken []*Invalid) error {
	errs := make([]error, len(broken))
	for i, bad := range broken {
		errs[i] = bad
		if origin := s.settings[bad.Key].Origin; origin != "" {
			errs[i] = fmt.Errorf("%s: %w", origin, bad)
		}
	}
	return errors.Join(errs...)
}

// snapshot computes what holds with these levels. Without error-free levels there is none.
func (s *Store) snapshot(l levels, atStart bool) (*snapshot, []*Invalid) {
	effective := l.effective()
	vs, broken := parseBroker(effective)
	if len(broken) > 0 {
		return nil, broken
	}
	b, broken := buildBroker(vs, effective)
	if len(broken) > 0 {
		return nil, broken
	}
	if s.brokerID >= 0 {
		b.BrokerID = s.brokerID
	}
	broken = append(refusedListeners(b, vs), checkRules(b, vs, atStart)...)
	if len(broken) > 0 {
		return nil, broken
	}
	return &snapshot{levels: l, effective: effective, values: vs, broker: b, topics: newTopics(vs, b)}, nil
}

// Broker returns the effective configuration of now.
func (s *Store) Broker() *Broker { return s.current.Load().broker }

// SetBrokerID fixes broker.id once it is known (generated or read from meta.properties). As in
// Kafka, descriptions go on showing what was configured.
func (s *Store) SetBrokerID(id int32) {
	s.updating.Lock()
	defer s.updating.Unlock()
	s.brokerID = id
	next := *s.current.Load()
	b := *next.broker
	b.BrokerID = id
	next.broker = &b
	s.current.Store(&next)
}

// SetDynamic replaces the dynamic settings: those of this broker (/config/brokers/<id>) and the
// cluster-wide ones (/config/brokers/<default>). Values that are invalid are left out and
// returned as errors, as Kafka goes on with what it had. When settings break a rule between
// them, their level stays as it was. changed lists keys whose effective value changed, sorted.
func (s *Store) SetDynamic(perBroker, clusterWide map[string]string) (changed []string, err error) {
	s.updating.Lock()
	defer s.updating.Unlock()
	before := s.current.Load()
	mine, broken := usable(perBroker, true)
	all, unusable := usable(clusterWide, false)
	broken = append(broken, unusable...)

	next := before.levels
	next.clusterWide, next.perBroker = all, mine
	after, faults := s.snapshot(next, false)
	if len(faults) > 0 {
		broken = append(broken, faults...)
		after = s.levelByLevel(before, all, mine)
	}
	s.current.Store(after)
	if changed = changes(before, after); len(changed) > 0 {
		for _, f := range s.watchers {
			f(changed)
		}
	}
	return changed, joined(broken)
}

// levelByLevel takes the levels on their own, as Kafka does, when they do not go together.
func (s *Store) levelByLevel(now *snapshot, clusterWide, perBroker map[string]string) *snapshot {
	next := now.levels
	next.clusterWide = clusterWide
	if after, faults := s.snapshot(next, false); len(faults) == 0 {
		now = after
	}
	next = now.levels
	next.perBroker = perBroker
	if after, faults := s.snapshot(next, false); len(faults) == 0 {
		now = after
	}
	return now
}

// OnChange registers f to be called after the effective broker configuration changed. f may
// read the Store but not update it, and should return soon.
func (s *Store) OnChange(f func(changed []string)) {
	s.updating.Lock()
	defer s.updating.Unlock()
	s.watchers = append(s.watchers, f)
}
