package cluster

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/kbroker/kbroker/integration/harness"
)

// Read reads a znode as JSON; it has to be there within a time.
func (c *Cluster) Read(t testing.TB, path string, into any) {
	t.Helper()
	c.read(t, path, into)
}

// Stat returns a znode's, or nil when there is no such znode.
func (c *Cluster) Stat(t testing.TB, path string) *zk.Stat {
	t.Helper()
	var stat *zk.Stat
	harness.Eventually(t, lookWithin, func() error {
		exists, s, err := c.conn.Exists(c.chroot + path)
		if err == nil && exists {
			stat = s
		}
		return err
	})
	return stat
}

// Children returns the names below a znode, none when there is no such znode.
func (c *Cluster) Children(t testing.TB, path string) []string {
	t.Helper()
	var names []string
	harness.Eventually(t, lookWithin, func() (err error) {
		names, _, err = c.conn.Children(c.chroot + path)
		if errors.Is(err, zk.ErrNoNode) {
			return nil
		}
		return err
	})
	return names
}

// AwaitNoChildren returns once there is nothing below a znode.
func (c *Cluster) AwaitNoChildren(t testing.TB, path string, within time.Duration) {
	t.Helper()
	harness.Eventually(t, within, func() error {
		if names := c.Children(t, path); len(names) > 0 {
			return fmt.Errorf("below %s there are %q", path, names)
		}
		return nil
	})
}

// Elect makes a broker the controller: the others sleep, for less than their sessions, while there is none. All have to run.
func (c *Cluster) Elect(t testing.TB, n *Node) {
	t.Helper()
	if c.Controller(t) == n {
		return
	}
	for _, o := range c.Others(n) {
		o.Pause()
		defer o.Resume()
	}
	before := c.Stat(t, "/controller_epoch")
	if err := c.conn.Delete(c.chroot+"/controller", -1); err != nil {
		t.Fatalf("delete /controller: %v", err)
	}
	harness.Eventually(t, lookWithin, func() error {
		if after := c.Stat(t, "/controller_epoch"); after.Version == before.Version || c.Controller(t) != n {
			return fmt.Errorf("broker %d is not the controller", n.ID)
		}
		return nil
	})
}
