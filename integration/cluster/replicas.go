package cluster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kbroker/kbroker/integration/harness"
)

// PartitionDir is the folder of a broker's replica.
func (n *Node) PartitionDir(topic string, partition int32) string {
	return filepath.Join(n.dir, fmt.Sprintf("%s-%d", topic, partition))
}

// LogBytes are the records of a broker's replica, as they are in its segments.
func (n *Node) LogBytes(topic string, partition int32) ([]byte, error) {
	names, err := filepath.Glob(filepath.Join(n.PartitionDir(topic, partition), "*.log"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no segment", n.PartitionDir(topic, partition))
	}
	slices.Sort(names)
	var all []byte
	for _, name := range names {
		segment, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, segment...)
	}
	return all, nil
}

// AwaitSameBytes returns once all replicas of a topic that nobody writes to have the same bytes, whoever wrote them first.
func (c *Cluster) AwaitSameBytes(t testing.TB, topic string, partitions int, within time.Duration) {
	t.Helper()
	harness.Eventually(t, within, func() error {
		for p := range int32(partitions) {
			var first []byte
			for i, id := range c.Replicas(t, topic, p) {
				log, err := c.Node(id).LogBytes(topic, p)
				if err != nil {
					return err
				}
				if i == 0 {
					first = log
				} else if !bytes.Equal(first, log) {
					return fmt.Errorf("%s-%d: %d bytes on broker %d, %d on broker %d, which differ at %d", topic, p,
						len(first), c.Replicas(t, topic, p)[0], len(log), id, difference(first, log))
				}
			}
		}
		return nil
	})
}

func difference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
