package journal

// PartitionFor places a group or transactional id: Java's String.hashCode, of UTF-16 units, modulo the partitions.
// Kafka's absolute value of the smallest int is 0 (Utils.abs).
func PartitionFor(id string, partitions int32) int32 { panic("unwritten") }
