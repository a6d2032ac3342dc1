package config

import (
	"maps"
	"slices"
)

// levels are the strings that are set, by level. The dynamic ones are as Kafka keeps them:
// also keys that it does not know.
type levels struct {
	static      map[string]string
	clusterWide map[string]string
	perBroker   map[string]string
}

// effective lays the levels over each other. A key takes those with the same meaning off the
// levels below it (DynamicBrokerConfig.overrideProps): log.retention.hours in server.properties
// is gone once log.retention.ms is set for the cluster.
func (l levels) effective() map[string]string {
	all := maps.Clone(l.static)
	for _, level := range []map[string]string{l.clusterWide, l.perBroker} {
		for name := range level {
			for _, other := range brokerSynonyms(name) {
				// log.flush.scheduler.interval.ms is the default of log.flush.interval.ms but a setting
				// of its own: it stays.
				if slices.Contains(brokerSynonyms(other), name) {
					delete(all, other)
				}
			}
		}
		maps.Copy(all, level)
	}
	return all
}

// parseBroker parses every known broker key of effective; the others have their defaults.
func parseBroker(effective map[string]string) (values, []*Invalid) {
	var broken []*Invalid
	vs := make(values, len(brokerTable.names))
	for _, name := range brokerTable.names {
		k := brokerTable.byName[name]
		raw, ok := effective[name]
		if !ok {
			vs[name] = k.standardValue()
			continue
		}
		v, bad := k.parse(raw)
		if bad != nil {
			broken = append(broken, bad)
			continue
		}
		vs[name] = v
	}
	return vs, broken
}

// withNodeID copies broker.id to node.id or back: they are one setting with two names
// (KafkaConfig.populateSynonyms).
func withNodeID(static map[string]string) map[string]string {
	static = maps.Clone(static)
	if static == nil {
		static = make(map[string]string)
	}
	brokerID, hasBrokerID := static["broker.id"]
	nodeID, hasNodeID := static["node.id"]
	switch {
	case hasBrokerID && !hasNodeID:
		static["node.id"] = brokerID
	case hasNodeID && !hasBrokerID:
		static["broker.id"] = nodeID
	}
	return static
}

// changes lists the known keys whose value differs, and the others whose string does.
func changes(before, after *snapshot) []string {
	var changed []string
	for name, v := range after.values {
		old := before.values[name]
		if old.set != v.set || old.text != v.text {
			changed = append(changed, name)
		}
	}
	for _, pair := range [][2]map[string]string{{before.effective, after.effective}, {after.effective, before.effective}} {
		for name, raw := range pair[0] {
			other, ok := pair[1][name]
			if _, known := after.values[name]; !known && (!ok || other != raw) {
				changed = append(changed, name)
			}
		}
	}
	slices.Sort(changed)
	return slices.Compact(changed)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
