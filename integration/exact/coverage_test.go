package exact

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/api"
	"github.com/kbroker/kbroker/protocol"
)

// betweenBrokers are the APIs that no client asks: brokers and the controller ask each other, and what comes of it
// is seen where both kinds form one cluster (integration/compat, mixed*_test.go). Here are asked of them those requests that
// are refused, and malformed ones.
var betweenBrokers = []string{
	"LeaderAndIsr", "StopReplica", "UpdateMetadata", "ControlledShutdown", "AlterPartition", "AllocateProducerIds",
}

// raftOnly are the APIs that Kafka has in KRaft mode alone: the book of 4.x asks them.
var raftOnly = []string{"ConsumerGroupHeartbeat", "ConsumerGroupDescribe", "ListConfigResources", "DescribeTopicPartitions"}

// TestEveryVersion walks what kbroker advertises, and looks for an answer of Apache Kafka to a good request, to a bad one, and
// to one of a version too new and too old, of every API.
func TestEveryVersion(t *testing.T) {
	cases := map[string]map[int16]*tally{}
	for _, b := range books() {
		all, err := readRecording(b.path())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range all {
			if slices.Contains(raftOnly, a.api) == (b.release[0] == '3') {
				continue // the other release is the one that knows it
			}
			if cases[a.api] == nil {
				cases[a.api] = map[int16]*tally{}
			}
			for v, lines := range a.answers {
				if cases[a.api][v] == nil {
					cases[a.api][v] = &tally{}
				}
				cases[a.api][v].add(lines)
			}
		}
	}
	handled := api.Handled()
	for _, row := range protocol.APIs() {
		if !slices.Contains(handled, row.Key) {
			continue
		}
		for v := row.Min - 1; v <= row.Max+1; v++ {
			n := cases[row.Name][v]
			if n == nil {
				t.Errorf("%s version %d is not asked", row.Name, v)
				continue
			}
			if v < row.Min || v > row.Max || slices.Contains(betweenBrokers, row.Name) {
				continue
			}
			request := kmsg.RequestForKey(row.Key)
			request.SetVersion(v)
			// Where there is nothing to say, or only yes and no, nothing is said wrongly.
			if n.good == 0 || n.bad == 0 && len(request.AppendTo(nil)) > 1 {
				t.Errorf("%s version %d is asked %d times what is good and %d times what is not", row.Name, v, n.good, n.bad)
			}
		}
	}
}

// tally counts answers.
type tally struct{ good, bad int }

// add counts an answer, which may tell of what is good and of what is bad.
func (n *tally) add(lines []string) {
	good, bad := true, false
	for _, line := range lines {
		_, code, is := strings.Cut(line, "ErrorCode: ")
		if is && code != "0" || !strings.Contains(line, ": ") {
			bad = true
		}
	}
	if bad {
		n.bad++
		good = slices.ContainsFunc(lines, func(line string) bool { return strings.HasSuffix(line, "ErrorCode: 0") })
	}
	if good {
		n.good++
	}
}
