package integration

import (
	"testing"

	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/zkmeta/zkmetatest"
	"github.com/kbroker/kbroker/zkmeta/zkserver/zktest"
)

// TestEmbeddedSuiteOnApacheZooKeeper runs the suite that the embedded server passes against the real one.
func TestEmbeddedSuiteOnApacheZooKeeper(t *testing.T) {
	zktest.Run(t, harness.StartZooKeeper(t).Address())
}

// TestZNodesOnApacheZooKeeper runs zkmeta's suite against the real server.
func TestZNodesOnApacheZooKeeper(t *testing.T) {
	zkmetatest.Run(t, harness.StartZooKeeper(t).Address())
}
