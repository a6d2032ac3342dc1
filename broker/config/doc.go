// Package config is every configuration key of Kafka 3.9 in ZooKeeper mode: its type,
// default, legal values, synonyms, update mode and documentation, and the effective values
// of this broker from flags, server.properties and ZooKeeper.
//
// It does not read flags or the environment, does not talk to ZooKeeper and does not know
// who acts on a value. Its callers hand in strings and get typed, immutable snapshots.
//
// # Levels
//
// A broker key has its value from the first of these that sets it:
//
//	/config/brokers/<id>       dynamic, this broker
//	/config/brokers/<default>  dynamic, all brokers
//	flags, server.properties   static
//	Kafka's default
//
// Synonyms share one value: log.retention.ms before log.retention.minutes before
// log.retention.hours on the same level, but any of them on a higher level before all of
// them on a lower one. A topic key falls back to its broker key (synonyms.go).
//
// # Files
//
//	definition.go  Definition, its types and the look-up by name
//	keys_*.go      the tables, one file per theme; reasons.go why a key has no effect
//	synonyms.go    which keys stand for the same value
//	value.go       strings to typed values and back, as Java writes them
//	legal.go       legal values and Kafka's messages for others; invalid.go their error
//	properties.go  reads a Java properties file
//	store.go       Store: start, dynamic updates, snapshots
//	effective.go   levels to effective values
//	broker.go      Broker, the typed snapshot; build.go fills it
//	listeners.go   listeners, advertised.listeners and their protocol map
//	rules.go       rules between broker keys; support.go what kbroker refuses or warns of
//	dynamic.go     checks of AlterConfigs on a broker
//	topic.go       Topic, its cache and the checks of topic overrides
//	describe.go    DescribeConfigs
//	list.go        what kbroker config prints; markdown.go the tables of the docs
//
// # Invariants
//
// A snapshot is never changed once it is published, so readers take no lock. Tables are
// never changed at all. The texts of errors that go to clients are Kafka's: admin tools show
// and sometimes parse them. Passwords leave this package only through Broker and never in an
// error, a warning, an Entry or a list.
//
// To add a key, add a row to a table; to act on it, add a field to Broker and a line to
// build.go, and set its effect to Acts.
package config
