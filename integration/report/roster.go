package report

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/integration/story"
)

const (
	root  = "../.."
	peers = "../peers"
	// programs are the workers of clients that are not written in Go.
	programs = peers + "/clients"
)

// javas are the releases of Apache Kafka whose client is asked.
var javas = []string{"3.9.2", "4.3.0"}

// reader reads what a member of a group prints.
type reader func(line string) ([]story.Event, error)

// client is a row of the page.
type client struct {
	name, version string
	// doer does its tasks at an address.
	doer func(address string) doer
	// groups are its members of a group, by column; one that is not there is absent.
	groups map[string]func(s story.Seat) *exec.Cmd
	// reader is made for each member; nil reads JSON.
	reader func() reader
	// absent are the columns that it does not offer, with reasons.
	absent map[string]string
}

// id names the row.
func (c *client) id() string { return c.name + " " + c.version }

// pin is where the version of a client stands.
type pin struct{ client, file, pattern string }

// pins are the clients whose version is in a file of the repository.
var pins = []pin{
	{"confluent-kafka", "integration/peers/clients/requirements.txt", `(?m)^confluent-kafka==(\S+)`},
	{"franz-go", "go.mod", `twmb/franz-go v(\S+)`},
	{"Sarama", "go.mod", `IBM/sarama v(\S+)`},
	{"kafka-go", "go.mod", `segmentio/kafka-go v(\S+)`},
	{"kafka-python", "integration/peers/clients/requirements.txt", `(?m)^kafka-python==(\S+)`},
	{"aiokafka", "integration/peers/clients/requirements.txt", `(?m)^aiokafka==(\S+)`},
	{"KafkaJS", "integration/peers/clients/package.json", `"kafkajs": "([^"]+)"`},
	{"rdkafka", "integration/peers/clients/rust/Cargo.toml", `(?m)^rdkafka = .*"=([^"]+)"`},
}

// pinned is the version of a client.
func pinned(client string) (string, error) {
	for _, p := range pins {
		if p.client != client {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, p.file))
		if err != nil {
			return "", fmt.Errorf("look for the version of %s: %w", client, err)
		}
		m := regexp.MustCompile(p.pattern).FindSubmatch(text)
		if m == nil {
			return "", fmt.Errorf("%s names no version of %s", p.file, client)
		}
		return string(m[1]), nil
	}
	return "", fmt.Errorf("no file names the version of %s", client)
}

// roster brings all clients.
func roster(t testing.TB) []*client {
	t.Helper()
	all := []*client{theKcat(t)}
	all = append(all, golang(t)...)
	for _, c := range all {
		if c.version != "" {
			continue
		}
		var err error
		if c.version, err = pinned(c.name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// theKcat is kcat as the distribution has it, with the librdkafka that it has for it.
func theKcat(t testing.TB) *client {
	t.Helper()
	m := regexp.MustCompile(`Version (\S+) .*(librdkafka \d[\d.]*)`).FindStringSubmatch(harness.Run(t, "", "kcat", "-V"))
	if m == nil {
		t.Fatal("kcat -V tells no version")
	}
	return &client{
		name: "kcat", version: fmt.Sprintf("%s (%s)", m[1], m[2]), reader: kcatReader,
		doer: func(address string) doer { return &kcat{address} },
		groups: map[string]func(s story.Seat) *exec.Cmd{
			classic: story.Kcat("partition.assignment.strategy=range"), cooperative: story.Kcat("partition.assignment.strategy=cooperative-sticky"),
		},
		absent: map[string]string{
			consumer: "came with librdkafka 2.4, which is later than what Debian builds it with",
			topics:   noAdmin, configs: noAdmin,
		},
	}
}

const noAdmin = "its command line has no such commands"

// golang are the clients that are written in Go.
func golang(t testing.TB) []*client {
	t.Helper()
	program := harness.Program(t, "github.com/kbroker/kbroker/integration/workers/golang")
	with := func(c client, groups map[string]string) *client {
		c.groups = map[string]func(s story.Seat) *exec.Cmd{}
		for column, worker := range groups {
			c.groups[column] = joins(program, worker)
		}
		c.doer = tasks(program, strings.ToLower(c.name))
		return &c
	}
	const noConsumerProtocol = "classic protocol only"
	return []*client{
		with(client{name: "franz-go"}, map[string]string{classic: "franz-eager", cooperative: "franz-cooperative", consumer: "franz-consumer"}),
		with(client{name: "Sarama", absent: map[string]string{consumer: noConsumerProtocol}}, map[string]string{
			classic: "sarama", cooperative: "sarama-cooperative",
		}),
		with(client{name: "kafka-go", absent: map[string]string{
			cooperative: "eager assignors only", consumer: noConsumerProtocol, idempotence: "no idempotent producer",
		}}, map[string]string{classic: "kafka-go"}),
	}
}

// joins is the command of a member of a group: fixed words, then the seat.
func joins(program string, fixed ...string) func(s story.Seat) *exec.Cmd {
	return func(s story.Seat) *exec.Cmd {
		return exec.Command(program, append(fixed[:len(fixed):len(fixed)], s.Address, s.Topic, s.Group, s.Name)...)
	}
}

// tasks is the command of a worker that does tasks: fixed words, then the address.
func tasks(program string, fixed ...string) func(address string) doer {
	return func(address string) doer {
		return &worker{command: func() *exec.Cmd {
			return exec.Command(program, append(fixed[:len(fixed):len(fixed)], "tasks", address)...)
		}}
	}
}
