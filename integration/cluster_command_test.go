package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/cluster"
	"github.com/kbroker/kbroker/integration/harness"
)

// clusterSettled bounds what a cluster needs to settle after a fault.
const clusterSettled = 45 * time.Second

// TestClusterCommands does an operator's round of a cluster of three brokers, one of which dies, with kbroker's commands.
func TestClusterCommands(t *testing.T) {
	t.Parallel()
	k := cluster.Start(t, harness.StartEnsemble(t, 1), cluster.Options{
		Kinds:  []cluster.Kind{cluster.KBroker, cluster.KBroker, cluster.KBroker},
		Config: map[string]string{"auto.leader.rebalance.enable": "false"},
	})
	c := &commands{t, harness.Binary(t, false), strings.Join(k.Bootstrap(), ",")}
	c.run("topics create shared --replica-assignment 1:2:3,2:3:1,3:1:2")
	k.AwaitInSync(t, "shared", 3, clusterSettled)
	if out := c.run("cluster"); !strings.Contains(out, " healthy ") {
		t.Errorf("the cluster is\n%s", out)
	}
	movesReplicas(c)
	findsDeadBroker(c, k)
	electsUnclean(c, k)
}

// movesReplicas moves a topic with data to another broker: slowly, cancelled, and to the end.
func movesReplicas(c *commands) {
	c.t.Helper()
	c.run("topics create heavy --replica-assignment 1,1 --config min.insync.replicas=1")
	client := harness.NewClient(c.t, c.address, kgo.ProducerBatchCompression(kgo.NoCompression()))
	var records []*kgo.Record
	for range 8000 {
		records = append(records, &kgo.Record{Topic: "heavy", Value: make([]byte, 1000)})
	}
	harness.Produce(c.t, client, records...)
	plan := filepath.Join(c.t.TempDir(), "plan.json")
	if err := os.WriteFile(plan, []byte(c.run("reassign generate --brokers 2,3 heavy -o json")), 0o644); err != nil {
		c.t.Fatal(err)
	}
	c.run("reassign execute " + plan + " --throttle 1000")
	if out := c.run("reassign list"); !strings.Contains(out, "heavy") {
		c.t.Errorf("in progress is\n%s", out)
	}
	c.refused("reassign verify "+plan, 2, "in progress")
	c.refused("reassign execute "+plan, 1, "--additional")
	c.run("reassign cancel " + plan)
	c.refused("reassign verify "+plan, 2, "not as planned")
	if out := c.run("configs get --topic heavy"); strings.Contains(out, "throttled") {
		c.t.Errorf("after the end there are throttles:\n%s", out)
	}

	_, progress, err := harness.RunApart("", c.kbroker, c.args("reassign execute "+plan+" --throttle 4M --wait")...)
	if err != nil {
		c.t.Fatal(err)
	}
	if !strings.Contains(progress, "heavy") {
		c.t.Errorf("it shows no progress:\n%s", progress)
	}
	c.run("reassign verify " + plan)
	if out := c.run("topics describe heavy -o json"); strings.Contains(out, `"leader":1`) || strings.Contains(out, `"leader": 1,`) {
		c.t.Errorf("broker 1 still leads:\n%s", out)
	}
}

// findsDeadBroker kills a broker, has that told, and makes it leader again afterwards.
func findsDeadBroker(c *commands, k *cluster.Cluster) {
	c.t.Helper()
	first := k.Node(1)
	first.Kill()
	k.AwaitOutOfSync(c.t, "shared", 3, first, clusterSettled)
	harness.Eventually(c.t, clusterSettled, func() error { // brokers hear of it one after the other
		out, err := harness.TryRun("", c.kbroker, c.args("cluster")...)
		if err == nil || !strings.Contains(err.Error(), "exit status 2") || !strings.Contains(err.Error(), "broker 1 is down; 3 of") {
			return fmt.Errorf("the cluster is, with broker 1 dead, %w\n%s", err, out)
		}
		return nil
	})
	c.contains(c.run("topics describe shared --under-replicated"), "shared 0 2 1 1,2,3 2,3 1 -")
	first.Restart(c.t)
	k.AwaitInSync(c.t, "shared", 3, clusterSettled)
	c.contains(c.run("elect-leaders --preferred --all"), "shared-0 elected")
	if leader := k.State(c.t, "shared", 0).Leader; leader != 1 {
		c.t.Errorf("broker %d leads shared-0", leader)
	}
	harness.Eventually(c.t, clusterSettled, func() error {
		_, err := harness.TryRun("", c.kbroker, c.args("cluster")...)
		return err
	})
}

// electsUnclean makes a replica leader that was not in sync.
func electsUnclean(c *commands, k *cluster.Cluster) {
	c.t.Helper()
	c.run("topics create risky --replica-assignment 2:3 --config min.insync.replicas=1")
	second, third := k.Node(2), k.Node(3)
	third.Kill()
	k.AwaitOutOfSync(c.t, "risky", 1, third, clusterSettled)
	second.Kill()
	awaitLeader := func(id int32) {
		c.t.Helper()
		k.AwaitStates(c.t, "risky", 1, clusterSettled, func(s cluster.PartitionState) error {
			if s.Leader != id {
				return fmt.Errorf("the leader is %d, not %d", s.Leader, id)
			}
			return nil
		})
	}
	awaitLeader(-1)
	c.refused("consume risky --until-end --timeout 5s", 1, "a partition has no leader")
	third.Restart(c.t)
	c.refused("elect-leaders --preferred risky:0", 1, "PREFERRED_LEADER_NOT_AVAILABLE")
	c.contains(c.run("elect-leaders --unclean risky:0"), "risky-0 elected")
	awaitLeader(3)
}

// TestClusterCommandsPastHungBroker has commands reach a cluster whose broker that is named first hangs, and is told of it; it is
// also the controller, which then dies.
func TestClusterCommandsPastHungBroker(t *testing.T) {
	t.Parallel()
	k := cluster.Start(t, harness.StartEnsemble(t, 1), cluster.Options{
		Kinds:  []cluster.Kind{cluster.KBroker, cluster.KBroker, cluster.KBroker},
		Config: map[string]string{"zookeeper.session.timeout.ms": "30000", "offsets.topic.replication.factor": "3"},
	})
	first := k.Node(1)
	k.Elect(t, first)
	c := &commands{t, harness.Binary(t, false), strings.Join(k.Bootstrap(), ",")}
	c.run("topics create shared --replica-assignment 2:3:1")
	k.AwaitInSync(t, "shared", 1, clusterSettled)
	first.Pause()
	started := time.Now()
	c.contains(c.run("topics list --timeout 20s"), "shared 1 3 -")
	if took := time.Since(started); took > 15*time.Second {
		t.Errorf("a hung broker kept a command for %s", took)
	}
	c.refused("cluster --timeout 40s", 2, "broker 1 does not answer")
	first.Resume()
	first.Kill()
	c.refused("cluster --timeout 40s", 2, "broker 1 does not answer")
}
