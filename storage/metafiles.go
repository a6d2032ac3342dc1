package storage

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kbroker/kbroker/storage/vfs"
)

// encodeID writes a UUID as Kafka does.
func encodeID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func decodeID(text string) (id [16]byte, err error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("%q is not an id", text)
	}
	return [16]byte(b), nil
}

// writePartitionMeta writes partition.metadata (Kafka: PartitionMetadataFile.java).
func writePartitionMeta(fsys vfs.FS, folder string, id [16]byte) error {
	return replaceFile(fsys, folder, partitionMetaName, []byte("version: 0\ntopic_id: "+encodeID(id)), true)
}

func readPartitionMeta(fsys vfs.FS, folder string) ([16]byte, error) {
	content, err := readFile(fsys, filepath.Join(folder, partitionMetaName))
	if err != nil {
		return [16]byte{}, err
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	if len(lines) == 2 && strings.TrimSpace(lines[0]) == "version: 0" {
		if text, ok := strings.CutPrefix(lines[1], "topic_id:"); ok {
			id, err := decodeID(strings.TrimSpace(text))
			if err == nil {
				return id, nil
			}
		}
	}
	return [16]byte{}, fmt.Errorf("%s in %s is malformed", partitionMetaName, folder)
}

// meta is what meta.properties says of a log directory.
type meta struct {
	brokerID  int32  // -1: not there
	clusterID string // "": not there
}

// errUnreadable is wrapped by an error of the disk, as opposed to a file that says something wrong.
var errUnreadable = errors.New("unreadable")

// ReadMeta reads meta.properties of the directories before Open: the broker id and cluster id on
// which they agree; -1 and "" when there are none. A directory that cannot be read does not count: Open finds it offline.
func ReadMeta(fsys vfs.FS, dirs []string) (brokerID int32, clusterID string, err error) {
	agreed := meta{brokerID: -1}
	for _, dir := range dirs {
		m, _, err := readMeta(fsys, dir)
		if errors.Is(err, errUnreadable) {
			continue
		}
		if err != nil {
			return -1, "", err
		}
		if agreed, err = agreed.with(m, dir); err != nil {
			return -1, "", err
		}
	}
	return agreed.brokerID, agreed.clusterID, nil
}

// with adds what another directory says.
func (m meta) with(other meta, dir string) (meta, error) {
	if m.brokerID >= 0 && other.brokerID >= 0 && m.brokerID != other.brokerID {
		return m, fmt.Errorf("%s: broker.id is %d in %s, want %d", metaName, other.brokerID, dir, m.brokerID)
	}
	if m.clusterID != "" && other.clusterID != "" && m.clusterID != other.clusterID {
		return m, fmt.Errorf("%s: cluster.id is %s in %s, want %s", metaName, other.clusterID, dir, m.clusterID)
	}
	if m.brokerID < 0 {
		m.brokerID = other.brokerID
	}
	if m.clusterID == "" {
		m.clusterID = other.clusterID
	}
	return m, nil
}

func readMeta(fsys vfs.FS, dir string) (m meta, found bool, err error) {
	m.brokerID = -1
	content, err := readFile(fsys, filepath.Join(dir, metaName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, false, nil
	}
	if err != nil {
		return m, false, fmt.Errorf("%s in %s is %w: %w", metaName, dir, errUnreadable, err)
	}
	p := parseProperties(string(content))
	if version := p["version"]; version != "" && version != "0" {
		return m, true, fmt.Errorf("%s in %s has version %s: the directory is not of a broker with ZooKeeper", metaName, dir, version)
	}
	if id := p["broker.id"]; id != "" {
		parsed, err := strconv.ParseInt(id, 10, 32)
		if err != nil || parsed < 0 {
			return m, true, fmt.Errorf("%s in %s: broker.id %q is not a number", metaName, dir, id)
		}
		m.brokerID = int32(parsed)
	}
	m.clusterID = p["cluster.id"]
	return m, true, nil
}

// parseProperties reads Java's format as far as Kafka writes it here.
func parseProperties(text string) map[string]string {
	p := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		at := strings.IndexAny(line, "=:")
		if at < 0 {
			continue
		}
		unescape := strings.NewReplacer(`\:`, ":", `\=`, "=", `\\`, `\`)
		p[unescape.Replace(strings.TrimSpace(line[:at]))] = unescape.Replace(strings.TrimSpace(line[at+1:]))
	}
	return p
}

func writeMeta(fsys vfs.FS, dir string, m meta) error {
	content := fmt.Sprintf("#\n#%s\nbroker.id=%d\nversion=0\ncluster.id=%s\n",
		time.Now().UTC().Format("Mon Jan 02 15:04:05 UTC 2006"), m.brokerID, m.clusterID)
	return replaceFile(fsys, dir, metaName, []byte(content), true)
}
