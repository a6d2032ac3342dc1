// Package metadata is the broker's picture of the cluster: who is alive, who is controller, and who leads what.
//
// The controller sends the picture piece by piece in UpdateMetadata requests (Kafka: ZkMetadataCache.scala). A Cache
// turns each of them into the next Image and publishes it behind an atomic pointer, so that readers take no lock and
// see one moment of the cluster, never half of a change.
//
// The package must not know requests, ZooKeeper or the replicas that this broker hosts: broker/api translates.
//
//	image.go  Broker, Topic, Partition and the Image that holds them
//	cache.go  Cache: how an Update makes the next Image
//
// Invariants:
//
//   - Nothing that an Image reaches is ever written after the Image was published. An Update gives its slices away.
//   - A Topic in an Image has at least one partition; a topic id, when not zero, leads to exactly one topic.
//   - An Apply copies only the shards of the topic maps that change: one topic created among ten thousand costs a
//     few dozen map entries, not ten thousand.
//   - Never keep an Image across a wait: it would show a cluster of the past.
package metadata
