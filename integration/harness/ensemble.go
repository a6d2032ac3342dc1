package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Ensemble is an Apache ZooKeeper ensemble of several processes.
type Ensemble struct {
	Members []*Member
}

// Member is one server of an ensemble.
type Member struct {
	ID   int
	Port int // for clients

	dir     string
	owner   testing.TB // whose end ends the server, whoever has launched it last
	process *process
}

// MemberPorts are the ports of one server of an ensemble.
type MemberPorts struct{ Client, Quorum, Election int }

// StartEnsemble starts an ensemble, which may be of one server, and returns when it has a leader and all serve.
func StartEnsemble(t testing.TB, size int) *Ensemble {
	t.Helper()
	if err := ZooKeeperInstalled(); err != nil {
		t.Fatal(err)
	}
	ports := make([]MemberPorts, size)
	for i := range ports {
		ports[i] = MemberPorts{FreePort(t), FreePort(t), FreePort(t)}
	}
	e := &Ensemble{}
	for i := range ports {
		m := &Member{ID: i + 1, Port: ports[i].Client, dir: t.TempDir(), owner: t}
		if err := WriteMember(m.dir, m.ID, ports); err != nil {
			t.Fatal(err)
		}
		m.Launch()
		e.Members = append(e.Members, m)
	}
	for _, m := range e.Members {
		m.AwaitServing(t)
	}
	return e
}

// ZooKeeperInstalled says what to do when Apache ZooKeeper or Java are missing.
func ZooKeeperInstalled() error {
	if _, err := os.Stat(zookeeperJar); err != nil {
		return fmt.Errorf("%s is missing: run scripts/install-test-deps (Debian: apt-get install libzookeeper-java default-jre-headless)", zookeeperJar)
	}
	if _, err := exec.LookPath("java"); err != nil {
		return fmt.Errorf("java is missing: run scripts/install-test-deps (Debian: apt-get install default-jre-headless)")
	}
	return nil
}

// WriteMember writes the settings of server id (from 1) of an ensemble into its folder.
func WriteMember(dir string, id int, ports []MemberPorts) error {
	data := filepath.Join(dir, "data")
	// Short ticks: the ensemble misses a paused leader after syncLimit of them, 2 s.
	settings := fmt.Sprintf("dataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\ntickTime=250\ninitLimit=40\nsyncLimit=8\n"+
		"minSessionTimeout=500\nmaxSessionTimeout=60000\nmaxClientCnxns=0\nadmin.enableServer=false\n"+
		"4lw.commands.whitelist=*\n", data, ports[id-1].Client)
	for i, p := range ports {
		settings += fmt.Sprintf("server.%d=127.0.0.1:%d:%d\n", i+1, p.Quorum, p.Election)
	}
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, "myid"), fmt.Append(nil, id), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "zoo.cfg"), []byte(settings), 0o644)
}

// MemberCommand runs the server whose settings WriteMember wrote.
func MemberCommand(dir string) *exec.Cmd {
	return exec.Command("java", "-Xmx192m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", zookeeperJar,
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", filepath.Join(dir, "zoo.cfg"))
}

// Launch starts the server (again, after Kill) with the data it had, without waiting for it.
func (m *Member) Launch() {
	m.process = start(m.owner, fmt.Sprintf("zookeeper %d", m.ID), MemberCommand(m.dir))
}

// AwaitServing returns once the server leads, follows, or is alone.
func (m *Member) AwaitServing(t testing.TB) {
	t.Helper()
	Eventually(t, readyWithin, func() error {
		if m.Role() == "" {
			return fmt.Errorf("zookeeper %d does not serve: %q", m.ID, FourLetterWord(m.Address(), "srvr"))
		}
		return nil
	})
}

// Role is leader, follower, or standalone for an ensemble of one; "" while the server does not serve.
func (m *Member) Role() string {
	answer := FourLetterWord(m.Address(), "srvr")
	for _, role := range []string{"leader", "follower", "standalone"} {
		if strings.Contains(answer, "Mode: "+role) {
			return role
		}
	}
	return ""
}

// Address is host:port for zookeeper.connect.
func (m *Member) Address() string { return fmt.Sprintf("127.0.0.1:%d", m.Port) }

// Kill ends the server as SIGKILL does.
func (m *Member) Kill() { m.process.kill() }

// Pause stops the server as SIGSTOP does; Resume lets it go on.
func (m *Member) Pause()  { m.process.signal(syscall.SIGSTOP) }
func (m *Member) Resume() { m.process.signal(syscall.SIGCONT) }

// Restore lets all servers run, whatever was done to them.
func (e *Ensemble) Restore(t testing.TB) {
	t.Helper()
	for _, m := range e.Members {
		m.Resume()
		select {
		case <-m.process.exited:
			m.Launch()
		default:
		}
	}
	for _, m := range e.Members {
		m.AwaitServing(t)
	}
}

// WithRole returns a server that leads, or one that follows.
func (e *Ensemble) WithRole(t testing.TB, role string) *Member {
	t.Helper()
	var found *Member
	Eventually(t, 30*time.Second, func() error {
		for _, m := range e.Members {
			if m.Role() == role {
				found = m
				return nil
			}
		}
		return fmt.Errorf("no server of the ensemble is its %s", role)
	})
	return found
}

// Addresses are those of all servers, for zookeeper.connect.
func (e *Ensemble) Addresses() []string {
	var all []string
	for _, m := range e.Members {
		all = append(all, m.Address())
	}
	return all
}
