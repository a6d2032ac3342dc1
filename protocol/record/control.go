package record

import (
	"encoding/binary"
	"fmt"
)

// ControlType is the type of a control record (ControlRecordType.java).
type ControlType int16

// The control records that a broker with ZooKeeper writes; others exist in KRaft.
const (
	AbortMarker  ControlType = 0
	CommitMarker ControlType = 1
)

const (
	controlKeySize   = 4 // version and type
	markerValueSize  = 6 // version and coordinator epoch
	controlVersion   = 0
	controlTypeAt    = 2
	coordinatorEpoch = 2
)

// Marker is a control record that ends a transaction.
type Marker struct {
	Type             ControlType
	CoordinatorEpoch int32
}

// BuildMarker returns the batch that ends the transaction of a producer, at time now
// in milliseconds (KIP-98; Kafka: MemoryRecords.withEndTransactionMarker).
func BuildMarker(m Marker, producerID int64, producerEpoch int16, now int64) (Batch, error) {
	key := make([]byte, controlKeySize)
	binary.BigEndian.PutUint16(key, controlVersion)
	binary.BigEndian.PutUint16(key[controlTypeAt:], uint16(m.Type))
	value := make([]byte, markerValueSize)
	binary.BigEndian.PutUint16(value, controlVersion)
	binary.BigEndian.PutUint32(value[coordinatorEpoch:], uint32(m.CoordinatorEpoch))

	n := NewBuilder(BatchOptions{
		Producer:      &Producer{ID: producerID, Epoch: producerEpoch, Sequence: NoSequence},
		Transactional: true,
		Control:       true,
	})
	n.Append(now, key, value)
	b, err := n.Build()
	if err != nil {
		return nil, fmt.Errorf("build marker of producer %d: %w", producerID, err)
	}
	return b, nil
}

// ParseControlType reads the type from the key of a control record. Types beyond
// those above are returned as they are, to be ignored.
func ParseControlType(key []byte) (ControlType, error) {
	if len(key) < controlKeySize {
		return 0, fmt.Errorf("%w: control record key of %d bytes", ErrCorrupt, len(key))
	}
	// A later version may only add to the end, so only a negative one is an error.
	if version := int16(binary.BigEndian.Uint16(key)); version < 0 {
		return 0, fmt.Errorf("%w: control record key of version %d", ErrCorrupt, version)
	}
	return ControlType(binary.BigEndian.Uint16(key[controlTypeAt:])), nil
}

// ParseMarker reads the marker in a control record. The error wraps ErrCorrupt also
// when the record is a control record of another type.
func ParseMarker(r Record) (Marker, error) {
	t, err := ParseControlType(r.Key)
	if err != nil {
		return Marker{}, err
	}
	if t != AbortMarker && t != CommitMarker {
		return Marker{}, fmt.Errorf("%w: control record of type %d is no marker", ErrCorrupt, t)
	}
	if len(r.Value) < markerValueSize {
		return Marker{}, fmt.Errorf("%w: marker value of %d bytes", ErrCorrupt, len(r.Value))
	}
	if version := int16(binary.BigEndian.Uint16(r.Value)); version < 0 {
		return Marker{}, fmt.Errorf("%w: marker value of version %d", ErrCorrupt, version)
	}
	epoch := int32(binary.BigEndian.Uint32(r.Value[coordinatorEpoch:]))
	return Marker{Type: t, CoordinatorEpoch: epoch}, nil
}

// Marker reads the marker in a control batch, whose only record it is. It reports
// false when the batch holds none: the cleaner may have removed it, or it is a control
// record of another type.
func (b Batch) Marker() (Marker, bool, error) {
	if !b.IsControl() || b.Count() == 0 {
		return Marker{}, false, nil
	}
	it, err := b.Iterate()
	if err != nil {
		return Marker{}, false, err
	}
	defer it.Close()
	if !it.Next() {
		return Marker{}, false, it.Err()
	}
	t, err := ParseControlType(it.Record().Key)
	if err != nil {
		return Marker{}, false, err
	}
	if t != AbortMarker && t != CommitMarker {
		return Marker{}, false, nil
	}
	m, err := ParseMarker(it.Record())
	return m, err == nil, err
}
