//go:build compat

package exact

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/kbroker/kbroker/integration/harness"
)

const peers = "../peers"

// recordVariable, when it is set, has Kafka's answers written instead of compared.
const recordVariable = "KBROKER_RECORD"

// TestRecording asks Apache Kafka itself, and compares its answers with the recording.
func TestRecording(t *testing.T) {
	for _, b := range books() {
		cmd := exec.Command(filepath.Join(peers, "jars"), b.release) // before any clock runs: a cold cache takes minutes
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("bring Apache Kafka %s: %v", b.release, err)
		}
		t.Run(b.release, func(t *testing.T) {
			t.Parallel()
			s := askKafka(t, b)
			if os.Getenv(recordVariable) != "" {
				if err := writeRecording(b.path(), b.tell(t, s, nil)); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := readRecording(b.path())
			if err != nil {
				t.Fatal(err)
			}
			b.known = nil // there is no excuse
			b.compare(t, b.tell(t, s, want), want)
		})
	}
}

// askKafka starts Apache Kafka of the book's release.
func askKafka(t *testing.T, b book) *side {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "log")
	config := maps.Clone(b.config)
	maps.Copy(config, b.kafkas)
	var k *harness.Kafka
	chroot := "no ZooKeeper"
	if b.release[0] == '3' {
		chroot = harness.StartZooKeeper(t).Address() + "/kafka"
		k = harness.NewKafka(t, peers, chroot, dir, 0, config)
	} else {
		k = harness.NewKRaft(t, peers, b.release, dir, config)
	}
	k.Launch(t)
	s := newSide(t, k.Address())
	s.dir, s.zookeeper = k.Dir, chroot
	return s
}
