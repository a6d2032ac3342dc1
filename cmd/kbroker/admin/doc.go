// Package admin is what people do with a cluster from the command line: topics, configurations, groups, reassignments,
// elections, records. All of it goes over the Kafka protocol, so it works on any Kafka; the package knows nothing of the broker
// in this binary, and must not.
//
//	command.go      flags and output that all commands share
//	connect.go      the client: which server to ask, and how long
//	arguments.go    flags after arguments
//	outcome.go      what became of what was asked for; errors with their remedies; exit codes
//	groups*.go      kbroker groups
//	topics*.go      kbroker topics
//	cluster*.go     kbroker cluster
//	configs*.go     kbroker configs
//	reassign*.go    kbroker reassign; what should move where is decided in package placement, which asks nobody
//	elect.go        kbroker elect-leaders
//	produce*.go     kbroker produce
//	consume*.go     kbroker consume
//
// Every command is a function of its flags and a client. What it found is a plain value with JSON tags: -o json prints that, and
// the table is written from it, so the two never say different things.
package admin
