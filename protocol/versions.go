package protocol

// API is a row of the version table: what Kafka 3.9 in ZooKeeper mode advertises, and what kbroker adds.
type API struct {
	Key      int16
	Name     string
	Min, Max int16
	Flexible int16 // the first flexible version (KIP-482); neverFlexible when there is none
}

// Supports reports whether the version is in the API's range.
func (a API) Supports(version int16) bool { return version >= a.Min && version <= a.Max }

// IsFlexible reports whether the version is encoded with compact lengths and
// tagged fields.
func (a API) IsFlexible(version int16) bool { return version >= a.Flexible }

// Keys that code outside the table has to name.
const (
	KeyProduce            int16 = 0
	KeyFetch              int16 = 1
	KeyLeaderAndISR       int16 = 4
	KeyStopReplica        int16 = 5
	KeyUpdateMetadata     int16 = 6
	KeyControlledShutdown int16 = 7
	KeyOffsetCommit       int16 = 8
	KeyOffsetFetch        int16 = 9
	KeyFindCoordinator    int16 = 10
	KeyHeartbeat          int16 = 12
	KeyApiVersions        int16 = 18
)

// KeyLimit is above every key of the table: arrays by key have this size.
const KeyLimit = 128

const neverFlexible int16 = 1<<15 - 1

// table is every API by key: the ranges that Kafka 3.9 advertises on a
// ZooKeeper-mode broker, whether or not this program handles them yet (ApiVersions
// answers only those that are handled), and, last, what kbroker adds.
var table = [...]API{
	{0, "Produce", 0, 11, 9},
	{1, "Fetch", 0, 17, 12},
	{2, "ListOffsets", 0, 9, 6},
	{3, "Metadata", 0, 12, 9},
	{4, "LeaderAndIsr", 0, 7, 4},
	{5, "StopReplica", 0, 4, 2},
	{6, "UpdateMetadata", 0, 8, 6},
	{7, "ControlledShutdown", 0, 3, 3},
	{8, "OffsetCommit", 0, 9, 8},
	{9, "OffsetFetch", 0, 9, 6},
	{10, "FindCoordinator", 0, 6, 3},
	{11, "JoinGroup", 0, 9, 6},
	{12, "Heartbeat", 0, 4, 4},
	{13, "LeaveGroup", 0, 5, 4},
	{14, "SyncGroup", 0, 5, 4},
	{15, "DescribeGroups", 0, 5, 5},
	{16, "ListGroups", 0, 5, 3},
	{17, "SaslHandshake", 0, 1, neverFlexible},
	{18, "ApiVersions", 0, 4, 3},
	{19, "CreateTopics", 0, 7, 5},
	{20, "DeleteTopics", 0, 6, 4},
	{21, "DeleteRecords", 0, 2, 2},
	{22, "InitProducerId", 0, 5, 2},
	{23, "OffsetForLeaderEpoch", 0, 4, 4},
	{24, "AddPartitionsToTxn", 0, 5, 3},
	{25, "AddOffsetsToTxn", 0, 4, 3},
	{26, "EndTxn", 0, 4, 3},
	{27, "WriteTxnMarkers", 0, 1, 1},
	{28, "TxnOffsetCommit", 0, 4, 3},
	{29, "DescribeAcls", 0, 3, 2},
	{30, "CreateAcls", 0, 3, 2},
	{31, "DeleteAcls", 0, 3, 2},
	{32, "DescribeConfigs", 0, 4, 4},
	{33, "AlterConfigs", 0, 2, 2},
	{34, "AlterReplicaLogDirs", 0, 2, 2},
	{35, "DescribeLogDirs", 0, 4, 2},
	{36, "SaslAuthenticate", 0, 2, 2},
	{37, "CreatePartitions", 0, 3, 2},
	{38, "CreateDelegationToken", 0, 3, 2},
	{39, "RenewDelegationToken", 0, 2, 2},
	{40, "ExpireDelegationToken", 0, 2, 2},
	{41, "DescribeDelegationToken", 0, 3, 2},
	{42, "DeleteGroups", 0, 2, 2},
	{43, "ElectLeaders", 0, 2, 2},
	{44, "IncrementalAlterConfigs", 0, 1, 1},
	{45, "AlterPartitionReassignments", 0, 0, 0},
	{46, "ListPartitionReassignments", 0, 0, 0},
	{47, "OffsetDelete", 0, 0, neverFlexible},
	{48, "DescribeClientQuotas", 0, 1, 1},
	{49, "AlterClientQuotas", 0, 1, 1},
	{50, "DescribeUserScramCredentials", 0, 0, 0},
	{51, "AlterUserScramCredentials", 0, 0, 0},
	{56, "AlterPartition", 0, 3, 0},
	{57, "UpdateFeatures", 0, 1, 0},
	{58, "Envelope", 0, 0, 0},
	{60, "DescribeCluster", 0, 1, 0},
	{61, "DescribeProducers", 0, 0, 0},
	{65, "DescribeTransactions", 0, 0, 0},
	{66, "ListTransactions", 0, 1, 0},
	{67, "AllocateProducerIds", 0, 0, 0},
	{68, "ConsumerGroupHeartbeat", 0, 1, 0}, // 3.9 has version 0 alone, and refuses it with ZooKeeper;
	{69, "ConsumerGroupDescribe", 0, 1, 0},  // these are the versions of 4.x
	// Kafka has these only without ZooKeeper; newer clients ask for them.
	{74, "ListConfigResources", 0, 1, 0},
	{75, "DescribeTopicPartitions", 0, 0, 0},
}

// rows is the place in table of each key, plus one.
var rows = func() (r [KeyLimit]uint8) {
	for i, a := range table {
		r[a.Key] = uint8(i + 1)
	}
	return r
}()

// APIs is the table, by key. The result is the caller's.
func APIs() []API { return append([]API(nil), table[:]...) }

// Lookup finds the row of a key.
func Lookup(key int16) (API, bool) {
	if key < 0 || key >= KeyLimit || rows[key] == 0 {
		return API{}, false
	}
	return table[rows[key]-1], true
}
