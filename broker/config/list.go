package config

// Effective is a broker key with its value of now, as kbroker config prints it.
type Effective struct {
	Definition
	Value  string // "[hidden]" for a password that is set; empty for null
	Null   bool
	Source Source
	Origin string // file:line or flag of a static value
}

// List gives every broker key that can be set at start, in the order of the documentation, with
// the value that holds now and where it comes from. A value that comes from a synonym has the
// synonym's origin.
func (s *Store) List() []Effective {
	now := s.current.Load()
	var all []Effective
	for _, d := range BrokerDefinitions() {
		if d.Update == DynamicOnly || d.Internal && !now.isSet(d.Name) {
			continue
		}
		v := now.values.get(d.Name)
		e := Effective{Definition: d, Value: v.text, Null: !v.set, Source: SourceDefault}
		if d.Sensitive && v.set {
			e.Value = "[hidden]"
		}
		e.Source, e.Origin = s.source(now, d.Name)
		all = append(all, e)
	}
	return all
}

func (n *snapshot) isSet(name string) bool {
	_, ok := n.effective[name]
	return ok
}

// source finds the level that sets a key under its own name.
func (s *Store) source(now *snapshot, name string) (source Source, origin string) {
	switch {
	case !now.isSet(name):
		return SourceDefault, ""
	case has(now.levels.perBroker, name):
		return SourceDynamicBroker, ""
	case has(now.levels.clusterWide, name):
		return SourceDynamicDefaultBroker, ""
	}
	setting, ok := s.settings[name]
	if !ok { // broker.id and node.id stand for each other
		setting = s.settings[map[string]string{"broker.id": "node.id", "node.id": "broker.id"}[name]]
	}
	return SourceStatic, setting.Origin
}

func has(level map[string]string, name string) bool {
	_, ok := level[name]
	return ok
}
