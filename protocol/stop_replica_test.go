package protocol

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestStopReplicaOrder compares version 4 with the bytes that Kafka's schema prescribes.
func TestStopReplicaOrder(t *testing.T) {
	r := kmsg.NewPtrStopReplicaRequest()
	r.Version, r.ControllerID, r.ControllerEpoch, r.IsKRaftController, r.BrokerEpoch = 4, 1, 2, true, 3
	body := r.AppendTo(nil)
	KafkaStopReplica(4, body)
	want := []byte{0, 0, 0, 1, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0}
	if !bytes.Equal(body, want) {
		t.Fatalf("encoded %v, want %v", body, want)
	}
	KmsgStopReplica(4, body)
	back := kmsg.NewPtrStopReplicaRequest()
	back.Version = 4
	if err := back.ReadFrom(body); err != nil || back.ControllerEpoch != 2 || !back.IsKRaftController || back.BrokerEpoch != 3 {
		t.Fatalf("decoded %+v, %v", back, err)
	}
}
