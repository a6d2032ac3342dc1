package peer

import "github.com/twmb/franz-go/pkg/kmsg"

// kmsg writes isKRaftController of StopReplica v4 after controllerEpoch, but
// Kafka has it directly after controllerId (KIP-866; StopReplicaRequest.json).
// Both fields have fixed sizes, so that turning five bytes around makes one
// layout of the other.
const (
	keyStopReplica      = 5
	stopReplicaSwapped  = 4 // the first version with the field
	stopReplicaSwapFrom = 4 // after controllerId
	stopReplicaSwapTo   = 9 // controllerEpoch and isKRaftController
)

// toKafka turns the body that kmsg encoded into what Kafka expects, in place.
func toKafka(r kmsg.Request, body []byte) {
	if r.Key() != keyStopReplica || r.GetVersion() < stopReplicaSwapped || len(body) < stopReplicaSwapTo {
		return
	}
	field := body[stopReplicaSwapFrom:stopReplicaSwapTo]
	flag := field[4]
	copy(field[1:], field[:4])
	field[0] = flag
}

// FromKafka turns the body of a request as Kafka sends it into what kmsg
// decodes, in place. It must be called before ReadFrom, once; for every request
// but StopReplica from version 4 it does nothing.
func FromKafka(key, version int16, body []byte) {
	if key != keyStopReplica || version < stopReplicaSwapped || len(body) < stopReplicaSwapTo {
		return
	}
	field := body[stopReplicaSwapFrom:stopReplicaSwapTo]
	flag := field[0]
	copy(field[:4], field[1:])
	field[4] = flag
}
