package integration

import (
	"os/exec"
	"testing"

	"github.com/kbroker/kbroker/integration/cluster"
	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/integration/story"
)

// TestGroupsOnACluster tells a group's story on a cluster, whose coordinator is killed, moved and stopped, in the classic
// protocol. With that of KIP-848 franz-go keeps sending heartbeats to the coordinator that is gone (it retries at the same address, up to
// 5 s apart, and does not look for another), so that its members come back too late to tell anything about brokers.
func TestGroupsOnACluster(t *testing.T) {
	t.Parallel()
	worker := harness.Program(t, "github.com/kbroker/kbroker/integration/workers/golang")
	e := harness.StartEnsemble(t, 1)
	t.Run("tell", func(t *testing.T) { // the ensemble outlives those that run in parallel
		for _, name := range []string{"franz-cooperative"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				k := cluster.Start(t, e, cluster.Options{Kinds: cluster.Kinds(), Peers: "peers", Config: story.ClusterConfig()})
				story.TellOnCluster(t, k, story.Client{
					Name:    name,
					Command: func(s story.Seat) *exec.Cmd { return exec.Command(worker, name, s.Address, s.Topic, s.Group, s.Name) },
				})
			})
		}
	})
}
