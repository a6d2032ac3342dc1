package replica

import "errors"

// ISRChange is what a leader asks of the controller with AlterPartition (KIP-497).
type ISRChange struct {
	Topic          string
	TopicID        [16]byte
	Partition      int32
	LeaderEpoch    int32
	PartitionEpoch int32
	ISR            []int32
	Recovering     bool // the leader was elected uncleanly and has not recovered
}

// ISRAnswer is what the controller holds for true then.
type ISRAnswer struct {
	LeaderID       int32
	LeaderEpoch    int32
	ISR            []int32
	Recovering     bool
	PartitionEpoch int32
}

// Errors of an answer. Any other means that the leader may ask again.
var (
	// ErrISRRefused: a proposed replica is not eligible; the leader goes back to the committed ISR.
	ErrISRRefused = errors.New("the controller refuses the in-sync replicas")
	// ErrISRStale: the leader's idea of the partition is outdated; it waits for LeaderAndIsr.
	ErrISRStale = errors.New("the controller knows a newer state of the partition")
)

// ProposeISR hands a change to whoever talks to the controller, and returns at once. answer is called once, from another
// goroutine, however long it takes to reach a controller; never for a broker that is closing. Of several changes of a
// partition that were not sent yet only the last is, and the others are answered with ErrISRStale.
type ProposeISR func(change ISRChange, answer func(ISRAnswer, error))
