package exact

// books are all that is asked.
func books() []book { return []book{zookeeper(), kraft()} }

// zookeeper is what Kafka 3.9 was asked, with ZooKeeper.
func zookeeper() book {
	return book{
		release: "3.9.2",
		config: map[string]string{
			"auto.create.topics.enable": "false", "log.cleaner.enable": "false",
			"producer.id.expiration.ms": "86400000", "group.initial.rebalance.delay.ms": "0", "transaction.state.log.min.isr": "1",
		},
		known: knownOfZooKeeper(),
		chapters: []chapter{
			{"ApiVersions", askAPIVersions},
			{"Versions", askVersions(comparedAPIs())},
			{"CreateTopics", askCreateTopics},
			{"Metadata", askMetadata},
			{"CreatePartitions", askCreatePartitions},
			{"Reassignments", askReassignments},
			{"Elections", askElections},
			{"LogDirMoves", askLogDirMoves},
			{"Brokers", askBrokers},
			{"Features", askFeatures},
			{"DescribeConfigs", askDescribeConfigs},
			{"AlterConfigs", askAlterConfigs},
			{"InitProducerId", askInitProducerID},
			{"Produce", askProduce},
			{"ListOffsets", askListOffsets},
			{"Fetch", askFetch},
			{"Records", askRecords},
			{"Cluster", askCluster},
			{"FindCoordinator", askFindCoordinator},
			{"Memberships", askMemberships},
			{"StaticMembers", askStatics},
			{"Groups", askWrongGroups},
			{"GroupStory", askGroupStory},
			{"ProducerStory", askProducerStory},
			{"TopicStory", askTopicStory},
			{"DeleteTopics", askDeleteTopics},
			{"Malformed", askMalformed(comparedAPIs())},
			{"NewGroupProtocol", askNewProtocol},
		},
	}
}

// kraft is what Kafka 4.3 was asked, of what Kafka 3.9 does not have with ZooKeeper.
func kraft() book {
	return book{
		release: "4.3.0",
		config: map[string]string{
			"auto.create.topics.enable": "false", "log.cleaner.enable": "false", "group.initial.rebalance.delay.ms": "0",
			"offsets.topic.num.partitions": "3",
		},
		// Since 4.3 Kafka computes an assignment only every second, unless it is told to do it at once.
		kafkas: map[string]string{"group.consumer.min.assignment.interval.ms": "0", "group.consumer.assignment.interval.ms": "0"},
		known:  knownOfKRaft(),
		chapters: []chapter{
			{"Versions", askVersions(raftAPIs())},
			{"Topics", askRaftTopics},
			{"TopicPages", askTopicPages},
			{"Resources", askResources},
			{"FindCoordinator", askCoordinator},
			{"Consumers", askConsumers},
			{"WrongConsumers", askWrongConsumers},
			{"StaticConsumers", askStaticConsumers},
			{"Malformed", askMalformed(raftAPIs())},
		},
	}
}
