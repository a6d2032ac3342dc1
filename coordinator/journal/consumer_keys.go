package journal

import "github.com/twmb/franz-go/pkg/kbin"

// Versions of the keys of __consumer_offsets. In Kafka's words since 4.0 they are record types.
const (
	keyOffsetCommitV0            int16 = 0
	keyOffsetCommit              int16 = 1
	keyGroupMetadata             int16 = 2
	keyConsumerMetadata          int16 = 3
	keyConsumerPartitionMetadata int16 = 4
	keyConsumerMemberMetadata    int16 = 5
	keyConsumerTargetMetadata    int16 = 6
	keyConsumerTargetMember      int16 = 7
	keyConsumerCurrentMember     int16 = 8
	keyConsumerRegex             int16 = 16
)

// ConsumerKey is the key of a record of a consumer group (KIP-848): a pointer to one of the ConsumerGroup...Key types.
type ConsumerKey interface {
	// Group is the id of the group that the record belongs to.
	Group() string
	appendKey(dst []byte) []byte
	readKey(r *kbin.Reader)
	newValue() ConsumerValue
}

// ConsumerGroupMetadataKey is key version 3: the group and its epoch.
type ConsumerGroupMetadataKey struct{ GroupID string }

// ConsumerGroupPartitionMetadataKey is key version 4: what the group knew of the topics that it subscribes to. Kafka 4.1
// and later only write its tombstone.
type ConsumerGroupPartitionMetadataKey struct{ GroupID string }

// ConsumerGroupMemberMetadataKey is key version 5: a member and its subscription.
type ConsumerGroupMemberMetadataKey struct{ GroupID, MemberID string }

// ConsumerGroupTargetAssignmentMetadataKey is key version 6: the epoch of the target assignment.
type ConsumerGroupTargetAssignmentMetadataKey struct{ GroupID string }

// ConsumerGroupTargetAssignmentMemberKey is key version 7: what a member shall have.
type ConsumerGroupTargetAssignmentMemberKey struct{ GroupID, MemberID string }

// ConsumerGroupCurrentMemberAssignmentKey is key version 8: what a member has.
type ConsumerGroupCurrentMemberAssignmentKey struct{ GroupID, MemberID string }

// ConsumerGroupRegularExpressionKey is key version 16: a regular expression that members subscribe to, resolved.
type ConsumerGroupRegularExpressionKey struct{ GroupID, RegularExpression string }

// Group returns the group's id.
func (k *ConsumerGroupMetadataKey) Group() string { return k.GroupID }

// Group returns the group's id.
func (k *ConsumerGroupPartitionMetadataKey) Group() string { return k.GroupID }

// Group returns the group's id.
func (k *ConsumerGroupMemberMetadataKey) Group() string { return k.GroupID }

// Group returns the group's id.
func (k *ConsumerGroupTargetAssignmentMetadataKey) Group() string { return k.GroupID }

// Group returns the group's id.
func (k *ConsumerGroupTargetAssignmentMemberKey) Group() string { return k.GroupID }

// Group returns the group's id.
func (k *ConsumerGroupCurrentMemberAssignmentKey) Group() string { return k.GroupID }

// Group returns the group's id.
func (k *ConsumerGroupRegularExpressionKey) Group() string { return k.GroupID }

func (k *ConsumerGroupMetadataKey) appendKey(dst []byte) []byte {
	return appendStrings(dst, keyConsumerMetadata, k.GroupID)
}

func (k *ConsumerGroupPartitionMetadataKey) appendKey(dst []byte) []byte {
	return appendStrings(dst, keyConsumerPartitionMetadata, k.GroupID)
}

func (k *ConsumerGroupMemberMetadataKey) appendKey(dst []byte) []byte {
	return appendStrings(dst, keyConsumerMemberMetadata, k.GroupID, k.MemberID)
}

func (k *ConsumerGroupTargetAssignmentMetadataKey) appendKey(dst []byte) []byte {
	return appendStrings(dst, keyConsumerTargetMetadata, k.GroupID)
}

func (k *ConsumerGroupTargetAssignmentMemberKey) appendKey(dst []byte) []byte {
	return appendStrings(dst, keyConsumerTargetMember, k.GroupID, k.MemberID)
}

func (k *ConsumerGroupCurrentMemberAssignmentKey) appendKey(dst []byte) []byte {
	return appendStrings(dst, keyConsumerCurrentMember, k.GroupID, k.MemberID)
}

func (k *ConsumerGroupRegularExpressionKey) appendKey(dst []byte) []byte {
	return appendStrings(dst, keyConsumerRegex, k.GroupID, k.RegularExpression)
}

// appendStrings appends a key: its version and its strings, not in the flexible encoding.
func appendStrings(dst []byte, version int16, fields ...string) []byte {
	dst = kbin.AppendInt16(dst, version)
	for _, f := range fields {
		dst = kbin.AppendString(dst, f)
	}
	return dst
}

func (k *ConsumerGroupMetadataKey) readKey(r *kbin.Reader) { k.GroupID = r.String() }

func (k *ConsumerGroupPartitionMetadataKey) readKey(r *kbin.Reader) { k.GroupID = r.String() }

func (k *ConsumerGroupMemberMetadataKey) readKey(r *kbin.Reader) {
	k.GroupID, k.MemberID = r.String(), r.String()
}

func (k *ConsumerGroupTargetAssignmentMetadataKey) readKey(r *kbin.Reader) { k.GroupID = r.String() }

func (k *ConsumerGroupTargetAssignmentMemberKey) readKey(r *kbin.Reader) {
	k.GroupID, k.MemberID = r.String(), r.String()
}

func (k *ConsumerGroupCurrentMemberAssignmentKey) readKey(r *kbin.Reader) {
	k.GroupID, k.MemberID = r.String(), r.String()
}

func (k *ConsumerGroupRegularExpressionKey) readKey(r *kbin.Reader) {
	k.GroupID, k.RegularExpression = r.String(), r.String()
}

func (k *ConsumerGroupMetadataKey) newValue() ConsumerValue { return new(ConsumerGroupMetadataValue) }

func (k *ConsumerGroupPartitionMetadataKey) newValue() ConsumerValue {
	return new(ConsumerGroupPartitionMetadataValue)
}

func (k *ConsumerGroupMemberMetadataKey) newValue() ConsumerValue {
	return new(ConsumerGroupMemberMetadataValue)
}

func (k *ConsumerGroupTargetAssignmentMetadataKey) newValue() ConsumerValue {
	return new(ConsumerGroupTargetAssignmentMetadataValue)
}

func (k *ConsumerGroupTargetAssignmentMemberKey) newValue() ConsumerValue {
	return new(ConsumerGroupTargetAssignmentMemberValue)
}

func (k *ConsumerGroupCurrentMemberAssignmentKey) newValue() ConsumerValue {
	return new(ConsumerGroupCurrentMemberAssignmentValue)
}

func (k *ConsumerGroupRegularExpressionKey) newValue() ConsumerValue {
	return new(ConsumerGroupRegularExpressionValue)
}

// newConsumerKey makes the key of a version; nil for one that is not a consumer group's.
func newConsumerKey(version int16) ConsumerKey {
	switch version {
	case keyConsumerMetadata:
		return new(ConsumerGroupMetadataKey)
	case keyConsumerPartitionMetadata:
		return new(ConsumerGroupPartitionMetadataKey)
	case keyConsumerMemberMetadata:
		return new(ConsumerGroupMemberMetadataKey)
	case keyConsumerTargetMetadata:
		return new(ConsumerGroupTargetAssignmentMetadataKey)
	case keyConsumerTargetMember:
		return new(ConsumerGroupTargetAssignmentMemberKey)
	case keyConsumerCurrentMember:
		return new(ConsumerGroupCurrentMemberAssignmentKey)
	case keyConsumerRegex:
		return new(ConsumerGroupRegularExpressionKey)
	default:
		return nil
	}
}
