package config

import "slices"

// Type is the type of a value; the numbers are DescribeConfigs'.
type Type int8

// The types of values. Short, Int and Long are 16, 32 and 64 bits, signed.
const (
	Unknown Type = iota
	Boolean
	String
	Int
	Short
	Long
	Double
	List // comma-separated
	Class
	Password
)

// String gives the name that Kafka's messages use.
func (t Type) String() string {
	names := [...]string{
		"UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD",
	}
	if t < 0 || int(t) >= len(names) {
		t = Unknown
	}
	return names[t]
}

// Importance tells how likely an operator has to think about a key.
type Importance int8

// The importances.
const (
	High Importance = iota
	Medium
	Low
)

func (i Importance) String() string { return [...]string{"HIGH", "MEDIUM", "LOW"}[i] }

// Update tells where a key may be changed while the broker runs (KIP-226).
type Update int8

// The update modes.
const (
	ReadOnly    Update = iota // only in server.properties, needs a restart
	PerBroker                 // for one broker
	ClusterWide               // for one broker or for all
	DynamicOnly               // for one broker or for all, and not in server.properties
	PerTopic                  // a topic key
	PerGroup                  // a key of single groups
)

func (u Update) String() string {
	return [...]string{"read-only", "per-broker", "cluster-wide", "dynamic-only", "topic", "group"}[u]
}

// Effect tells what a key does in kbroker.
type Effect int8

// The effects.
const (
	Acts     Effect = iota // as in Kafka
	Later                  // accepted and kept; the part that reads it is still to come
	NoEffect               // accepted and kept; there is nothing here that it could change
	Refused                // a value other than the default stops the start
)

func (e Effect) String() string {
	return [...]string{"takes effect", "effect comes later", "no effect", "refused"}[e]
}

// Definition is a key as Kafka 3.9 defines it, and what it does here.
type Definition struct {
	Name       string
	Type       Type
	Default    *string // nil: null
	Valid      string  // legal values as Kafka's documentation writes them; empty: any
	Importance Importance
	Update     Update
	// Synonyms are the broker keys that give this value, in the order of precedence:
	// those of the same setting in other units for a broker key, itself among them, and those
	// of the default for a topic key.
	Synonyms  []string
	Sensitive bool // never shown
	Internal  bool // Kafka lists it only when it is set
	Theme     string
	Doc       string
	Effect    Effect
	Why       string // reason of an effect other than Acts
}

// BrokerDefinitions lists every broker key in the order of the documentation, including the
// few that can only be set at run time and Kafka's internal ones.
func BrokerDefinitions() []Definition { return definitions(brokerSections()) }

// TopicDefinitions lists every topic key by name.
func TopicDefinitions() []Definition { return definitions([]*section{&topicKeys}) }

func definitions(sections []*section) []Definition {
	var all []Definition
	for _, s := range sections {
		for i := range s.keys {
			all = append(all, s.definition(&s.keys[i]))
		}
	}
	return all
}

// key is a row of the tables.
type key struct {
	name       string
	kind       Type
	standard   string // the default, or null
	valid      legal
	importance Importance
	update     Update
	effect     Effect
	why        string
	doc        string
}

// null as a default means that there is none; Kafka's documentation writes it in this way.
const null = "(null)"

// section is a table of keys of one theme.
type section struct {
	title string
	keys  []key
}

func (s *section) definition(k *key) Definition {
	d := Definition{
		Name: k.name, Type: k.kind, Valid: k.valid.text, Importance: k.importance, Update: k.update,
		Sensitive: k.kind == Password, Internal: s == &internalKeys, Theme: s.title,
		Doc: k.doc, Effect: k.effect, Why: k.why,
	}
	if k.standard != null {
		d.Default = &k.standard
	}
	switch s {
	case &topicKeys:
		d.Synonyms = slices.Clone(topicSynonyms[k.name])
	case &perGroupKeys:
		d.Synonyms = []string{groupSynonyms[k.name]}
	default:
		d.Synonyms = brokerSynonyms(k.name)
	}
	return d
}

func brokerSections() []*section {
	return []*section{
		&identityKeys, &networkKeys, &replicationKeys, &zookeeperKeys, &logKeys, &cleanerKeys, &groupKeys,
		&transactionKeys, &quotaKeys, &dynamicOnlyKeys, &securityKeys, &tieredKeys, &kraftKeys, &internalKeys,
	}
}

// brokerTable and topicTable find a row by its name.
var (
	brokerTable = tableOf(brokerSections())
	topicTable  = tableOf([]*section{&topicKeys})
)

// table is an index of rows, and their names in order.
type table struct {
	byName map[string]*key
	names  []string // sorted
}

func tableOf(sections []*section) table {
	t := table{byName: make(map[string]*key)}
	for _, s := range sections {
		for i := range s.keys {
			k := &s.keys[i]
			t.byName[k.name] = k
			t.names = append(t.names, k.name)
		}
	}
	slices.Sort(t.names)
	return t
}

// internal tells whether Kafka hides a broker key until it is set.
func internal(name string) bool { return internalTable.byName[name] != nil }

var internalTable = tableOf([]*section{&internalKeys})

// static tells whether a row may stand in server.properties.
func (k *key) static() bool { return k.update != DynamicOnly }

// dynamic tells whether Kafka lets a broker key change at run time. Those that can only be
// set at run time count as read-only when described, as in Kafka.
func (k *key) dynamic() bool { return k.update == PerBroker || k.update == ClusterWide }

// IsListKey tells whether APPEND and SUBTRACT apply to a key (IncrementalAlterConfigs).
func IsListKey(topic bool, name string) bool {
	t := brokerTable
	if topic {
		t = topicTable
	}
	k := t.byName[name]
	return k != nil && k.kind == List
}

// DefaultOf returns the default of a key as text, or "" when it is null or the key is unknown:
// the list to which APPEND and SUBTRACT apply while the key is not set.
func DefaultOf(topic bool, name string) string {
	t := brokerTable
	if topic {
		t = topicTable
	}
	if k := t.byName[name]; k != nil && k.standard != null {
		return k.standard
	}
	return ""
}
