package config

import (
	"fmt"
	"maps"
	"strconv"
)

// Names of the server-side assignors.
const (
	uniformAssignor = "uniform"
	rangeAssignor   = "range"
)

// assignorNames reads group.consumer.assignors: names, as Kafka 4.x has them, or the classes of 3.9.
func assignorNames(items []string) []string {
	names := make([]string, len(items))
	for i, item := range items {
		switch item {
		case "org.apache.kafka.coordinator.group.assignor.UniformAssignor":
			item = uniformAssignor
		case "org.apache.kafka.coordinator.group.assignor.RangeAssignor":
			item = rangeAssignor
		}
		names[i] = item
	}
	return names
}

const (
	groupSession   = "consumer.session.timeout.ms"
	groupHeartbeat = "consumer.heartbeat.interval.ms"
)

// perGroupKeys may be set for single groups, at run time (GroupConfig.java of Kafka 4.x, without share groups).
var perGroupKeys = section{title: "Single consumer groups", keys: []key{
	{
		groupHeartbeat, Int, "5000", atLeast(1), Medium, PerGroup, Acts, "",
		"Heartbeat interval in milliseconds of the group's members.",
	},
	{
		groupSession, Int, "45000", atLeast(1), Medium, PerGroup, Acts, "",
		"Session timeout in milliseconds of the group's members.",
	},
}}

var groupTable = tableOf([]*section{&perGroupKeys})

// groupSynonyms names the broker keys that give a group's key its default.
var groupSynonyms = map[string]string{
	groupSession:   "group.consumer.session.timeout.ms",
	groupHeartbeat: "group.consumer.heartbeat.interval.ms",
}

// GroupDefinitions lists every key of single groups by name.
func GroupDefinitions() []Definition { return definitions([]*section{&perGroupKeys}) }

// ValidateGroup checks the whole new configuration of a group. The error is an *Invalid with Kafka's text, which
// AlterConfigs answers with INVALID_CONFIG.
func (s *Store) ValidateGroup(settings map[string]string) error {
	for _, name := range sortedKeys(settings) {
		k := groupTable.byName[name]
		if k == nil {
			return &Invalid{Key: name, Value: settings[name], Message: "Unknown group config name: " + name}
		}
		if _, bad := k.parse(settings[name]); bad != nil {
			return bad
		}
	}
	b := s.Broker().Groups.Consumer
	times := s.GroupTimes(settings)
	for _, rule := range []struct {
		ok            bool
		name, problem string
	}{
		{times.HeartbeatInterval >= b.MinHeartbeatInterval, groupHeartbeat, "greater than or equal to group.consumer.min.heartbeat.interval.ms"},
		{times.HeartbeatInterval <= b.MaxHeartbeatInterval, groupHeartbeat, "less than or equal to group.consumer.max.heartbeat.interval.ms"},
		{times.SessionTimeout >= b.MinSessionTimeout, groupSession, "greater than or equal to group.consumer.min.session.timeout.ms"},
		{times.SessionTimeout <= b.MaxSessionTimeout, groupSession, "less than or equal to group.consumer.max.session.timeout.ms"},
		{times.SessionTimeout > times.HeartbeatInterval, groupSession, "greater than " + groupHeartbeat},
	} {
		if !rule.ok {
			return &Invalid{Key: rule.name, Value: settings[rule.name], Message: fmt.Sprintf("%s must be %s", rule.name, rule.problem)}
		}
	}
	return nil
}

// GroupTimes are the times of a group with these overrides; those that cannot be read do not count.
func (s *Store) GroupTimes(overrides map[string]string) ConsumerTimes {
	times := s.Broker().Groups.Consumer.ConsumerTimes
	for name, raw := range overrides {
		k := groupTable.byName[name]
		if k == nil {
			continue
		}
		v, bad := k.parse(raw)
		switch {
		case bad != nil:
		case name == groupSession:
			times.SessionTimeout = millis(v.number)
		case name == groupHeartbeat:
			times.HeartbeatInterval = millis(v.number)
		}
	}
	return times
}

// DescribeGroup lists the keys of a group, by name; names nil or empty means all (ConfigHelper.scala of Kafka 4.x).
func (s *Store) DescribeGroup(overrides map[string]string, names []string) []Entry {
	now := s.current.Load()
	all := maps.Clone(overrides)
	if all == nil {
		all = make(map[string]string)
	}
	for _, name := range groupTable.names {
		if _, given := overrides[name]; !given {
			all[name] = strconv.FormatInt(now.values.int64(groupSynonyms[name]), 10)
		}
	}
	entries := make([]Entry, 0, len(all))
	for _, name := range wanted(all, names) {
		k := groupTable.byName[name]
		if k == nil {
			continue // another program's
		}
		value := all[name]
		e := Entry{Name: name, Value: &value, Source: SourceDefault, Type: int8(k.kind), Doc: k.doc}
		if _, given := overrides[name]; given {
			e.Source = SourceGroup
		}
		e.Synonyms = []Synonym{{Name: name, Value: &value, Source: e.Source}}
		entries = append(entries, e)
	}
	return entries
}
