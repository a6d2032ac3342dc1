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
	// announces says that its members print {"event":"ready"} before they join.
	announces bool
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
	confluent, pythons := pythons(t)
	all := append([]*client{theKcat(t), confluent, theRust(t)}, golang(t)...)
	all = append(append(all, java(t)...), pythons...)
	all = append(all, theKafkaJS(t))
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

// Reasons why a client does not offer a column.
const (
	noAdmin            = "its command line has no such commands"
	noCooperative      = "eager assignors only"
	noConsumerProtocol = "classic protocol only"
)

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
	return []*client{
		with(client{name: "franz-go"}, map[string]string{classic: "franz-eager", cooperative: "franz-cooperative", consumer: "franz-consumer"}),
		with(client{name: "Sarama", absent: map[string]string{consumer: noConsumerProtocol}}, map[string]string{
			classic: "sarama", cooperative: "sarama-cooperative",
		}),
		with(client{name: "kafka-go", absent: map[string]string{
			cooperative: noCooperative, consumer: noConsumerProtocol, idempotence: "no idempotent producer",
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

// pythons are confluent-kafka, and the clients that are written in Python.
func pythons(t testing.TB) (confluent *client, others []*client) {
	t.Helper()
	python := filepath.Join(bring(t, "python"), "venv", "bin", "python")
	eager := func(name, file string) *client {
		path := filepath.Join(programs, file)
		return &client{
			name: name, doer: tasks(python, path), groups: map[string]func(s story.Seat) *exec.Cmd{classic: joins(python, path)},
			absent: map[string]string{cooperative: noCooperative, consumer: noConsumerProtocol},
		}
	}
	return librdkafka("confluent-kafka", python, filepath.Join(programs, "confluent.py")),
		[]*client{eager("kafka-python", "kafka_python.py"), eager("aiokafka", "aio_kafka.py")}
}

// theRust is the rdkafka crate.
func theRust(t testing.TB) *client {
	t.Helper()
	return librdkafka("rdkafka", filepath.Join(bring(t, "rust"), "worker"))
}

// librdkafka is a client that wraps it, and has all that it has.
func librdkafka(name, program string, fixed ...string) *client {
	with := func(strategy string) func(s story.Seat) *exec.Cmd {
		return joins(program, append(fixed[:len(fixed):len(fixed)], strategy)...)
	}
	return &client{
		name: name, doer: tasks(program, fixed...),
		groups: map[string]func(s story.Seat) *exec.Cmd{
			classic: with("range"), cooperative: with("cooperative-sticky"), consumer: with("consumer"),
		},
	}
}

func theKafkaJS(t testing.TB) *client {
	t.Helper()
	modules := "NODE_PATH=" + filepath.Join(bring(t, "node"), "node_modules")
	const otherCodecs = "the codec comes in packages of others"
	return &client{
		name: "KafkaJS",
		doer: tasks("env", modules, "node", filepath.Join(programs, "kafkajs.js")),
		groups: map[string]func(s story.Seat) *exec.Cmd{
			classic: joins("env", modules, "node", filepath.Join(programs, "kafkajs.js")),
		},
		absent: map[string]string{
			"produce snappy": otherCodecs, "produce lz4": otherCodecs, "produce zstd": otherCodecs,
			cooperative: noCooperative, consumer: noConsumerProtocol,
		},
	}
}

// java are the clients of Apache Kafka itself.
func java(t testing.TB) []*client {
	t.Helper()
	var all []*client
	for _, release := range javas {
		jars := strings.TrimSpace(harness.Run(t, "", filepath.Join(peers, "jars"), release))
		options := []string{
			"-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", bring(t, "java", release) + ":" + filepath.Join(jars, "*"),
		}
		with := func(properties ...string) func(s story.Seat) *exec.Cmd {
			return func(s story.Seat) *exec.Cmd {
				cmd := joins("java", append(options[:len(options):len(options)], "GroupWorker")...)(s)
				cmd.Args = append(cmd.Args, properties...)
				return cmd
			}
		}
		const assignor = "partition.assignment.strategy=org.apache.kafka.clients.consumer."
		const session, heartbeat = "session.timeout.ms=3000", "heartbeat.interval.ms=300" // the broker chooses them for KIP-848
		all = append(all, &client{
			name: "Java", version: release, announces: true,
			doer: tasks("java", append(options[:len(options):len(options)], "TaskWorker")...),
			groups: map[string]func(s story.Seat) *exec.Cmd{
				classic:     with(assignor+"RangeAssignor", session, heartbeat),
				cooperative: with(assignor+"CooperativeStickyAssignor", session, heartbeat),
				consumer:    with("group.protocol=consumer"),
			},
		})
	}
	return all
}

// bring brings clients of a language from their registry and returns the folder that holds them.
func bring(t testing.TB, language ...string) string {
	t.Helper()
	return strings.TrimSpace(harness.Run(t, "", filepath.Join(programs, "bring"), language...))
}
