package config

import (
	"fmt"
	"slices"
	"strings"
)

// dynamicSecurity are the keys that can change at run time only for one listener
// (SslConfigs.RECONFIGURABLE_CONFIGS).
func dynamicSecurity(name string) bool {
	switch name {
	case "ssl.key.password", "ssl.keystore.certificate.chain", "ssl.keystore.key", "ssl.keystore.location",
		"ssl.keystore.password", "ssl.keystore.type", "ssl.truststore.certificates", "ssl.truststore.location",
		"ssl.truststore.password", "ssl.truststore.type":
		return true
	}
	return false
}

// notDynamic tells of a key of Kafka's that cannot change at run time. Keys that Kafka does not
// know may: plug-ins read them.
func notDynamic(name string) bool {
	k := brokerTable.byName[name]
	return k != nil && k.update == ReadOnly
}

// onlyPerBroker tells of a key that cannot be set for the whole cluster.
func onlyPerBroker(name string) bool {
	if _, base, ok := listenerKey(name); ok {
		return base != "max.connections" && base != "max.connection.creation.rate" && base != "num.network.threads"
	}
	k := brokerTable.byName[name]
	return k != nil && k.update == PerBroker
}

// parseDynamic checks one dynamic value by its type; of a listener's key the base counts.
func parseDynamic(name, raw string) *Invalid {
	_, base, ok := listenerKey(name)
	if !ok {
		base = name
	}
	k := brokerTable.byName[base]
	if k == nil || notDynamic(base) {
		return nil
	}
	_, bad := k.parse(raw)
	return bad
}

// usable leaves out of a level from ZooKeeper what cannot be used
// (DynamicBrokerConfig.fromPersistentProps). Passwords stay encrypted.
func usable(level map[string]string, perBroker bool) (map[string]string, []*Invalid) {
	kept := make(map[string]string, len(level))
	var broken []*Invalid
	leave := func(name, why string) {
		broken = append(broken, &Invalid{Key: name, Value: level[name], Message: fmt.Sprintf("dynamic setting %s is ignored: %s", name, why)})
	}
	for _, name := range sortedKeys(level) {
		switch bad := parseDynamic(name, level[name]); {
		case notDynamic(name):
			leave(name, "it can only change with a restart")
		case dynamicSecurity(name):
			leave(name, "it can only be set for one listener")
		case !perBroker && onlyPerBroker(name):
			leave(name, "it can only be set for one broker")
		case bad != nil:
			broken = append(broken, bad)
		default:
			kept[name] = level[name]
		}
	}
	return kept, broken
}

// ValidateDynamicBroker checks a new set of dynamic settings for this broker (perBroker) or the
// cluster, which are to replace all of that level. The error is an *Invalid with Kafka's text, which
// AlterConfigs answers with INVALID_REQUEST.
func (s *Store) ValidateDynamicBroker(settings map[string]string, perBroker bool) error {
	now := s.current.Load()
	bad := refuseDynamic(settings, now.levels, perBroker)
	if bad == nil {
		bad = s.tryDynamic(now, settings, perBroker)
	}
	if bad != nil { // a nil *Invalid is not a nil error
		return bad.answered()
	}
	return nil
}

// refuseDynamic checks names and types (DynamicBrokerConfig.validateConfigs).
func refuseDynamic(settings map[string]string, now levels, perBroker bool) *Invalid {
	names := sortedKeys(settings)
	if wrong := filter(names, notDynamic); len(wrong) > 0 {
		return refuseSet(wrong, "Cannot update these configs dynamically: Set")
	}
	if wrong := filter(names, dynamicSecurity); len(wrong) > 0 {
		return refuseSet(wrong, "These security configs can be dynamically updated only per-listener using the listener prefix: HashSet")
	}
	for _, name := range names {
		if bad := parseDynamic(name, settings[name]); bad != nil {
			return bad
		}
	}
	if wrong := filter(names, onlyPerBroker); len(wrong) > 0 && !perBroker {
		return refuseSet(wrong, "Cannot update these configs at default cluster level, broker id must be specified: Set")
	}
	for _, name := range names {
		if brokerType(name) == Password && settings[name] != now.perBroker[name] {
			return &Invalid{Key: name, Message: name + " cannot be set dynamically: " + whyTLS}
		}
	}
	return nil
}

func filter(names []string, want func(string) bool) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !want(name) })
}

func refuseSet(names []string, message string) *Invalid {
	return &Invalid{Key: names[0], Message: message + "(" + strings.Join(names, ", ") + ")"}
}

// tryDynamic checks the whole configuration as it would become.
func (s *Store) tryDynamic(now *snapshot, settings map[string]string, perBroker bool) *Invalid {
	next := now.levels
	if perBroker {
		next.perBroker = settings
	} else {
		next.clusterWide = settings
	}
	after, broken := s.snapshot(next, false)
	if len(broken) > 0 {
		return broken[0]
	}
	for _, check := range []func(before, after *snapshot) *Invalid{checkThreads, checkLocalRetention, checkListenerChange} {
		if bad := check(now, after); bad != nil {
			bad.Message = "Invalid value org.apache.kafka.common.config.ConfigException: " + bad.Message +
				" for configuration Invalid dynamic configuration" // so does Kafka
			return bad
		}
	}
	return nil
}

// checkThreads keeps pools from more than doubling or halving at once (DynamicThreadPool). There
// are no such pools here, but other brokers obey the same znode.
func checkThreads(before, after *snapshot) *Invalid {
	for _, name := range []string{"background.threads", "num.io.threads", "num.network.threads", "num.recovery.threads.per.data.dir", "num.replica.fetchers"} {
		old, now := before.values.int64(name), after.values.int64(name)
		problem := ""
		switch {
		case now == old:
			continue
		case now <= 0:
			problem = "value should be at least 1"
		case now < old/2:
			problem = fmt.Sprintf("value should be at least half the current value %d", old)
		case now > old*2:
			problem = fmt.Sprintf("value should not be greater than double the current value %d", old)
		default:
			continue
		}
		return &Invalid{
			Key: name, Value: after.values.text(name),
			Message: fmt.Sprintf("Dynamic thread count update validation failed for %s=%d, %s", name, now, problem),
		}
	}
	return checkCleanerThreads(before.broker.Cleaner.Threads, after.broker.Cleaner.Threads)
}

func checkCleanerThreads(old, now int32) *Invalid {
	bad := &Invalid{Key: "log.cleaner.threads", Value: fmt.Sprint(now)}
	switch {
	case now < old/2:
		bad.Message = fmt.Sprintf("Log cleaner threads cannot be reduced to less than half the current value %d", old)
	case int64(now) > 2*int64(old):
		bad.Message = fmt.Sprintf("Log cleaner threads cannot be increased to more than double the current value %d", old)
	default:
		return nil
	}
	return bad
}

// checkLocalRetention is DynamicLogConfig.validateReconfiguration.
func checkLocalRetention(_, after *snapshot) *Invalid {
	for _, pair := range []struct {
		local, total string
		limit        int64
	}{
		{"log.local.retention.ms", "log.retention.ms", after.values.retentionMillis()},
		{"log.local.retention.bytes", "log.retention.bytes", after.values.int64("log.retention.bytes")},
	} {
		local := after.values.int64(pair.local)
		problem := ""
		switch {
		case pair.limit < 0 || local == -2:
			continue
		case local == -1:
			problem = fmt.Sprintf("Value must not be -1 as %s value is set as %d.", pair.total, pair.limit)
		case local > pair.limit:
			problem = fmt.Sprintf("Value must not be more than %s property value: %d", pair.total, pair.limit)
		default:
			continue
		}
		return brokerTable.byName[pair.local].invalid(fmt.Sprint(local), problem)
	}
	return nil
}

// checkListenerChange is DynamicListenerConfig.validateReconfiguration as far as the rules at start
// do not say it already.
func checkListenerChange(before, after *snapshot) *Invalid {
	for _, now := range after.broker.Listeners {
		for _, old := range before.broker.Listeners {
			if now.Listener == old.Listener && now.Protocol != old.Protocol {
				return &Invalid{
					Key: "listener.security.protocol.map", Value: after.values.text("listener.security.protocol.map"),
					Message: fmt.Sprintf("Security protocol cannot be updated for existing listener ListenerName(%s)", now.Listener),
				}
			}
		}
	}
	return nil
}
