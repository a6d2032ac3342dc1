package zkmeta

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
)

// Paths of the tree (ZkData.scala). All are relative to the chroot.
const (
	controllerPath        = "/controller"
	controllerEpochPath   = "/controller_epoch"
	clusterPath           = "/cluster/id"
	featurePath           = "/feature"
	consumersPath         = "/consumers"
	brokerIDsPath         = "/brokers/ids"
	brokerSequencePath    = "/brokers/seqid"
	topicsPath            = "/brokers/topics"
	configPath            = "/config"
	configChangesPath     = "/config/changes"
	deleteTopicsPath      = "/admin/delete_topics"
	reassignPath          = "/admin/reassign_partitions"
	preferredElectionPath = "/admin/preferred_replica_election"
	isrChangesPath        = "/isr_change_notification"
	logDirEventsPath      = "/log_dir_event_notification"
	producerIDsPath       = "/latest_producer_id_block"
)

// rootPaths are what every starting broker creates when missing.
func rootPaths() []string {
	return []string{
		consumersPath, brokerIDsPath, topicsPath, configChangesPath, deleteTopicsPath, brokerSequencePath,
		isrChangesPath, producerIDsPath, logDirEventsPath,
		"/config/topics", "/config/clients", "/config/users", "/config/brokers", "/config/ips",
	}
}

// ZNodeKind is how a znode lives.
type ZNodeKind string

// Persistent znodes stay, ephemeral ones go with their session, sequential ones are persistent and numbered by
// the server.
const (
	Persistent ZNodeKind = "persistent"
	Ephemeral  ZNodeKind = "ephemeral"
	Sequential ZNodeKind = "sequential"
)

// ZNode describes one kind of znode of the tree.
type ZNode struct {
	Path string // path.Match pattern
	Kind ZNodeKind
	// Recode decodes data and encodes what was understood of it: the same JSON when nothing is lost. nil: the znode
	// has no data.
	Recode func(data []byte) ([]byte, error)
}

// ZNodes is the table of all znodes that this package reads or writes and that hold data, and of their parents.
// The first match counts.
func ZNodes() []ZNode {
	return []ZNode{
		{controllerZNode{}.path(), Ephemeral, recode(decodeController)},
		{controllerEpochZNode(0).path(), Persistent, recode(decodeControllerEpoch)},
		{clusterZNode{}.path(), Persistent, recode(decodeCluster)},
		{featureZNode{}.path(), Persistent, recode(decodeFeature)},
		{brokerIDsPath + "/*", Ephemeral, recode(decodeBroker)},
		{topicsPath + "/*", Persistent, recode(decodeTopic)},
		{topicsPath + "/*/partitions/*/state", Persistent, recode(decodePartitionState)},
		{configChangesPath + "/" + configChangePrefix + "*", Sequential, recode(decodeConfigChange)},
		{configPath + "/*/*", Persistent, recode(decodeConfig)},
		{configPath + "/users/*/clients/*", Persistent, recode(decodeConfig)},
		{isrChangesPath + "/" + isrChangePrefix + "*", Sequential, recode(decodeISRChange)},
		{logDirEventsPath + "/" + logDirEventPrefix + "*", Sequential, recode(decodeLogDirEvent)},
		{producerIDsZNode{}.path(), Persistent, recode(decodeProducerIDs)},
		{reassignmentZNode{}.path(), Persistent, recode(decodeReassignment)},
		{preferredElectionZNode{}.path(), Persistent, recode(decodePreferredElection)},

		{deleteTopicsPath + "/*", Persistent, nil},
		{topicsPath + "/*/partitions", Persistent, nil},
		{topicsPath + "/*/partitions/*", Persistent, nil},
		{configPath + "/users/*/clients", Persistent, nil},
		{brokerSequencePath, Persistent, nil},
		{consumersPath, Persistent, nil},
		{"/*", Persistent, nil},
		{"/*/*", Persistent, nil},
	}
}

// recode makes a ZNode's Recode of a decoder.
func recode[T interface{ encode() []byte }](decode func([]byte) (T, error)) func([]byte) ([]byte, error) {
	return func(data []byte) ([]byte, error) {
		z, err := decode(data)
		if err != nil {
			return nil, err
		}
		return z.encode(), nil
	}
}

// encodeJSON writes v as Jackson does: no spaces, and < > & as they are. v is one of our own structs, which
// always encode.
func encodeJSON(v any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(fmt.Sprintf("zkmeta: encode %T: %v", v, err))
	}
	return bytes.TrimRight(buffer.Bytes(), "\n")
}

// decodeJSON reads data into v, ignoring keys it does not know. what names the znode in errors, which do not
// show the data: it may hold secrets.
func decodeJSON(what string, data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("decode %s of %d bytes: %w", what, len(data), err)
	}
	return nil
}

// need returns the value of a key that must be there.
func need[T any](what, key string, v *T) (T, error) {
	if v == nil {
		var none T
		return none, fmt.Errorf("decode %s: key %q is missing", what, key)
	}
	return *v, nil
}

// encodeUUID writes an id as Kafka's Uuid does: base64 for URLs, without padding, 22 characters.
func encodeUUID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func decodeUUID(text string) (id [16]byte, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("%q is not an id of 16 bytes in base64", text)
	}
	return [16]byte(raw), nil
}

// clusterZNode is /cluster/id.
type clusterZNode struct{ ID string }

func (clusterZNode) path() string { return clusterPath }

func (z clusterZNode) encode() []byte {
	return encodeJSON(struct {
		Version string `json:"version"` // a string here, and only here
		ID      string `json:"id"`
	}{"1", z.ID})
}

func decodeCluster(data []byte) (clusterZNode, error) {
	var raw struct {
		ID *string `json:"id"`
	}
	if err := decodeJSON(clusterPath, data, &raw); err != nil {
		return clusterZNode{}, err
	}
	id, err := need(clusterPath, "id", raw.ID)
	return clusterZNode{id}, err
}

// controllerZNode is /controller.
type controllerZNode struct {
	BrokerID    int32
	TimestampMs int64
	KRaftEpoch  int32 // -1 in a cluster of ZooKeeper
}

func (controllerZNode) path() string { return controllerPath }

func (z controllerZNode) encode() []byte {
	return encodeJSON(struct {
		Version    int    `json:"version"`
		BrokerID   int32  `json:"brokerid"`
		Timestamp  string `json:"timestamp"`
		KRaftEpoch int32  `json:"kraftControllerEpoch"`
	}{2, z.BrokerID, strconv.FormatInt(z.TimestampMs, 10), z.KRaftEpoch})
}

func decodeController(data []byte) (controllerZNode, error) {
	var raw struct {
		BrokerID   *int32 `json:"brokerid"`
		Timestamp  any    `json:"timestamp"` // not interpreted; old versions wrote a number
		KRaftEpoch *int32 `json:"kraftControllerEpoch"`
	}
	z := controllerZNode{KRaftEpoch: -1}
	err := decodeJSON(controllerPath, data, &raw)
	if err == nil {
		z.BrokerID, err = need(controllerPath, "brokerid", raw.BrokerID)
	}
	if text, ok := raw.Timestamp.(string); ok {
		z.TimestampMs, _ = strconv.ParseInt(text, 10, 64)
	}
	if raw.KRaftEpoch != nil {
		z.KRaftEpoch = *raw.KRaftEpoch
	}
	return z, err
}

// controllerEpochZNode is /controller_epoch: the epoch in decimal.
type controllerEpochZNode int32

func (controllerEpochZNode) path() string { return controllerEpochPath }

func (z controllerEpochZNode) encode() []byte { return strconv.AppendInt(nil, int64(z), 10) }

func decodeControllerEpoch(data []byte) (controllerEpochZNode, error) {
	epoch, err := strconv.ParseInt(string(data), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("decode %s: %w", controllerEpochPath, err)
	}
	return controllerEpochZNode(epoch), nil
}

// producerIDsZNode is /latest_producer_id_block. Its numbers are strings.
type producerIDsZNode ProducerIDBlock

func (producerIDsZNode) path() string { return producerIDsPath }

func (z producerIDsZNode) encode() []byte {
	return encodeJSON(struct {
		Version int    `json:"version"`
		Broker  int32  `json:"broker"`
		Start   string `json:"block_start"`
		End     string `json:"block_end"`
	}{1, z.BrokerID, strconv.FormatInt(z.First, 10), strconv.FormatInt(z.Last, 10)})
}

func decodeProducerIDs(data []byte) (producerIDsZNode, error) {
	var raw struct {
		Broker *int32  `json:"broker"`
		Start  *string `json:"block_start"`
		End    *string `json:"block_end"`
	}
	if err := decodeJSON(producerIDsPath, data, &raw); err != nil {
		return producerIDsZNode{}, err
	}
	if raw.Broker == nil || raw.Start == nil || raw.End == nil {
		return producerIDsZNode{}, fmt.Errorf("decode %s: broker, block_start or block_end is missing", producerIDsPath)
	}
	z := producerIDsZNode{BrokerID: *raw.Broker}
	var err error
	if z.First, err = strconv.ParseInt(*raw.Start, 10, 64); err == nil {
		z.Last, err = strconv.ParseInt(*raw.End, 10, 64)
	}
	if err != nil || z.First < 0 || z.Last < z.First {
		return producerIDsZNode{}, fmt.Errorf("decode %s: no block from %q to %q", producerIDsPath, *raw.Start, *raw.End)
	}
	return z, nil
}

// featureZNode is /feature (KIP-584).
type featureZNode struct {
	Version  int32 // 1 had a min_version_level beside each level; we write 2
	Enabled  bool
	Features map[string]int16
}

func (featureZNode) path() string { return featurePath }

type featureLevels struct {
	Min *int16 `json:"min_version_level,omitempty"`
	Max *int16 `json:"max_version_level"`
}

func (z featureZNode) encode() []byte {
	features := make(map[string]featureLevels, len(z.Features))
	for name, level := range z.Features {
		levels := featureLevels{Max: &level}
		if z.Version == 1 {
			levels.Min = &level
		}
		features[name] = levels
	}
	status := 0
	if z.Enabled {
		status = 1
	}
	return encodeJSON(struct {
		Version  int32                    `json:"version"`
		Status   int                      `json:"status"`
		Features map[string]featureLevels `json:"features"`
	}{z.Version, status, features})
}

func decodeFeature(data []byte) (featureZNode, error) {
	var raw struct {
		Version  *int32                   `json:"version"`
		Status   *int32                   `json:"status"`
		Features map[string]featureLevels `json:"features"`
	}
	if err := decodeJSON(featurePath, data, &raw); err != nil {
		return featureZNode{}, err
	}
	switch {
	case raw.Version == nil || *raw.Version < 1 || *raw.Version > 2:
		return featureZNode{}, fmt.Errorf("decode %s: its version is neither 1 nor 2", featurePath)
	case raw.Status == nil || *raw.Status < 0 || *raw.Status > 1:
		return featureZNode{}, fmt.Errorf("decode %s: its status is neither 0 nor 1", featurePath)
	case raw.Features == nil:
		return featureZNode{}, fmt.Errorf("decode %s: key \"features\" is missing", featurePath)
	}
	z := featureZNode{Version: *raw.Version, Enabled: *raw.Status == 1, Features: make(map[string]int16)}
	for name, levels := range raw.Features {
		if levels.Max == nil || *levels.Max < 1 || z.Version == 1 && (levels.Min == nil || *levels.Min < 1 || *levels.Min > *levels.Max) {
			return featureZNode{}, fmt.Errorf("decode %s: no valid levels for feature %q", featurePath, name)
		}
		z.Features[name] = *levels.Max
	}
	return z, nil
}
