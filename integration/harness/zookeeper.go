package harness

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// zookeeperJar is where the distribution's package libzookeeper-java puts the server.
const zookeeperJar = "/usr/share/java/zookeeper.jar"

// ZooKeeper is one standalone Apache ZooKeeper server.
type ZooKeeper struct {
	Port int

	dir     string
	process *process
}

// StartZooKeeper starts a server and returns when it answers.
func StartZooKeeper(t testing.TB) *ZooKeeper {
	t.Helper()
	if _, err := os.Stat(zookeeperJar); err != nil {
		t.Fatalf("%s is missing: run scripts/install-test-deps", zookeeperJar)
	}
	z := &ZooKeeper{Port: FreePort(t), dir: t.TempDir()}
	settings := fmt.Sprintf("dataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\ntickTime=250\n"+
		"minSessionTimeout=500\nmaxSessionTimeout=60000\nmaxClientCnxns=0\nadmin.enableServer=false\n"+
		"4lw.commands.whitelist=*\n", filepath.Join(z.dir, "data"), z.Port)
	if err := os.WriteFile(z.settings(), []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	z.Start(t)
	return z
}

func (z *ZooKeeper) settings() string { return filepath.Join(z.dir, "zoo.cfg") }

// Start starts the server again after Kill, with the data it had.
func (z *ZooKeeper) Start(t testing.TB) {
	t.Helper()
	z.process = start(t, "zookeeper", exec.Command("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", zookeeperJar,
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", z.settings()))
	Eventually(t, 30*time.Second, func() error {
		// ruok is answered before requests are.
		if answer := FourLetterWord(z.Address(), "srvr"); !strings.Contains(answer, "Mode: standalone") {
			return fmt.Errorf("zookeeper answers %q to srvr", answer)
		}
		return nil
	})
}

// Address is host:port for zookeeper.connect.
func (z *ZooKeeper) Address() string { return fmt.Sprintf("127.0.0.1:%d", z.Port) }

// Kill ends the server as SIGKILL does.
func (z *ZooKeeper) Kill() { z.process.kill() }

// FourLetterWord asks a ZooKeeper server a word and returns its answer, or "" when there is none.
func FourLetterWord(address, word string) string {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return ""
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second)) // a TCP connection takes deadlines
	if _, err := c.Write([]byte(word)); err != nil {
		return ""
	}
	answer := make([]byte, 64<<10)
	n, _ := c.Read(answer) // an error gives an empty answer
	return strings.TrimSpace(string(answer[:n]))
}
