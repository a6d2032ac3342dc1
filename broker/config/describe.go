package config

import (
	"maps"
	"slices"
)

// Entry is a key as DescribeConfigs shows it.
type Entry struct {
	Name      string
	Value     *string // nil: null, or sensitive
	Source    Source
	ReadOnly  bool
	Sensitive bool
	Type      int8 // DescribeConfigs' ConfigType
	Doc       string
	Synonyms  []Synonym // in the order of precedence, the effective one first
}

// Synonym is one of the values that a key could have.
type Synonym struct {
	Name   string
	Value  *string // nil: sensitive
	Source Source
}

// DescribeTopic and DescribeBroker list every key, by name; names nil or empty means all.
// DescribeDefaultBroker lists only the cluster-wide dynamic ones. They show what Kafka's
// ConfigHelper shows, oddities included: a key whose synonym of lower precedence is set counts as
// default (log.retention.ms beside log.retention.hours), and keys that Kafka does not know are
// listed without value.
func (s *Store) DescribeTopic(overrides map[string]string, names []string) []Entry {
	now := s.current.Load()
	vs := now.topics.with(overrides)
	all := maps.Clone(overrides) // with keys that are none of Kafka's
	if all == nil {
		all = make(map[string]string)
	}
	for name, v := range vs {
		all[name] = v.text
	}
	entries := make([]Entry, 0, len(all))
	for _, name := range wanted(all, names) {
		e := Entry{Name: name, Source: SourceDefault, Sensitive: true}
		if k := topicTable.byName[name]; k != nil {
			e.Type, e.Doc, e.Sensitive = int8(k.kind), k.doc, sensitive(k.kind)
		}
		e.Value = visible(all[name], e.Sensitive)
		if synonyms := topicSynonyms[name]; len(synonyms) > 0 {
			e.Synonyms = now.synonyms(synonyms[0], e.Sensitive)
		}
		if raw, ok := overrides[name]; ok && validOverride(name, raw) {
			e.Synonyms = slices.Insert(e.Synonyms, 0, Synonym{Name: name, Value: e.Value, Source: SourceTopic})
		}
		if len(e.Synonyms) > 0 {
			e.Source = e.Synonyms[0].Source
		}
		entries = append(entries, e)
	}
	return entries
}

// validOverride is false for the overrides that with leaves out.
func validOverride(name, raw string) bool {
	k := topicTable.byName[name]
	if k == nil {
		return true
	}
	_, bad := k.parse(raw)
	return bad == nil
}

// DescribeBroker: see DescribeTopic.
func (s *Store) DescribeBroker(names []string) []Entry {
	now := s.current.Load()
	all := maps.Clone(now.effective)
	for name, v := range now.values {
		if _, given := all[name]; given && internal(name) || !given && !listed(name) {
			continue
		}
		all[name] = v.text
	}
	entries := make([]Entry, 0, len(all))
	for _, name := range wanted(all, names) {
		e := brokerEntry(name, all[name])
		if v, ok := now.values[name]; ok && !v.set {
			e.Value = nil
		}
		e.Synonyms = now.synonyms(name, e.Sensitive)
		if len(e.Synonyms) > 0 {
			e.Source = e.Synonyms[0].Source
		}
		entries = append(entries, e)
	}
	return entries
}

// listed tells whether a broker key is shown though it is not set.
func listed(name string) bool {
	return !internal(name) && brokerTable.byName[name].static()
}

// DescribeDefaultBroker: see DescribeTopic.
func (s *Store) DescribeDefaultBroker(names []string) []Entry {
	now := s.current.Load()
	entries := make([]Entry, 0, len(now.levels.clusterWide))
	for _, name := range wanted(now.levels.clusterWide, names) {
		e := brokerEntry(name, now.levels.clusterWide[name])
		for _, synonym := range now.synonyms(name, e.Sensitive) {
			if synonym.Source == SourceDynamicDefaultBroker {
				e.Synonyms = append(e.Synonyms, synonym)
			}
		}
		if len(e.Synonyms) > 0 {
			e.Source = e.Synonyms[0].Source
		}
		entries = append(entries, e)
	}
	return entries
}

// brokerEntry is an Entry without synonyms.
func brokerEntry(name, text string) Entry {
	kind := brokerType(name)
	e := Entry{
		Name: name, Source: SourceDefault, ReadOnly: true,
		Sensitive: sensitive(kind), Type: int8(kind),
	}
	e.Value = visible(text, e.Sensitive)
	if k := brokerTable.byName[name]; k != nil {
		e.ReadOnly, e.Doc = !k.dynamic(), k.doc
	}
	return e
}

func visible(text string, hidden bool) *string {
	if hidden {
		return nil
	}
	return &text
}

// wanted lists the names asked for, or all, sorted.
func wanted(all map[string]string, names []string) []string {
	sorted := sortedKeys(all)
	if len(names) == 0 {
		return sorted
	}
	return slices.DeleteFunc(sorted, func(name string) bool { return !slices.Contains(names, name) })
}

// synonyms lists the values that a broker key could have: per level, by precedence, from the
// first one of its own name on.
func (n *snapshot) synonyms(name string, hidden bool) []Synonym {
	names := describedSynonyms(name)
	var all []Synonym
	for _, level := range []struct {
		source Source
		raw    func(name string) (string, bool)
	}{
		{SourceDynamicBroker, in(n.levels.perBroker)},
		{SourceDynamicDefaultBroker, in(n.levels.clusterWide)},
		{SourceStatic, in(n.levels.static)},
		{SourceDefault, brokerDefault},
	} {
		for _, s := range names {
			if raw, ok := level.raw(s); ok {
				all = append(all, Synonym{Name: s, Value: visible(raw, hidden), Source: level.source})
			}
		}
	}
	own := slices.IndexFunc(all, func(s Synonym) bool { return s.Name == name })
	if own < 0 {
		return nil
	}
	return all[own:]
}

func in(level map[string]string) func(name string) (string, bool) {
	return func(name string) (string, bool) {
		raw, ok := level[name]
		return raw, ok
	}
}

// brokerDefault is the default of a key, unless that is null.
func brokerDefault(name string) (string, bool) {
	k := brokerTable.byName[name]
	if k == nil || k.standard == null || !k.static() {
		return "", false
	}
	return k.standard, true
}
