package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/kbroker/kbroker/integration/cluster"
)

const diskSize = 48 << 20

// smallDisk gives a broker a file system of its own, in a mount namespace.
func smallDisk(t *testing.T) (command []string, dir string) {
	dir = t.TempDir()
	script := fmt.Sprintf(`mount -t tmpfs -o size=%d tmpfs "$0" && exec "$@"`, diskSize)
	command = []string{"unshare", "--map-root-user", "--mount", "sh", "-c", script, dir}
	if out, err := exec.Command(command[0], append(command[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("this kernel gives no mount namespace to this user (%v: %s): a full disk of one broker in a cluster is not tested", err, out)
	}
	return command, dir
}

// diskFull fills a broker's disk and frees it again. Apache Kafka's broker ends itself on a full disk (and has no wrapper
// here, so its scenario is not told); kbroker refuses writes until there is space, as a leader and as a follower.
func diskFull(s *story) {
	n := s.c.Node(1)
	if n.Kind != cluster.KBroker {
		s.Skipf("broker 1 is %s, whose disk is not small", n.Kind)
	}
	ballast := filepath.Join("/proc", fmt.Sprint(n.PID()), "root", n.Dir(), "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		s.Fatal(err)
	}
	for block := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(block)
	}
	s.Logf("%6.2fs broker 1: %v", s.l.Now().Seconds(), err)
	s.wait(cluster.Lag)
	s.progress("broker 1's disk is full", s.notLed(n)...)
	s.wait(time.Second)
	if err := errors.Join(os.Remove(ballast), f.Close()); err != nil {
		s.Fatal(err)
	}
	if n.Dead() {
		s.Fatal("broker 1 has ended")
	}
	s.progress("broker 1's disk has space again")
	s.whole()
}
