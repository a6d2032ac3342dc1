//go:build compat

package compat

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kbroker/kbroker/integration/cluster"
	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/integration/story"
)

const clients = peers + "/clients"

// bring brings clients of a language from their registry and returns the folder that holds them.
func bring(t testing.TB, language ...string) string {
	t.Helper()
	return strings.TrimSpace(harness.Run(t, "", filepath.Join(clients, "bring"), language...))
}

// jars is the class path of a release of Apache Kafka.
func jars(t testing.TB, release string) string {
	t.Helper()
	return filepath.Join(strings.TrimSpace(harness.Run(t, "", filepath.Join(peers, "jars"), release)), "*")
}

// TestGroupStories tells a group's story (see package story) with clients of other languages.
func TestGroupStories(t *testing.T) {
	t.Parallel()
	for _, c := range storyClients(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if c.Consumer {
				harness.NeedConsumerProtocol(t)
			}
			story.Tell(t, harness.StartSubject(t, peers, nil), c)
		})
	}
}

// TestGroupStoriesOnACluster tells a group's story on a cluster whose coordinator dies and moves, with librdkafka and Java, each
// in both protocols.
func TestGroupStoriesOnACluster(t *testing.T) {
	told := []string{
		"confluent-cooperative-sticky", "confluent-consumer", "java-cooperative-4.3.0", "java-consumer-4.3.0",
	}
	e := harness.StartEnsemble(t, 1)
	for _, c := range storyClients(t) {
		if !slices.Contains(told, c.Name) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			kinds := []cluster.Kind{cluster.KBroker, cluster.KBroker, cluster.KBroker}
			story.TellOnCluster(t, cluster.Start(t, e, cluster.Options{Kinds: kinds, Config: story.ClusterConfig()}), c)
		})
	}
}

func storyClients(t *testing.T) []story.Client {
	t.Helper()
	modules, python := bring(t, "node"), filepath.Join(bring(t, "python"), "venv", "bin", "python")
	program := func(name string, fixed ...string) story.Client {
		return story.Client{Name: name, Command: func(s story.Seat) *exec.Cmd {
			args := append(fixed[1:len(fixed):len(fixed)], s.Address, s.Topic, s.Group, s.Name)
			cmd := exec.Command(fixed[0], args...)
			cmd.Env = append(cmd.Environ(), "NODE_PATH="+filepath.Join(modules, "node_modules"))
			return cmd
		}}
	}
	confluent := func(strategy string) story.Client {
		return program("confluent-"+strategy, python, filepath.Join(clients, "confluent.py"), strategy)
	}
	all := []story.Client{
		program("kafkajs", "node", filepath.Join(clients, "kafkajs.js")),
		program("kafka-python", python, filepath.Join(clients, "kafka_python.py")),
		confluent("range"), confluent("cooperative-sticky"), confluent("consumer"),
	}
	all[len(all)-1].Consumer = true
	for _, release := range versions {
		path := bring(t, "java", release) + ":" + jars(t, release)
		all = append(
			all,
			java("java-range-"+release, path, "partition.assignment.strategy=org.apache.kafka.clients.consumer.RangeAssignor", quickSession),
			java("java-cooperative-"+release, path, "partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor", quickSession),
			java("java-consumer-"+release, path, "group.protocol=consumer"),
		)
		all[len(all)-1].Consumer = true
		// KAFKA-17674: a partition assigned at the wrong moment is read from its start, of Apache Kafka as well.
		all[len(all)-1].Restarts = strings.HasPrefix(release, "3.9")
	}
	return all
}

// quickSession are the timeouts of a classic member, which the broker chooses for the others.
const quickSession = "session.timeout.ms=3000 heartbeat.interval.ms=300"

// java is a client that runs GroupWorker with the given properties.
func java(name, path string, properties ...string) story.Client {
	return story.Client{Name: name, Command: func(s story.Seat) *exec.Cmd {
		args := []string{
			"-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", path, "GroupWorker", s.Address, s.Topic, s.Group, s.Name,
		}
		return exec.Command("java", append(args, strings.Fields(strings.Join(properties, " "))...)...)
	}}
}
