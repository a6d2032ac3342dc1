package storage

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/kbroker/kbroker/storage/vfs"
)

// errMalformed is the error of a checkpoint file that cannot be understood whole.
var errMalformed = errors.New("malformed checkpoint file")

// parseCheckpoint splits a checkpoint file (Kafka: CheckpointFile.java) into the fields of its entries: a line with the version
// 0, one with the number of entries, then one line each. Kafka makes the file before it has something to write: an empty one
// has no entries.
func parseCheckpoint(content []byte) ([][]string, error) {
	if len(content) == 0 {
		return nil, nil
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	if len(lines) < 2 || strings.TrimSpace(lines[0]) != "0" {
		return nil, errMalformed
	}
	count, err := strconv.Atoi(strings.TrimSpace(lines[1]))
	if err != nil || count != len(lines)-2 {
		return nil, errMalformed
	}
	entries := make([][]string, count)
	for i := range entries {
		entries[i] = strings.Fields(lines[i+2])
	}
	return entries, nil
}

func appendCheckpointHeader(b []byte, count int) []byte {
	b = append(b, "0\n"...)
	b = strconv.AppendInt(b, int64(count), 10)
	return append(b, '\n')
}

// offsetCheckpoint is one of a log directory's files with an offset per partition.
type offsetCheckpoint struct {
	fs     vfs.FS
	folder string
	name   string

	mu      sync.Mutex
	written map[TopicPartition]int64 // what the file has
}

// load reads the file; a missing one is empty.
func (c *offsetCheckpoint) load() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = map[TopicPartition]int64{}
	content, err := readFile(c.fs, filepath.Join(c.folder, c.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	offsets, err := parseOffsets(content)
	if err != nil {
		return err
	}
	c.written = offsets
	return nil
}

func parseOffsets(content []byte) (map[TopicPartition]int64, error) {
	lines, err := parseCheckpoint(content)
	if err != nil {
		return nil, err
	}
	offsets := make(map[TopicPartition]int64, len(lines))
	for _, line := range lines {
		if len(line) != 3 {
			return nil, errMalformed
		}
		partition, err := strconv.ParseInt(line[1], 10, 32)
		if err != nil {
			return nil, errMalformed
		}
		offset, err := strconv.ParseInt(line[2], 10, 64)
		if err != nil {
			return nil, errMalformed
		}
		offsets[TopicPartition{line[0], int32(partition)}] = offset
	}
	return offsets, nil
}

// get returns what the file has for a partition.
func (c *offsetCheckpoint) get(tp TopicPartition) (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	offset, found := c.written[tp]
	return offset, found
}

// write replaces the file, unless it has just that.
func (c *offsetCheckpoint) write(offsets map[TopicPartition]int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replace(offsets)
}

// change rewrites one partition's entry where it differs.
func (c *offsetCheckpoint) change(tp TopicPartition, edit func(offset int64) (changed int64, keep bool)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	offset, found := c.written[tp]
	if !found {
		return nil
	}
	changed, keep := edit(offset)
	if keep && changed == offset {
		return nil
	}
	offsets := maps.Clone(c.written)
	offsets[tp] = changed
	if !keep {
		delete(offsets, tp)
	}
	return c.replace(offsets)
}

// set notes a partition's offset, and drops the entries that keep does not want.
func (c *offsetCheckpoint) set(tp TopicPartition, offset int64, keep func(TopicPartition) bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	offsets := make(map[TopicPartition]int64, len(c.written)+1)
	for other, at := range c.written {
		if keep(other) {
			offsets[other] = at
		}
	}
	offsets[tp] = offset
	return c.replace(offsets)
}

func (c *offsetCheckpoint) replace(offsets map[TopicPartition]int64) error {
	if c.written != nil && maps.Equal(c.written, offsets) {
		return nil
	}
	if err := replaceFile(c.fs, c.folder, c.name, formatOffsets(offsets), true); err != nil {
		return err
	}
	c.written = offsets
	return nil
}

func formatOffsets(offsets map[TopicPartition]int64) []byte {
	b := appendCheckpointHeader(nil, len(offsets))
	partitions := slices.SortedFunc(maps.Keys(offsets), func(a, b TopicPartition) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	for _, tp := range partitions {
		b = append(append(b, tp.Topic...), ' ')
		b = append(strconv.AppendInt(b, int64(tp.Partition), 10), ' ')
		b = append(strconv.AppendInt(b, offsets[tp], 10), '\n')
	}
	return bytes.Clone(b)
}
