package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrUnknownKey is wrapped for a key whose version is not known: a record of a newer Kafka, or of its share and streams
// groups. A loader skips the record and says so.
var ErrUnknownKey = errors.New("unknown version of a key")

// Versions of values, as Kafka 3.9 writes them and up to which all are read.
const (
	offsetWithExpiry  int16 = 1 // the only version that holds an expire timestamp
	offsetWritten     int16 = 3
	groupWritten      int16 = 3
	offsetNewest      int16 = 4
	groupNewest       int16 = 4
	consumerOnly      int16 = 0
	unknownEpoch      int32 = -1
	noExpireTimestamp int64 = -1
)

// ParseKey decodes the key of a record of __consumer_offsets: a *kmsg.OffsetCommitKey, a *kmsg.GroupMetadataKey, or a
// ConsumerKey. It keeps nothing of the bytes. Errors wrap ErrUnknownKey if the version is unknown; any other says
// that the key is broken.
func ParseKey(key []byte) (any, error) {
	if len(key) < 2 {
		return nil, fmt.Errorf("read the version of a key of %d bytes: %w", len(key), kbin.ErrNotEnoughData)
	}
	version := int16(binary.BigEndian.Uint16(key))
	var k any
	var err error
	switch version {
	case keyOffsetCommitV0, keyOffsetCommit:
		offset := new(kmsg.OffsetCommitKey)
		k, err = offset, offset.UnsafeReadFrom(slices.Clone(key)) // one copy carries all strings
	case keyGroupMetadata:
		group := new(kmsg.GroupMetadataKey)
		k, err = group, group.UnsafeReadFrom(slices.Clone(key))
	default:
		consumer := newConsumerKey(version)
		if consumer == nil {
			return nil, fmt.Errorf("%w: %d", ErrUnknownKey, version)
		}
		r := kbin.Reader{Src: key[2:]}
		consumer.readKey(&r)
		k, err = consumer, r.Complete()
	}
	if err != nil {
		return nil, fmt.Errorf("read key of version %d: %w", version, err)
	}
	return k, nil
}

// ParseOffset decodes the value of an offset commit, of versions 0 to 4, that is no tombstone. What the version does not
// hold is -1, as in Kafka: LeaderEpoch, ExpireTimestamp. It keeps nothing of the bytes.
func ParseOffset(value []byte) (kmsg.OffsetCommitValue, error) {
	var v kmsg.OffsetCommitValue
	version, err := versionOf(value, offsetNewest)
	if err != nil {
		return v, fmt.Errorf("offset commit: %w", err)
	}
	v.LeaderEpoch, v.ExpireTimestamp = unknownEpoch, noExpireTimestamp
	if version >= offsetNewest {
		value = slices.Clone(value) // unknown tags are kept as they are
	}
	if err := v.ReadFrom(value); err != nil {
		return v, fmt.Errorf("read offset commit of version %d: %w", version, err)
	}
	return v, nil
}

// ParseGroup decodes the value of a classic group, of versions 0 to 4, that is no tombstone. What the version does not
// hold is as in Kafka: CurrentStateTimestamp -1, a member's RebalanceTimeoutMillis that of its session. It keeps
// nothing of the bytes.
func ParseGroup(value []byte) (*kmsg.GroupMetadataValue, error) {
	version, err := versionOf(value, groupNewest)
	if err != nil {
		return nil, fmt.Errorf("group metadata: %w", err)
	}
	v := new(kmsg.GroupMetadataValue)
	if err := v.UnsafeReadFrom(slices.Clone(value)); err != nil { // one copy carries all strings and bytes
		return nil, fmt.Errorf("read group metadata of version %d: %w", version, err)
	}
	if version == 0 {
		for i := range v.Members {
			v.Members[i].RebalanceTimeoutMillis = v.Members[i].SessionTimeoutMillis
		}
	}
	return v, nil
}

// ParseConsumer decodes the value that belongs to a key; nil for a nil one, a tombstone. It keeps nothing of the bytes.
func ParseConsumer(key ConsumerKey, value []byte) (ConsumerValue, error) {
	if value == nil {
		return nil, nil
	}
	if _, err := versionOf(value, consumerOnly); err != nil {
		return nil, fmt.Errorf("%T: %w", key.newValue(), err)
	}
	v, r := key.newValue(), kbin.Reader{Src: value[2:]}
	v.readValue(&r)
	if err := r.Complete(); err != nil {
		return nil, fmt.Errorf("read %T of version %d: %w", v, consumerOnly, err)
	}
	return v, nil
}

// versionOf reads the version of a value that is known up to newest.
func versionOf(value []byte, newest int16) (int16, error) {
	if len(value) < 2 {
		return 0, fmt.Errorf("read the version of a value of %d bytes: %w", len(value), kbin.ErrNotEnoughData)
	}
	version := int16(binary.BigEndian.Uint16(value))
	if version < 0 || version > newest {
		return 0, fmt.Errorf("version %d of a value is not known, only 0 to %d", version, newest)
	}
	return version, nil
}

// OffsetRecord is the record of a committed offset as Kafka 3.9 writes it: key version 1, value version 3, or 1 if v has
// an ExpireTimestamp other than -1. v's Version is not looked at, and its TopicID is not written.
func OffsetRecord(key kmsg.OffsetCommitKey, v kmsg.OffsetCommitValue) Record {
	v.Version = offsetWritten
	if v.ExpireTimestamp != noExpireTimestamp {
		v.Version = offsetWithExpiry
	}
	const fixed = 2 + 8 + 4 + 2 + 8 + 8
	return Record{Key: offsetKey(key), Value: v.AppendTo(make([]byte, 0, fixed+len(v.Metadata)))}
}

// OffsetTombstone is the record that removes a committed offset.
func OffsetTombstone(key kmsg.OffsetCommitKey) Record { return Record{Key: offsetKey(key)} }

func offsetKey(key kmsg.OffsetCommitKey) []byte {
	key.Version = keyOffsetCommit
	const fixed = 2 + 2 + 2 + 4
	return key.AppendTo(make([]byte, 0, fixed+len(key.Group)+len(key.Topic)))
}

// GroupRecord is the record of a classic group as Kafka 3.9 writes it: key version 2, value version 3. v's Version is not
// looked at.
func GroupRecord(group string, v kmsg.GroupMetadataValue) Record {
	v.Version = groupWritten
	return Record{Key: groupKey(group), Value: v.AppendTo(nil)}
}

// GroupTombstone is the record that removes a classic group.
func GroupTombstone(group string) Record { return Record{Key: groupKey(group)} }

func groupKey(group string) []byte { return appendStrings(nil, keyGroupMetadata, group) }

// ConsumerRecord is the record of a consumer group as Kafka 4.3 writes it. Value must be the key's partner.
func ConsumerRecord(key ConsumerKey, value ConsumerValue) Record {
	return Record{Key: key.appendKey(nil), Value: value.appendValue(kbin.AppendInt16(nil, consumerOnly))}
}

// ConsumerTombstone is the record that removes what ConsumerRecord with the same key stored.
func ConsumerTombstone(key ConsumerKey) Record { return Record{Key: key.appendKey(nil)} }
