package journal

import "github.com/twmb/franz-go/pkg/kbin"

// ConsumerValue is the value of a record of a consumer group: a pointer to one of the ConsumerGroup...Value types, each the
// partner of the key with its name. All have version 0, in the flexible encoding. Tagged fields that a newer Kafka added
// are skipped.
type ConsumerValue interface {
	appendValue(dst []byte) []byte
	readValue(r *kbin.Reader)
}

// ConsumerGroupMetadataValue is the state of a group as a whole.
type ConsumerGroupMetadataValue struct {
	Epoch        int32
	MetadataHash int64 // of the topics subscribed to, tag 0; 0: unknown. Kafka 4.1 and later (KIP-1101)
}

// ConsumerGroupPartitionMetadataValue is what was known of the topics subscribed to. Kafka 4.0 wrote it last.
type ConsumerGroupPartitionMetadataValue struct{ Topics []ConsumerTopicMetadata }

// ConsumerTopicMetadata is one topic of a ConsumerGroupPartitionMetadataValue.
type ConsumerTopicMetadata struct {
	TopicID       [16]byte
	TopicName     string
	NumPartitions int32
	Partitions    []ConsumerPartitionMetadata // empty when no racks are known
}

// ConsumerPartitionMetadata is the racks of one partition's replicas.
type ConsumerPartitionMetadata struct {
	Partition int32
	Racks     []string
}

// ConsumerGroupMemberMetadataValue is a member, as it describes itself.
type ConsumerGroupMemberMetadataValue struct {
	InstanceID             *string
	RackID                 *string
	ClientID               string
	ClientHost             string // in Java's form, /10.0.0.7
	SubscribedTopicNames   []string
	SubscribedTopicRegex   *string
	RebalanceTimeoutMillis int32 // -1: unknown
	ServerAssignor         *string
	// Classic is set of a member that speaks the classic protocol; tag 0. As Kafka's classes have it the tag is written
	// for nil too, and a record without it has a Classic that is empty.
	Classic *ConsumerClassicMetadata
}

// ConsumerClassicMetadata is what only the classic protocol says of a member.
type ConsumerClassicMetadata struct {
	SessionTimeoutMillis int32
	SupportedProtocols   []ConsumerClassicProtocol
}

// ConsumerClassicProtocol is a protocol that a member supports.
type ConsumerClassicProtocol struct {
	Name     string
	Metadata []byte
}

// ConsumerGroupTargetAssignmentMetadataValue is the group epoch that the target assignment was made for.
type ConsumerGroupTargetAssignmentMetadataValue struct {
	AssignmentEpoch     int32
	AssignmentTimestamp int64 // ms, when it was made, tag 0; 0: unknown. Kafka 4.3 and later (KIP-1263)
}

// ConsumerGroupTargetAssignmentMemberValue is the target assignment of a member.
type ConsumerGroupTargetAssignmentMemberValue struct{ TopicPartitions []ConsumerTopicPartitions }

// ConsumerTopicPartitions is partitions of one topic.
type ConsumerTopicPartitions struct {
	TopicID    [16]byte
	Partitions []int32
	// AssignmentEpochs are the member epochs in which the member got each of Partitions, tag 0; nil: unknown. Kafka 4.3
	// and later, only in a current assignment.
	AssignmentEpochs []int32
}

// ConsumerGroupCurrentMemberAssignmentValue is what a member has, and where it is on the way to its target.
type ConsumerGroupCurrentMemberAssignmentValue struct {
	MemberEpoch                 int32
	PreviousMemberEpoch         int32
	State                       int8 // Kafka's MemberState
	AssignedPartitions          []ConsumerTopicPartitions
	PartitionsPendingRevocation []ConsumerTopicPartitions
}

// ConsumerGroupRegularExpressionValue is the topics that a regular expression stood for.
type ConsumerGroupRegularExpressionValue struct {
	Topics    []string
	Version   int64 // of the metadata image that it was resolved with
	Timestamp int64 // ms
}

func (v *ConsumerGroupMetadataValue) appendValue(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, v.Epoch)
	return appendInt64Tag(dst, v.MetadataHash)
}

func (v *ConsumerGroupMetadataValue) readValue(r *kbin.Reader) {
	v.Epoch = r.Int32()
	readTags(r, func(field *kbin.Reader) { v.MetadataHash = field.Int64() })
}

func (v *ConsumerGroupPartitionMetadataValue) appendValue(dst []byte) []byte {
	dst = kbin.AppendCompactArrayLen(dst, len(v.Topics))
	for i := range v.Topics {
		t := &v.Topics[i]
		dst = kbin.AppendUuid(dst, t.TopicID)
		dst = kbin.AppendCompactString(dst, t.TopicName)
		dst = kbin.AppendInt32(dst, t.NumPartitions)
		dst = kbin.AppendCompactArrayLen(dst, len(t.Partitions))
		for _, p := range t.Partitions {
			dst = kbin.AppendInt32(dst, p.Partition)
			dst = appendCompactStrings(dst, p.Racks)
			dst = append(dst, noTags)
		}
		dst = append(dst, noTags)
	}
	return append(dst, noTags)
}

func (v *ConsumerGroupPartitionMetadataValue) readValue(r *kbin.Reader) {
	v.Topics = readArray(r, func(r *kbin.Reader) (t ConsumerTopicMetadata) {
		t.TopicID, t.TopicName, t.NumPartitions = r.Uuid(), r.CompactString(), r.Int32()
		t.Partitions = readArray(r, func(r *kbin.Reader) (p ConsumerPartitionMetadata) {
			p.Partition, p.Racks = r.Int32(), readArray(r, (*kbin.Reader).CompactString)
			readTags(r, nil)
			return p
		})
		readTags(r, nil)
		return t
	})
	readTags(r, nil)
}

func (v *ConsumerGroupMemberMetadataValue) appendValue(dst []byte) []byte {
	dst = kbin.AppendCompactNullableString(dst, v.InstanceID)
	dst = kbin.AppendCompactNullableString(dst, v.RackID)
	dst = kbin.AppendCompactString(dst, v.ClientID)
	dst = kbin.AppendCompactString(dst, v.ClientHost)
	dst = appendCompactStrings(dst, v.SubscribedTopicNames)
	dst = kbin.AppendCompactNullableString(dst, v.SubscribedTopicRegex)
	dst = kbin.AppendInt32(dst, v.RebalanceTimeoutMillis)
	dst = kbin.AppendCompactNullableString(dst, v.ServerAssignor)
	if v.Classic != nil && v.Classic.SessionTimeoutMillis == 0 && len(v.Classic.SupportedProtocols) == 0 {
		return append(dst, noTags)
	}
	return appendTag(dst, v.Classic.append(nil))
}

func (v *ConsumerGroupMemberMetadataValue) readValue(r *kbin.Reader) {
	v.InstanceID, v.RackID = r.CompactNullableString(), r.CompactNullableString()
	v.ClientID, v.ClientHost = r.CompactString(), r.CompactString()
	v.SubscribedTopicNames = readArray(r, (*kbin.Reader).CompactString)
	v.SubscribedTopicRegex = r.CompactNullableString()
	v.RebalanceTimeoutMillis = r.Int32()
	v.ServerAssignor = r.CompactNullableString()
	v.Classic = new(ConsumerClassicMetadata)
	readTags(r, func(field *kbin.Reader) { v.Classic = readClassic(field) })
}

// append writes what stands in the tag of a struct that may be null: 0 for that, or 1 and the struct.
func (c *ConsumerClassicMetadata) append(dst []byte) []byte {
	if c == nil {
		return kbin.AppendUvarint(dst, 0)
	}
	dst = kbin.AppendUvarint(dst, 1)
	dst = kbin.AppendInt32(dst, c.SessionTimeoutMillis)
	dst = kbin.AppendCompactArrayLen(dst, len(c.SupportedProtocols))
	for _, p := range c.SupportedProtocols {
		dst = kbin.AppendCompactString(dst, p.Name)
		dst = kbin.AppendCompactBytes(dst, p.Metadata)
		dst = append(dst, noTags)
	}
	return append(dst, noTags)
}

func readClassic(r *kbin.Reader) *ConsumerClassicMetadata {
	if r.Uvarint() == 0 {
		return nil
	}
	c := &ConsumerClassicMetadata{SessionTimeoutMillis: r.Int32()}
	c.SupportedProtocols = readArray(r, func(r *kbin.Reader) (p ConsumerClassicProtocol) {
		p.Name, p.Metadata = r.CompactString(), append([]byte{}, r.CompactBytes()...)
		readTags(r, nil)
		return p
	})
	readTags(r, nil)
	return c
}

func (v *ConsumerGroupTargetAssignmentMetadataValue) appendValue(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, v.AssignmentEpoch)
	return appendInt64Tag(dst, v.AssignmentTimestamp)
}

func (v *ConsumerGroupTargetAssignmentMetadataValue) readValue(r *kbin.Reader) {
	v.AssignmentEpoch = r.Int32()
	readTags(r, func(field *kbin.Reader) { v.AssignmentTimestamp = field.Int64() })
}

func (v *ConsumerGroupTargetAssignmentMemberValue) appendValue(dst []byte) []byte {
	dst = kbin.AppendCompactArrayLen(dst, len(v.TopicPartitions))
	for _, t := range v.TopicPartitions {
		dst = kbin.AppendUuid(dst, t.TopicID)
		dst = appendCompactInt32s(dst, t.Partitions)
		dst = append(dst, noTags)
	}
	return append(dst, noTags)
}

func (v *ConsumerGroupTargetAssignmentMemberValue) readValue(r *kbin.Reader) {
	v.TopicPartitions = readArray(r, func(r *kbin.Reader) (t ConsumerTopicPartitions) {
		t.TopicID, t.Partitions = r.Uuid(), readArray(r, (*kbin.Reader).Int32)
		readTags(r, nil)
		return t
	})
	readTags(r, nil)
}

func (v *ConsumerGroupCurrentMemberAssignmentValue) appendValue(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, v.MemberEpoch)
	dst = kbin.AppendInt32(dst, v.PreviousMemberEpoch)
	dst = kbin.AppendInt8(dst, v.State)
	dst = appendCurrent(dst, v.AssignedPartitions)
	dst = appendCurrent(dst, v.PartitionsPendingRevocation)
	return append(dst, noTags)
}

func (v *ConsumerGroupCurrentMemberAssignmentValue) readValue(r *kbin.Reader) {
	v.MemberEpoch, v.PreviousMemberEpoch, v.State = r.Int32(), r.Int32(), r.Int8()
	v.AssignedPartitions = readArray(r, readCurrent)
	v.PartitionsPendingRevocation = readArray(r, readCurrent)
	readTags(r, nil)
}

func appendCurrent(dst []byte, topics []ConsumerTopicPartitions) []byte {
	dst = kbin.AppendCompactArrayLen(dst, len(topics))
	for _, t := range topics {
		dst = kbin.AppendUuid(dst, t.TopicID)
		dst = appendCompactInt32s(dst, t.Partitions)
		if t.AssignmentEpochs == nil {
			dst = append(dst, noTags)
			continue
		}
		dst = appendTag(dst, appendCompactInt32s(nil, t.AssignmentEpochs))
	}
	return dst
}

func readCurrent(r *kbin.Reader) (t ConsumerTopicPartitions) {
	t.TopicID, t.Partitions = r.Uuid(), readArray(r, (*kbin.Reader).Int32)
	readTags(r, func(field *kbin.Reader) { t.AssignmentEpochs = readNullableArray(field, (*kbin.Reader).Int32) })
	return t
}

func (v *ConsumerGroupRegularExpressionValue) appendValue(dst []byte) []byte {
	dst = appendCompactStrings(dst, v.Topics)
	dst = kbin.AppendInt64(dst, v.Version)
	dst = kbin.AppendInt64(dst, v.Timestamp)
	return append(dst, noTags)
}

func (v *ConsumerGroupRegularExpressionValue) readValue(r *kbin.Reader) {
	v.Topics = readArray(r, (*kbin.Reader).CompactString)
	v.Version, v.Timestamp = r.Int64(), r.Int64()
	readTags(r, nil)
}
