package integration

import (
	"os/exec"
	"testing"

	"github.com/kbroker/kbroker/integration/cluster"
	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/integration/story"
)

// TestGroupsOnACluster tells a group's story on a cluster, whose coordinator is killed, moved and stopped, in the classic
// protocol and that of KIP-848.
func TestGroupsOnACluster(t *testing.T) {
	t.Parallel()
	worker := harness.Program(t, "github.com/kbroker/kbroker/integration/workers/golang")
	e := harness.StartEnsemble(t, 1)
	t.Run("tell", func(t *testing.T) { // the ensemble outlives those that run in parallel
		for _, name := range []string{"franz-cooperative", "franz-consumer"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				kinds := cluster.Kinds()
				for _, kind := range kinds {
					if kind == cluster.Kafka && name == "franz-consumer" {
						t.Skip("Apache Kafka in ZooKeeper mode has no group.protocol=consumer")
					}
				}
				k := cluster.Start(t, e, cluster.Options{Kinds: kinds, Peers: "peers", Config: story.ClusterConfig()})
				story.TellOnCluster(t, k, story.Client{
					Name: name, Consumer: name == "franz-consumer",
					Command: func(s story.Seat) *exec.Cmd { return exec.Command(worker, name, s.Address, s.Topic, s.Group, s.Name) },
				})
			})
		}
	})
}
