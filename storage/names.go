package storage

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Suffixes and names of Kafka's files (LogFileUtils.java, LocalLog.scala).
const (
	logSuffix       = ".log"
	offsetSuffix    = ".index"
	timeSuffix      = ".timeindex"
	txnSuffix       = ".txnindex"
	snapshotSuffix  = ".snapshot"
	deletedSuffix   = ".deleted"
	cleanedSuffix   = ".cleaned"
	swapSuffix      = ".swap"
	temporarySuffix = ".tmp"

	deleteDirSuffix = "-delete"
	futureDirSuffix = "-future"
	strayDirSuffix  = "-stray"

	lockName           = ".lock"
	cleanShutdownName  = ".kafka_cleanshutdown"
	metaName           = "meta.properties"
	recoveryPointsName = "recovery-point-offset-checkpoint"
	startOffsetsName   = "log-start-offset-checkpoint"
	highWatermarksName = "replication-offset-checkpoint"
	cleanerName        = "cleaner-offset-checkpoint"
	epochsName         = "leader-epoch-checkpoint"
	partitionMetaName  = "partition.metadata"
	replacementName    = "replaces-other-directory" // ours, not Kafka's: replacement

	metadataTopicDir    = "__cluster_metadata-0"
	remoteIndexCacheDir = "remote-log-index-cache"

	maxNameLength = 255
)

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String returns the name that the partition's folder has.
func (tp TopicPartition) String() string {
	return tp.Topic + "-" + strconv.Itoa(int(tp.Partition))
}

// segmentName is the name of a segment's or snapshot's file: the offset in 20 digits.
func segmentName(offset int64, suffix string) string {
	return fmt.Sprintf("%020d%s", offset, suffix)
}

// parseSegmentName splits what segmentName made; ok is false for other names.
func parseSegmentName(name string) (offset int64, suffix string, ok bool) {
	dot := strings.IndexByte(name, '.')
	if dot != 20 {
		return 0, "", false
	}
	offset, err := strconv.ParseInt(name[:dot], 10, 64)
	if err != nil || offset < 0 {
		return 0, "", false
	}
	return offset, name[dot:], true
}

// folderKind says what a folder in a log directory is.
type folderKind int8

const (
	partitionFolder folderKind = iota
	deletedFolder
	futureFolder
	strayFolder
	ignoredFolder
)

// parseFolder reads the name of a folder in a log directory as LocalLog.parseTopicPartitionName
// does. A name that is none of Kafka's is an error, which is fatal at the start.
func parseFolder(name string) (TopicPartition, folderKind, error) {
	if name == metadataTopicDir || name == remoteIndexCacheDir {
		return TopicPartition{}, ignoredFolder, nil
	}
	bad := fmt.Errorf("folder %q is not a partition's: log directories hold topic-partition and topic-partition.id-delete folders only", name)
	kind := partitionFolder
	for suffix, k := range map[string]folderKind{
		deleteDirSuffix: deletedFolder, futureDirSuffix: futureFolder, strayDirSuffix: strayFolder,
	} {
		if strings.HasSuffix(name, suffix) {
			kind = k
		}
	}
	plain := name
	if kind != partitionFolder {
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			return TopicPartition{}, 0, bad
		}
		plain = name[:dot]
	}
	dash := strings.LastIndexByte(plain, '-')
	if dash <= 0 {
		return TopicPartition{}, 0, bad
	}
	partition, err := strconv.ParseInt(plain[dash+1:], 10, 32)
	if err != nil || partition < 0 {
		return TopicPartition{}, 0, bad
	}
	return TopicPartition{plain[:dash], int32(partition)}, kind, nil
}

// futureFolderName is the name of the folder of a copy under way. Unlike deletedFolderName it keeps the topic whole, which is read from
// it again; a name that is too long is for the caller to refuse.
func futureFolderName(tp TopicPartition) string {
	return tp.String() + "." + randomID() + futureDirSuffix
}

// randomID is a random UUID as it stands in names.
func randomID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// deletedFolderName is what the folder of a deleted partition is renamed to: the topic is cut
// so that the name fits, and an id makes it unique.
func deletedFolderName(tp TopicPartition) string {
	suffix := fmt.Sprintf("-%d.%s%s", tp.Partition, randomID(), deleteDirSuffix)
	return tp.Topic[:min(len(tp.Topic), maxNameLength-len(suffix))] + suffix
}
