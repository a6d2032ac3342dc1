package cluster

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestOwnerOf tells apart who has connected: this process, and one of another, and nobody known.
func TestOwnerOf(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	port := l.Addr().(*net.TCPAddr).Port
	child := exec.Command("bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/127.0.0.1/%d; read -r -u 3", port))
	harness.Spawn(t, "child", child)
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	names := map[int]string{os.Getpid(): "test", child.Process.Pid: "child"}
	for _, want := range []struct {
		name string
		conn net.Conn
	}{{"test", accepted}, {"child", other}} {
		if got := ownerOf(want.conn, names); got != want.name {
			t.Errorf("a connection of %s is taken for one of %q", want.name, got)
		}
		remote := want.conn.RemoteAddr().(*net.TCPAddr).Port
		if inode, err := askKernel(remote, port); err == nil && inode == "" {
			t.Errorf("the kernel does not know the connection of %s", want.name)
		}
	}
	delete(names, child.Process.Pid)
	if got := ownerOf(other, names); got != "" {
		t.Errorf("a connection of nobody known is taken for one of %q", got)
	}
}

// TestTableOfSockets: where the kernel answers no questions, its table of sockets does.
func TestTableOfSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if scanSockets(f, c.LocalAddr().(*net.TCPAddr).Port, l.Addr().(*net.TCPAddr).Port) == "" {
		t.Error("the connection is not in the table")
	}
}
