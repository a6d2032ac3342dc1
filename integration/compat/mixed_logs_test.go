//go:build compat

package compat

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kbroker/kbroker/integration/cluster"
)

var (
	kafkaLine  = regexp.MustCompile(`(?m)^\[[^]]*\] (WARN|ERROR|FATAL) (.*)(?:\n([^\[\n].*))?$`) // with the exception below it
	ourLine    = regexp.MustCompile(`(?m)^\S+\s+(WARN|ERROR|DPANIC|PANIC|FATAL)\s+(.*)()$`)
	changeable = regexp.MustCompile(`[0-9]+`)
)

// usual is what a broker may log as an error, and why.
type usual struct {
	line *regexp.Regexp
	why  string
}

// kafkaUsual are errors that three brokers of Apache Kafka log as well when this test is told on them; the second they log
// whenever all in-sync replicas of a partition are away, which a slow machine brings about.
var kafkaUsual = []usual{
	{
		regexp.MustCompile(`^\[Broker id=\d+\] Received LeaderAndIsrRequest .* cannot become follower since the new leader -1 is unavailable`),
		"a partition with all of its in-sync replicas away has no leader, and its replicas are told so",
	},
	{
		regexp.MustCompile(`^\[Controller id=\d+ epoch=\d+\] Controller \d+ epoch \d+ failed to change state for partition \S+ from OfflinePartition to OnlinePartition`),
		"the same, as the controller sees it",
	},
	{
		regexp.MustCompile(`^\[RequestSendThread controllerId=\d+\] Controller \d+ fails to send a request to broker`),
		"a controller has resigned while it waited to ask a paused or dead broker again: the thread is interrupted",
	},
	{
		regexp.MustCompile(`^\[Controller id=\d+\] Error (while electing or becoming controller|processing event Reelect)`),
		"the session of a paused broker has ended while it became the controller",
	},
	{
		regexp.MustCompile(`^\[Controller id=\d+\] Failed to update ISR for partition`),
		"the session of a paused controller has ended while it wrote",
	},
	{
		regexp.MustCompile(`(?s)^\[(Controller|PartitionStateMachine|ReplicaStateMachine)\b.*\n\S*(ControllerMovedException|SessionExpiredException)`),
		"a controller that was paused goes on, and finds another one in its office: KafkaController, PartitionStateMachine.scala",
	},
	{
		regexp.MustCompile(`^\[KafkaApi-\d+\] Unexpected error handling request RequestHeader\(apiKey=UPDATE_METADATA`),
		"a controller that was paused goes on with what its successor has overtaken",
	},
}

// ourUsual are errors of kbroker's own.
var ourUsual = []usual{
	{
		regexp.MustCompile(`^controller\s+partition did not change its state .*"no replica can be elected"`),
		"a partition with all of its in-sync replicas away: Apache Kafka's controller logs an error, too",
	},
}

// checkLog fails the test for each kind of error that a broker should not have logged, and shows all warnings.
func checkLog(t *testing.T, n *cluster.Node) {
	t.Helper()
	line, allowed := ourLine, ourUsual
	if n.Kind == cluster.Kafka {
		line, allowed = kafkaLine, kafkaUsual
	}
	count, example := map[string]int{}, map[string][]string{}
	for _, found := range line.FindAllStringSubmatch(n.Log(), -1) {
		text, _, _ := strings.Cut(found[2], "{") // fields, and what was asked for
		exception, _, _ := strings.Cut(found[3], ":")
		kind := found[1] + " " + changeable.ReplaceAllString(text, "N") + exception
		count[kind]++
		example[kind] = found
	}
	for _, kind := range slices.Sorted(maps.Keys(count)) {
		found := example[kind]
		expected := found[1] == "WARN" || slices.ContainsFunc(allowed, func(u usual) bool { return u.line.MatchString(found[2] + "\n" + found[3]) })
		if !expected {
			t.Errorf("broker %d (%s) has logged, %d times: %s", n.ID, n.Kind, count[kind], found[0])
			continue
		}
		t.Logf("broker %d (%s), %d times: %.400s", n.ID, n.Kind, count[kind], found[0])
	}
}
