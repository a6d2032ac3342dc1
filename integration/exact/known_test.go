package exact

// knownOfZooKeeper are lines of answers that differ, by question and field, with the reason.
// docs/compatibility.md tells them.
func knownOfZooKeeper() map[string]string {
	return map[string]string{
		"CreateTopics, bad assignments @.ErrorMessage":                   "the text prints a Scala collection",
		"CreateTopics, impossible assignments @":                         "Kafka creates partitions without a replica, or on broker -1",
		"Metadata by no id @.ErrorCode":                                  "Kafka meets a null pointer",
		"DescribeConfigs of a topic @.IsDefault":                         "Kafka 3.9 answers version 0 without it",
		"DescribeConfigs of the broker @.IsDefault":                      "the same",
		"DescribeConfigs, @.IsDefault":                                   "the same",
		"DescribeConfigs of an unknown type @.ErrorMessage":              "Kafka tells only its log",
		"DescribeConfigs of client metrics @.ErrorMessage":               "the same",
		"DescribeConfigs of a group @":                                   "Kafka has no settings of groups with ZooKeeper",
		"IncrementalAlterConfigs of others @[g].ErrorCode":               "the same",
		"IncrementalAlterConfigs of others @[g].ErrorMessage":            "the same",
		"DescribeConfigs @[group.coordinator.rebalance.protocols].Value": "Kafka has only the classic protocol with ZooKeeper",
		"OffsetCommit of an unknown group with a generation @.ErrorCode": "version 9 is told GROUP_ID_NOT_FOUND, as by Kafka 4.x",
		"AlterConfigs, resources twice @":                                "Kafka's request thread fails and never answers",
		"IncrementalAlterConfigs refused: two retention.ms 9 1 @":        "Kafka answers UNKNOWN_SERVER_ERROR to an unknown operation",
		"IncrementalAlterConfigs refused: two no.such.key 2 1 @":         "the same to an append to an unknown key",
		"IncrementalAlterConfigs refused: 1 no.such.key 2 1 @":           "the same",
		"IncrementalAlterConfigs refused:  no.such.key 2 1 @":            "the same",
		"Produce, null records @":                                        "Kafka's request thread fails and never answers",
		"Produce, unknown magic @.ErrorMessage":                          "Kafka fails the request as a whole",
		"Produce, unknown codec @.ErrorCode":                             "Kafka answers UNKNOWN_SERVER_ERROR, upon which producers retry",
		"ListOffsets of 0 @.OldStyleOffsets":                             "version 0 goes by the time of the records, Kafka by that of the segment files",
		"ListOffsets 0 ms after @.OldStyleOffsets":                       "the same",
		"ListOffsets 1 ms after @.OldStyleOffsets":                       "the same",
		"ListOffsets 10 ms after @.OldStyleOffsets":                      "the same",
		"Fetch, unknown isolation @":                                     "it is taken for read_uncommitted, Kafka answers UNKNOWN_SERVER_ERROR",
		"Fetch of a partition twice @":                                   "it is answered twice",
		"ConsumerGroupHeartbeat @":                                       "Kafka 3.9 refuses the new group protocol with ZooKeeper",
		"ConsumerGroupDescribe @":                                        "the same",

		"...: null for the list of @":                            "kbroker takes a list for empty that is null where it may not be",
		"...: a negative size of @":                              "kbroker closes the connection where Kafka takes any negative size for null, and the other way round",
		"...instead of ClusterID @":                              "the field has a size of its own, which is wrong then: Kafka does not look at it",
		"...nothing in ClusterID @":                              "the same",
		"...no UTF-8 in ClusterID @":                             "the same",
		"UpdateMetadata: more elements @":                        "Kafka reads on until nothing is left",
		"Metadata: null instead of Topics.Topic @.ErrorCode":     "Kafka meets a null pointer",
		"DeleteTopics: null instead of Topics.Topic @.ErrorCode": "as by no id",
		"DescribeConfigs: @.ErrorMessage":                        "as of an unknown type",
		"CreatePartitions: nothing in Topics.Topic @":            "Kafka asks ZooKeeper for what has no path",
		"InitProducerId: bytes @.ErrorCode":                      "there are no transactions yet",
		"CreatePartitions: bytes that are no UTF-8 @":            "Kafka asks ZooKeeper for what has no path",
		"DeleteTopics, by no id @.ErrorCode":                     "Kafka answers TOPIC_AUTHORIZATION_FAILED",
	}
}

// knownOfKRaft are the same of the book of 4.x.
func knownOfKRaft() map[string]string {
	return map[string]string{
		"...: a negative size of @":                                                                                       "as in the other book",
		"DescribeTopicPartitions 4 @[ no id].ErrorCode":                                                                   "Kafka's authorizer has no resource without a name",
		"DescribeTopicPartitions: nothing in @.ErrorCode":                                                                 "the same",
		"DescribeGroups @.AuthorizedOperations":                                                                           "it answers as Kafka 3.9 does, whose groups have no settings",
		"ConsumerGroupHeartbeat, an older epoch @.ErrorMessage":                                                           "Kafka 4.3 begins with epoch 2",
		"ConsumerGroupHeartbeat, a newer epoch @.ErrorMessage":                                                            "the same",
		"OffsetCommit of a consumer in an old epoch @.ErrorCode":                                                          "Kafka 4.3 takes a commit of the epoch before while the member keeps the partition",
		"ConsumerGroupDescribe with a member without subscription @.Assignment.TopicPartitions":                           "what a member has still to give up is told by Kafka 4.3 as its own",
		"DescribeTopicPartitions 4 @.AuthorizedOperations":                                                                "Kafka's authorizer has no resource without a name",
		"DescribeTopicPartitions: nothing in @.AuthorizedOperations":                                                      "the same",
		"ConsumerGroupDescribe with a member without subscription @.Assignment.TopicPartitions[two id of two].Partitions": "the same",
	}
}
