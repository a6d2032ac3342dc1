package integration

import (
	"os/exec"
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
	kcat := story.Client{Name: "kcat", Read: story.ReadKcat, Drops: 1, Command: story.Kcat()}
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
