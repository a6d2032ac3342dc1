//go:build compat

package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kbroker/kbroker/integration/cluster"
	"github.com/kbroker/kbroker/integration/harness"
)

// clusterOperator runs the tools of one release against a cluster of three brokers with two log directories each.
type clusterOperator struct {
	c       *cluster.Cluster
	version string
	folder  string             // of the files that tools are given
	dirs    map[int32][]string // log directories by broker
}

// settled bounds what a cluster needs to settle after a fault, with a tool that takes seconds to start.
const settled = 60 * time.Second

func (o clusterOperator) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	return tool(t, o.version, "", name, append([]string{"--bootstrap-server", strings.Join(o.c.Bootstrap(), ",")}, args...)...)
}

// show runs a tool and returns its output, which has to hold every part.
func (o clusterOperator) show(t *testing.T, parts []string, name string, args ...string) string {
	t.Helper()
	text := o.run(t, name, args...)
	if err := holds(text, parts); err != nil {
		t.Errorf("%s %s %v:\n%s", name, strings.Join(args, " "), err, text)
	}
	return text
}

// await runs a tool until its output holds every part.
func (o clusterOperator) await(t *testing.T, parts []string, name string, args ...string) {
	t.Helper()
	harness.Eventually(t, settled, func() error {
		text := o.run(t, name, args...)
		if err := holds(text, parts); err != nil {
			return fmt.Errorf("%s %s %w:\n%s", name, strings.Join(args, " "), err, text)
		}
		return nil
	})
}

func holds(text string, parts []string) error {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return fmt.Errorf("does not show %q", part)
		}
	}
	return nil
}

// rows runs a filter of kafka-topics --describe and checks how many partitions it shows.
func (o clusterOperator) rows(t *testing.T, want int, args ...string) {
	t.Helper()
	text := o.run(t, "kafka-topics", append([]string{"--describe"}, args...)...)
	if got := strings.Count(text, "\tPartition: "); got != want {
		t.Errorf("kafka-topics --describe %s shows %d partitions, want %d:\n%s", strings.Join(args, " "), got, want, text)
	}
}

// file writes a file for a tool and returns its name.
func (o clusterOperator) file(t *testing.T, name, format string, args ...any) string {
	t.Helper()
	path := filepath.Join(o.folder, name)
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestClusterTools does the round of an operator of three brokers with the tools of each release.
func TestClusterTools(t *testing.T) {
	e := harness.StartEnsemble(t, 1)
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			o := clusterOperator{version: version, folder: t.TempDir(), dirs: map[int32][]string{}}
			joined := map[int32]string{}
			for id := range int32(3) {
				o.dirs[id+1] = []string{filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "log")}
				joined[id+1] = strings.Join(o.dirs[id+1], ",")
			}
			o.c = cluster.Start(t, e, cluster.Options{
				Kinds: []cluster.Kind{cluster.KBroker, cluster.KBroker, cluster.KBroker}, Dirs: joined,
				Config: map[string]string{"auto.leader.rebalance.enable": "false"}, // 5 s after a controller is elected, too
			})
			o.topics(t)
			o.configs(t)
			o.reassign(t)
			o.moveDirectory(t)
			o.elect(t)
			o.electUnclean(t)
			for _, n := range o.c.Nodes {
				n.Stop(t)
			}
		})
	}
}

func (o clusterOperator) topics(t *testing.T) {
	o.show(t, []string{"(id: 1 rack: null", "(id: 2 rack: null", "(id: 3 rack: null", "AlterPartition(56): 0 to 3"}, "kafka-broker-api-versions")
	o.run(t, "kafka-topics", "--create", "--topic", "shared", "--partitions", "5", "--replication-factor", "3")
	o.run(t, "kafka-topics", "--create", "--topic", "gone", "--partitions", "3", "--replication-factor", "2")
	o.run(t, "kafka-topics", "--create", "--topic", "lone", "--replica-assignment", "3,2", "--config", "min.insync.replicas=1")
	o.run(t, "kafka-topics", "--alter", "--topic", "shared", "--partitions", "6")
	o.show(t, []string{"PartitionCount: 6", "ReplicationFactor: 3", "Leader: 1", "Leader: 2", "Leader: 3"}, "kafka-topics", "--describe", "--topic", "shared")
	o.run(t, "kafka-topics", "--delete", "--topic", "gone")
	if list := strings.Fields(o.run(t, "kafka-topics", "--list")); strings.Join(list, " ") != "lone shared" {
		t.Errorf("kafka-topics lists %q", list)
	}
	for _, filter := range []string{"--under-replicated-partitions", "--unavailable-partitions", "--under-min-isr-partitions"} {
		o.rows(t, 0, filter)
	}
	o.show(t, []string{`"broker":1`, `"broker":3`, o.dirs[1][0], o.dirs[3][1], `"partition":"shared-5"`, `"offsetLag":0`},
		"kafka-log-dirs", "--describe", "--broker-list", "1,3", "--topic-list", "shared")

	third := o.c.Node(3)
	third.Kill()
	o.c.AwaitOutOfSync(t, "shared", 6, third, settled)
	o.rows(t, 6, "--under-replicated-partitions")
	o.rows(t, 1, "--unavailable-partitions")
	o.rows(t, 6, "--at-min-isr-partitions", "--topic", "shared")
	o.rows(t, 0, "--under-min-isr-partitions", "--topic", "shared")
	third.Restart(t)
	o.c.AwaitInSync(t, "shared", 6, settled)
	o.await(t, []string{"Leader: 3"}, "kafka-topics", "--describe", "--topic", "lone")
	o.rows(t, 0, "--under-replicated-partitions")
}

func (o clusterOperator) configs(t *testing.T) {
	alter := func(args ...string) { t.Helper(); o.run(t, "kafka-configs", append([]string{"--alter"}, args...)...) }
	describe := func(parts []string, args ...string) {
		t.Helper()
		o.await(t, parts, "kafka-configs", append([]string{"--describe"}, args...)...)
	}
	two, all := []string{"--entity-type", "brokers", "--entity-name", "2"}, []string{"--entity-type", "brokers", "--entity-default"}
	alter(append(two, "--add-config", "message.max.bytes=1500000")...)
	alter(append(all, "--add-config", "message.max.bytes=1600000,log.retention.ms=7200000")...)
	describe([]string{"message.max.bytes=1500000", "DYNAMIC_BROKER_CONFIG:message.max.bytes=1500000", "DYNAMIC_DEFAULT_BROKER_CONFIG:message.max.bytes=1600000"}, two...)
	describe([]string{"log.retention.ms=7200000"}, all...)
	for _, id := range []string{"1", "3"} {
		describe([]string{"DYNAMIC_DEFAULT_BROKER_CONFIG:message.max.bytes=1600000"}, "--entity-type", "brokers", "--entity-name", id, "--all")
	}
	alter(append(two, "--delete-config", "message.max.bytes")...)
	alter(append(all, "--delete-config", "message.max.bytes,log.retention.ms")...)
	topic := []string{"--entity-type", "topics", "--entity-name", "shared"}
	alter(append(topic, "--add-config", "max.message.bytes=2000000")...)
	describe([]string{"max.message.bytes=2000000", "DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000000"}, topic...)
	if text := o.run(t, "kafka-configs", append([]string{"--describe"}, all...)...); strings.Contains(text, "=") {
		t.Errorf("the brokers' defaults are still\n%s", text)
	}
}

// reassign moves a topic with data to another broker: slowly, cancelled, and to the end.
func (o clusterOperator) reassign(t *testing.T) {
	o.run(t, "kafka-topics", "--create", "--topic", "heavy", "--replica-assignment", "1", "--config", "min.insync.replicas=1")
	said := tool(t, o.version, "", "kafka-producer-perf-test", "--topic", "heavy", "--num-records", "6000", "--record-size", "1000",
		"--throughput", "-1", "--producer-props", "bootstrap.servers="+o.c.Bootstrap()[0], "acks=all")
	if !strings.Contains(said, "6000 records sent") {
		t.Errorf("kafka-producer-perf-test:\n%s", said)
	}
	wanted := o.file(t, "topics.json", `{"version":1,"topics":[{"topic":"heavy"}]}`)
	o.show(t, []string{"Current partition replica assignment", `"replicas":[1]`, "Proposed partition reassignment configuration", `"replicas":[2]`},
		"kafka-reassign-partitions", "--generate", "--topics-to-move-json-file", wanted, "--broker-list", "2")

	plan := o.file(t, "plan.json", `{"version":1,"partitions":[{"topic":"heavy","partition":0,"replicas":[2]}]}`)
	reassign := func(parts []string, args ...string) {
		t.Helper()
		o.show(t, parts, "kafka-reassign-partitions", append(args, "--reassignment-json-file", plan)...)
	}
	reassign([]string{"Successfully started partition reassignment for heavy-0"}, "--execute", "--throttle", "1000")
	o.show(t, []string{"heavy-0: replicas: 2,1. adding: 2. removing: 1."}, "kafka-reassign-partitions", "--list")
	reassign([]string{"heavy-0 is still in progress"}, "--verify")
	o.show(t, []string{"leader.replication.throttled.replicas=0:1", "follower.replication.throttled.replicas=0:2"},
		"kafka-configs", "--describe", "--entity-type", "topics", "--entity-name", "heavy")
	reassign([]string{"Successfully cancelled partition reassignment for: heavy-0"}, "--cancel")
	o.await(t, []string{"No partition reassignments found"}, "kafka-reassign-partitions", "--list")
	o.show(t, []string{"Leader: 1\tReplicas: 1\tIsr: 1"}, "kafka-topics", "--describe", "--topic", "heavy")

	reassign([]string{"Successfully started partition reassignment for heavy-0"}, "--execute", "--throttle", "1000")
	reassign([]string{"throttle limit was set to 50000000 B/s"}, "--execute", "--throttle", "50000000", "--additional")
	o.await(t, []string{"heavy-0 is completed", "Clearing broker-level throttles"}, "kafka-reassign-partitions", "--verify", "--reassignment-json-file", plan)
	o.show(t, []string{"Leader: 2\tReplicas: 2\tIsr: 2"}, "kafka-topics", "--describe", "--topic", "heavy")
	for _, entity := range [][]string{{"topics", "heavy"}, {"brokers", "1"}, {"brokers", "2"}} {
		if text := o.run(t, "kafka-configs", "--describe", "--entity-type", entity[0], "--entity-name", entity[1]); strings.Contains(text, "throttled") {
			t.Errorf("%s keeps its throttles:\n%s", strings.Join(entity, " "), text)
		}
	}
}

// moveDirectory moves a replica to the other log directory of its broker, and then to another broker and directory at once.
func (o clusterOperator) moveDirectory(t *testing.T) {
	from := o.dirs[2][0]
	if _, err := os.Stat(filepath.Join(from, "heavy-0")); err != nil {
		from = o.dirs[2][1]
	}
	to := o.dirs[2][0]
	if from == to {
		to = o.dirs[2][1]
	}
	for i, target := range []struct {
		broker int32
		dir    string
	}{{2, to}, {3, o.dirs[3][1]}} {
		plan := o.file(t, fmt.Sprintf("directory-%d.json", i),
			`{"version":1,"partitions":[{"topic":"heavy","partition":0,"replicas":[%d],"log_dirs":[%q]}]}`, target.broker, target.dir)
		o.show(t, []string{fmt.Sprintf("Successfully started moving log directory to %s for replica heavy-0 with broker %d", target.dir, target.broker)}, "kafka-reassign-partitions", "--execute", "--reassignment-json-file", plan,
			"--replica-alter-log-dirs-throttle", "50000000")
		o.await(t, []string{
			"heavy-0 is completed", fmt.Sprintf("Reassignment of replica heavy-0-%d completed successfully", target.broker),
		}, "kafka-reassign-partitions", "--verify", "--reassignment-json-file", plan)
		if _, err := os.Stat(filepath.Join(target.dir, "heavy-0")); err != nil {
			t.Errorf("the replica is not where it was moved to: %v", err)
		}
	}
}

// elect makes the preferred replicas leaders after a broker was away.
func (o clusterOperator) elect(t *testing.T) {
	first := o.c.Node(1)
	first.Stop(t)
	first.Restart(t)
	o.c.AwaitInSync(t, "shared", 6, settled)
	o.show(t, []string{"Successfully completed leader election (PREFERRED) for partitions", "shared-"},
		"kafka-leader-election", "--election-type", "preferred", "--all-topic-partitions")
	for p := range int32(6) {
		if s, replicas := o.c.State(t, "shared", p), o.c.Replicas(t, "shared", p); s.Leader != replicas[0] {
			t.Errorf("shared-%d, assigned to %v, is led by %d", p, replicas, s.Leader)
		}
	}
	o.show(t, []string{"Valid replica already elected for partitions shared-1"},
		"kafka-leader-election", "--election-type", "preferred", "--topic", "shared", "--partition", "1")
}

// electUnclean makes a replica leader that was not in sync.
func (o clusterOperator) electUnclean(t *testing.T) {
	o.run(t, "kafka-topics", "--create", "--topic", "risky", "--replica-assignment", "2:3", "--config", "min.insync.replicas=1")
	second, third := o.c.Node(2), o.c.Node(3)
	third.Kill()
	o.c.AwaitOutOfSync(t, "risky", 1, third, settled)
	second.Kill()
	leads := func(id int32) {
		t.Helper()
		o.c.AwaitStates(t, "risky", 1, settled, func(s cluster.PartitionState) error {
			if s.Leader != id {
				return fmt.Errorf("the leader is %d, not %d", s.Leader, id)
			}
			return nil
		})
	}
	leads(-1)
	third.Restart(t)
	o.await(t, []string{"Leader: none"}, "kafka-topics", "--describe", "--unavailable-partitions", "--topic", "risky")
	election := o.file(t, "election.json", `{"partitions":[{"topic":"risky","partition":0}]}`)
	o.show(t, []string{"Successfully completed leader election (UNCLEAN) for partitions risky-0"},
		"kafka-leader-election", "--election-type", "unclean", "--path-to-json-file", election)
	leads(3)
	second.Restart(t)
	o.await(t, []string{"Leader: 3\tReplicas: 2,3\tIsr: 3,2"}, "kafka-topics", "--describe", "--topic", "risky")
}
