package journal

// ConsumerKey is the key of a record of a consumer group (KIP-848): one of the Consumer*Key types. ConsumerValue is the value; nil for a tombstone.
type (
	ConsumerKey   interface{ consumerKey() }
	ConsumerValue interface{ consumerValue() }
)
