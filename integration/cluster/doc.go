// Package cluster runs several brokers with a real ZooKeeper ensemble on one machine, as processes that can be killed and
// paused, and with every connection between them and from clients through a network that can fail.
//
//   - cluster.go  brokers (kbroker, Apache Kafka, or both), started together
//   - node.go     one broker: kill, pause, stop, restart
//   - look.go     what ZooKeeper knows of the cluster: controller, leaders, in-sync replicas
//   - tree.go     any znode; and who is to be the controller
//   - replicas.go what a partition's replicas have on disk
//   - network.go  links and what can be done to them
//   - door.go     the proxies
//   - source.go   who connects to a proxy
//
// # What can fail
//
// Every broker has two listeners: INTERNAL for its peers and EXTERNAL for clients. It advertises a proxy for each, and it is
// given a proxy for each server of the ensemble. A proxy learns from /proc which process has connected to it, so that each
// link has its own condition: from broker to broker, in each direction of connecting; from broker to ZooKeeper server; and
// from all clients to a broker. A link can be
//
//   - refused: connections are reset, and so are new ones, as by a firewall that rejects
//   - stalled: nothing passes in either direction, and nobody is told, as when a cable is pulled; when it heals, what was
//     sent meanwhile arrives, as TCP would see to
//   - slow: everything arrives later
//
// and its connections can be dropped once. The servers of the ensemble speak with each other directly: they are killed or
// paused instead. A connection is opened by one side, and so is cut by the condition of the link in that direction: a follower
// that cannot fetch may still be reached by the controller.
package cluster
