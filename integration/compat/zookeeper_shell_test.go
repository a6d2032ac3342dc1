//go:build compat

package compat

import (
	"regexp"
	"strings"
	"testing"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestZooKeeperShell connects ZooKeeper's own command-line client to the embedded server: it sees Kafka's znodes, and
// makes, changes and deletes its own.
func TestZooKeeperShell(t *testing.T) {
	b := harness.StartBroker(t, harness.Options{})
	harness.CreateTopic(t, harness.NewClient(t, b.Address()), "seen", 2, nil)
	m := regexp.MustCompile(`zookeeper +(127\.0\.0\.1:\d+) \(embedded\)`).FindStringSubmatch(b.Output())
	if m == nil {
		t.Fatalf("the start-up block does not show the embedded server:\n%s", b.Output())
	}
	commands := "ls -R /brokers\nget /brokers/ids/1\nget /brokers/topics/seen/partitions/1/state\nget /controller\n" +
		"create /own hello\ncreate -e /own/e 1\ncreate -s /own/s- 2\nget /own\nset /own world\nget /own\nstat /own\nls /own\n" +
		"deleteall /own\nls /\nquit\n"
	text := tool(t, "3.9.2", commands, "zookeeper-shell", "-server", m[1])
	for _, want := range []string{
		"/brokers/topics/seen/partitions/0/state", `"endpoints":["PLAINTEXT://` + b.Address() + `"]`, `"leader":1`, `"brokerid":1`,
		"hello", "world", "dataVersion = 1", "numChildren = 2", "[e, s-0000000001]",
		"[admin, brokers, cluster, config, ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("zookeeper-shell does not show %q:\n%s", want, text)
		}
	}
}
