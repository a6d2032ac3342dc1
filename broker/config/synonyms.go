package config

import "strings"

// topicSynonyms names the broker keys that give a topic key its default, in the order of
// precedence (ServerTopicConfigSynonyms.java).
var topicSynonyms = map[string][]string{
	"cleanup.policy":                      {"log.cleanup.policy"},
	"compression.gzip.level":              {"compression.gzip.level"},
	"compression.lz4.level":               {"compression.lz4.level"},
	"compression.type":                    {"compression.type"},
	"compression.zstd.level":              {"compression.zstd.level"},
	"delete.retention.ms":                 {"log.cleaner.delete.retention.ms"},
	"file.delete.delay.ms":                {"log.segment.delete.delay.ms"},
	"flush.messages":                      {"log.flush.interval.messages"},
	"flush.ms":                            {"log.flush.interval.ms", "log.flush.scheduler.interval.ms"},
	"index.interval.bytes":                {"log.index.interval.bytes"},
	"local.retention.bytes":               {"log.local.retention.bytes"},
	"local.retention.ms":                  {"log.local.retention.ms"},
	"max.compaction.lag.ms":               {"log.cleaner.max.compaction.lag.ms"},
	"max.message.bytes":                   {"message.max.bytes"},
	"message.downconversion.enable":       {"log.message.downconversion.enable"},
	"message.format.version":              {"log.message.format.version"},
	"message.timestamp.after.max.ms":      {"log.message.timestamp.after.max.ms"},
	"message.timestamp.before.max.ms":     {"log.message.timestamp.before.max.ms"},
	"message.timestamp.difference.max.ms": {"log.message.timestamp.difference.max.ms"},
	"message.timestamp.type":              {"log.message.timestamp.type"},
	"min.cleanable.dirty.ratio":           {"log.cleaner.min.cleanable.ratio"},
	"min.compaction.lag.ms":               {"log.cleaner.min.compaction.lag.ms"},
	"min.insync.replicas":                 {"min.insync.replicas"},
	"preallocate":                         {"log.preallocate"},
	"retention.bytes":                     {"log.retention.bytes"},
	"retention.ms":                        {"log.retention.ms", "log.retention.minutes", "log.retention.hours"},
	"segment.bytes":                       {"log.segment.bytes"},
	"segment.index.bytes":                 {"log.index.size.max.bytes"},
	"segment.jitter.ms":                   {"log.roll.jitter.ms", "log.roll.jitter.hours"},
	"segment.ms":                          {"log.roll.ms", "log.roll.hours"},
	"unclean.leader.election.enable":      {"unclean.leader.election.enable"},
}

// brokerSynonyms lists the broker keys that share one value with name, in the order of
// precedence and with name among them (DynamicBrokerConfig.brokerConfigSynonyms).
func brokerSynonyms(name string) []string {
	switch name {
	case "log.roll.ms", "log.roll.hours":
		return []string{"log.roll.ms", "log.roll.hours"}
	case "log.roll.jitter.ms", "log.roll.jitter.hours":
		return []string{"log.roll.jitter.ms", "log.roll.jitter.hours"}
	case "log.flush.interval.ms": // the other way round they are two settings
		return []string{"log.flush.interval.ms", "log.flush.scheduler.interval.ms"}
	case "log.retention.ms", "log.retention.minutes", "log.retention.hours":
		return []string{"log.retention.ms", "log.retention.minutes", "log.retention.hours"}
	}
	return []string{name}
}

// listenerPrefix begins a key that is about one listener: listener.name.<listener>.<key>.
const listenerPrefix = "listener.name."

// listenerKey splits listener.name.<listener>.<key>.
func listenerKey(name string) (listener, base string, ok bool) {
	rest, ok := strings.CutPrefix(name, listenerPrefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, ".")
}

// baseKey is the key that a listener's key is about; keys per SASL mechanism are
// listener.name.<listener>.<mechanism>.<key>. Other keys are their own base.
func baseKey(name string) string {
	_, base, ok := listenerKey(name)
	if !ok {
		return name
	}
	for _, perMechanism := range []string{
		"sasl.jaas.config", "sasl.login.callback.handler.class", "sasl.login.class",
		"sasl.server.callback.handler.class", "connections.max.reauth.ms",
	} {
		if strings.HasSuffix(base, perMechanism) {
			return perMechanism
		}
	}
	return base
}

// describedSynonyms is brokerSynonyms with the base of a listener's key.
func describedSynonyms(name string) []string {
	if base := baseKey(name); base != name {
		return []string{name, base}
	}
	return brokerSynonyms(name)
}

// brokerType gives the type of a broker key, also of a listener's; Unknown for keys that
// Kafka does not define.
func brokerType(name string) Type {
	if k := brokerTable.byName[name]; k != nil {
		return k.kind
	}
	if k := brokerTable.byName[baseKey(name)]; k != nil {
		return k.kind
	}
	return Unknown
}

// sensitive tells whether a value must not be shown. What Kafka cannot type it hides, to be safe.
func sensitive(t Type) bool { return t == Unknown || t == Password }
