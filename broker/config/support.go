package config

import (
	"fmt"
	"strings"
)

// refusals lists the static settings that ask for something that kbroker does not do and that
// would be dangerous to do without: KRaft, encryption, authorization, tiered data.
func refusals(vs values, static map[string]string) []*Invalid {
	var refused []*Invalid
	for _, name := range brokerTable.names {
		k := brokerTable.byName[name]
		_, given := static[name]
		if k.effect != Refused || !given || k.harmless(vs.get(name)) {
			continue
		}
		refused = append(refused, &Invalid{Key: name, Value: vs.text(name), Message: refusal(k, vs.text(name))})
	}
	for _, name := range sortedKeys(static) {
		if name == "config.providers" && trim(static[name]) != "" {
			refused = append(refused, &Invalid{
				Key: name, Value: static[name],
				Message: "config.providers is not supported: values of the form ${provider:...} would be taken as they stand; write the values themselves",
			})
		}
	}
	return refused
}

// harmless tells whether a value is the default, or empty, which turns a class or list off.
func (k *key) harmless(v value) bool { return k.isDefault(v) || v.text == "" }

func (k *key) isDefault(v value) bool {
	standard := k.standardValue()
	return standard.set == v.set && standard.text == v.text
}

func refusal(k *key, text string) string {
	switch k.name {
	case "process.roles":
		return fmt.Sprintf("process.roles=%s: kbroker has no KRaft mode; it runs as a broker on ZooKeeper: remove the key and set zookeeper.connect", text)
	case "zookeeper.metadata.migration.enable":
		return "zookeeper.metadata.migration.enable=true: kbroker cannot take part in a migration to KRaft; remove the key, or migrate without kbroker in the cluster"
	}
	return fmt.Sprintf("%s=%s: %s; remove the key to run without it", k.name, text, k.why)
}

// refusedListeners lists the listeners whose protocol is not there yet.
func refusedListeners(b *Broker, vs values) []*Invalid {
	var refused []*Invalid
	for _, e := range b.Listeners {
		if e.Protocol == "PLAINTEXT" {
			continue
		}
		what := "SASL is"
		switch e.Protocol {
		case "SSL":
			what = "TLS is"
		case "SASL_SSL":
			what = "TLS and SASL are"
		}
		refused = append(refused, &Invalid{
			Key: "listeners", Value: vs.text("listeners"),
			Message: fmt.Sprintf("listeners: %s uses %s by listener.security.protocol.map, and %s not yet supported; only PLAINTEXT is",
				e.Listener, e.Protocol, what),
		})
	}
	return refused
}

// foreignPrefixes begin keys that Kafka hands on to plug-ins, with the reason why they have
// no effect here.
var foreignPrefixes = []struct{ prefix, why string }{
	{"super.users", whyACL},
	{"allow.everyone.if.no.acl.found", whyACL},
	{"config.providers", "configuration providers are not supported"},
	{"rsm.config.", whyTiered},
	{"rlmm.config.", whyTiered},
	{"metrics.jmx.", whyMetrics},
	{"kafka.csv.metrics.", whyMetrics},
}

// deprecated keys, with what to use instead.
var deprecated = map[string]string{
	"log.message.timestamp.difference.max.ms": "use log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms",
	"offsets.commit.required.acks":            "leave it at -1",
	"delegation.token.master.key":             "use delegation.token.secret.key",
}

// warnings has one sentence for each static setting that does not do what its writer may expect.
func warnings(static map[string]Setting, vs values, b *Broker) []string {
	var all []string
	for _, name := range sortedKeys(static) {
		if w := warning(name, static, vs, b); w != "" {
			all = append(all, at(static[name].Origin, w))
		}
	}
	return all
}

func warning(name string, static map[string]Setting, vs values, b *Broker) string {
	k := brokerTable.byName[name]
	switch {
	case k == nil:
		return unknownKey(name, b)
	case !k.static():
		return name + " can only be set at run time, with kafka-configs; here it has no effect"
	case deprecated[name] != "":
		return name + " is deprecated: " + deprecated[name]
	case k.harmless(vs.get(name)):
		return ""
	case k.effect == NoEffect:
		return k.assignment(vs) + " has no effect: " + k.why
	case k.effect == Later:
		return k.assignment(vs) + " has no effect yet: " + k.why
	}
	for _, stronger := range strongerThan(name) {
		if _, given := static[stronger]; given {
			return fmt.Sprintf("%s is not used, because %s is set", k.assignment(vs), stronger)
		}
	}
	return ""
}

// assignment is key=value, without the value of a password.
func (k *key) assignment(vs values) string {
	if k.kind == Password {
		return k.name
	}
	return k.name + "=" + vs.text(k.name)
}

// strongerThan lists the keys that, when set, take the place of name.
func strongerThan(name string) []string {
	switch name {
	case "log.dir":
		return []string{"log.dirs"}
	case "log.flush.scheduler.interval.ms":
		return nil
	}
	synonyms := brokerSynonyms(name)
	for i, s := range synonyms {
		if s == name {
			return synonyms[:i]
		}
	}
	return nil
}

// unknownKey says what is wrong with a key that Kafka does not define for brokers.
func unknownKey(name string, b *Broker) string {
	if listener, base, ok := listenerKey(name); ok {
		return unknownListenerKey(name, listenerName(listener), base, b)
	}
	for _, f := range foreignPrefixes {
		if strings.HasPrefix(name, f.prefix) {
			return name + " has no effect: " + f.why
		}
	}
	if synonyms, ok := topicSynonyms[name]; ok {
		return fmt.Sprintf("%s is a key of topics and has no effect here; its default for all topics is %s", name, synonyms[0])
	}
	if near := nearest(name, brokerTable.names); near != "" {
		return fmt.Sprintf("unknown key %s has no effect; did you mean %s?", name, near)
	}
	return fmt.Sprintf("unknown key %s has no effect", name)
}

func unknownListenerKey(name, listener, base string, b *Broker) string {
	found := false
	for _, e := range b.Listeners {
		found = found || e.Listener == listener
	}
	switch k := brokerTable.byName[baseKey(name)]; {
	case !found:
		return fmt.Sprintf("%s has no effect: there is no listener %s in listeners", name, listener)
	case base == "max.connections" || base == "max.connection.creation.rate":
		return ""
	case k == nil:
		return fmt.Sprintf("unknown key %s has no effect", name)
	case k.effect == Acts:
		return fmt.Sprintf("%s has no effect: %s cannot be set for one listener", name, base)
	default:
		return fmt.Sprintf("%s has no effect: %s", name, k.why)
	}
}

// nearest finds the name with the fewest edits from a mistyped one, when they are few enough
// for its length to be more than chance.
func nearest(typed string, names []string) string {
	best, fewest := "", max(2, len(typed)/5)+1
	for _, name := range names {
		if gap := len(name) - len(typed); gap >= fewest || -gap >= fewest {
			continue
		}
		if d := editDistance(typed, name); d < fewest {
			best, fewest = name, d
		}
	}
	return best
}

// editDistance counts insertions, deletions and replacements of bytes (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// at puts an origin before a sentence.
func at(origin, sentence string) string {
	if origin == "" {
		return sentence
	}
	return origin + ": " + sentence
}
