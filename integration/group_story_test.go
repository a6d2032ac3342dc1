package integration

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/integration/story"
)

// TestGroupStory tells a group's story (see package story) with the clients that are written in Go, and with kcat.
func TestGroupStory(t *testing.T) {
	t.Parallel()
	worker := harness.Program(t, "github.com/kbroker/kbroker/integration/workers/golang")
	client := func(name string) story.Client {
		return story.Client{Name: name, Command: func(s story.Seat) *exec.Cmd {
			return exec.Command(worker, name, s.Address, s.Topic, s.Group, s.Name)
		}}
	}
	consumer := client("franz-consumer")
	consumer.Consumer = true
	// At SIGTERM, kcat lets the record go that it just polled, and commits it.
	kcat := story.Client{Name: "kcat", Read: readKcat, Drops: 1, Command: func(s story.Seat) *exec.Cmd {
		return exec.Command("kcat", "-b", s.Address, "-u", "-E", "-f", `record %p %o %s\n`,
			"-X", "session.timeout.ms=3000", "-X", "heartbeat.interval.ms=300", "-X", "auto.commit.interval.ms=100",
			"-X", "enable.partition.eof=false", "-X", "auto.offset.reset=earliest", "-X", "client.id="+s.Name, "-G", s.Group, s.Topic)
	}}
	for _, c := range []story.Client{client("franz-cooperative"), client("franz-eager"), consumer, client("sarama"), client("kafka-go"), kcat} {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if c.Consumer {
				harness.NeedConsumerProtocol(t)
			}
			story.Tell(t, harness.StartSubject(t, "peers", nil), c)
		})
	}
}

// kcatOwned are the partitions in kcat's line about a rebalance.
var kcatOwned = regexp.MustCompile(`\[(\d+)\]`)

// readKcat reads what kcat prints in the format above, and its lines about rebalances.
func readKcat(line string) ([]story.Event, error) {
	if rest, ok := strings.CutPrefix(line, "record "); ok {
		fields := strings.SplitN(rest, " ", 3)
		partition, err := strconv.ParseInt(fields[0], 10, 32)
		if err != nil {
			return nil, err
		}
		offset, err := strconv.ParseInt(fields[1], 10, 64)
		return []story.Event{{Event: "record", Partition: int32(partition), Offset: offset, Value: fields[2]}}, err
	}
	if !strings.Contains(line, "rebalanced") {
		return nil, nil
	}
	owns := story.Event{Event: "owns", Generation: -1}
	if _, assigned, ok := strings.Cut(line, "assigned: "); ok {
		for _, m := range kcatOwned.FindAllStringSubmatch(assigned, -1) {
			partition, err := strconv.ParseInt(m[1], 10, 32)
			if err != nil {
				return nil, err
			}
			owns.Partitions = append(owns.Partitions, int32(partition))
		}
	}
	return []story.Event{owns}, nil
}
