package protocol

// stopReplicaSwapped is the version from which kmsg 1.15 and Kafka differ in the order of two fields of
// a StopReplica request: Kafka (StopReplicaRequest.json) has isKRaftController before the controller
// epoch, kmsg after it.
const stopReplicaSwapped = 4

// KafkaStopReplica brings the body of a StopReplica request that kmsg encoded into Kafka's order,
// in place.
func KafkaStopReplica(version int16, body []byte) {
	if version >= stopReplicaSwapped && len(body) >= 9 {
		isKRaft := body[8]
		copy(body[5:9], body[4:8])
		body[4] = isKRaft
	}
}

// KmsgStopReplica brings the body of a StopReplica request from the wire into kmsg's order, in place.
func KmsgStopReplica(version int16, body []byte) {
	if version >= stopReplicaSwapped && len(body) >= 9 {
		isKRaft := body[4]
		copy(body[4:8], body[5:9])
		body[8] = isKRaft
	}
}
