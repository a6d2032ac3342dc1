package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Page is where the report card is, from the root of the repository.
const Page = "docs/clients.md"

// verdict is what stands in a cell.
type verdict string

const (
	passed     verdict = "✓"
	failed     verdict = "✗"
	notOffered verdict = "–"
)

// row is a client's line of the page. Notes say what a verdict does not; their keys are columns.
type row struct {
	client, version string
	cells           map[string]verdict
}

// card is the page's content.
type card struct {
	rows  []row
	notes []string // in the order of rows and columns
}

const introduction = `# Clients

A report card: what client libraries do with kbroker. Every cell is a test that ran against a fresh kbroker with the timeouts of
groups set to a few seconds; ` + "`make report`" + ` brings the clients from their registries, runs the tests and writes this page, and
` + "`make compat`" + ` fails when a cell that passed here does not pass any more.

kcat, confluent-kafka (Python) and rdkafka (Rust) are librdkafka in three versions; franz-go, Sarama and kafka-go are written in Go;
Java is Apache Kafka's own client; kafka-python and aiokafka are Python, KafkaJS is Node. kcat is Debian's package; the
versions of the others are pinned in the repository.

✓ passed; ✗ failed, with what Apache Kafka does in the same test below; – not offered by this client, with the reason below.

`

const explanation = `
What the columns ask (` + "`integration/report`" + ` is the program):

- *produce*: ten records in the codec, read back byte for byte, and the batch really was in that codec
- *consume*: records in batches of every codec that the client has, with their keys, offsets and times
- *group*: two members join one after the other and share four partitions; all that is written is shown; one leaves, and the
  other takes over; when that has left, too, all is committed. *Eager* and *cooperative* are the classic protocol, and the broker
  must know the group by an assignor of that kind; *KIP-848* is the consumer protocol. In the last two, the first member keeps half
  of the partitions throughout
- *idempotence*: the records come from a producer with an id
- *headers*: written and read
- *times*: the offset of the first record that is not before a time
- *topics*: create with a config, describe, delete
- *configs*: alter and describe a topic's
`

// render writes the page.
func (c card) render() string {
	var b strings.Builder
	b.WriteString(introduction)
	names := columnNames()
	fmt.Fprintf(&b, "| client | version | %s |\n|---|---|%s\n", strings.Join(names, " | "), strings.Repeat(":-:|", len(names)))
	for _, r := range c.rows {
		fmt.Fprintf(&b, "| %s | %s |", r.client, r.version)
		for _, name := range names {
			fmt.Fprintf(&b, " %s |", r.cells[name])
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	for _, n := range c.notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	b.WriteString(explanation)
	return b.String()
}

func columnNames() []string {
	var names []string
	for _, c := range columns() {
		names = append(names, c.name)
	}
	return names
}

var tableLine = regexp.MustCompile(`(?m)^\| (.*) \|$`)

// parse reads the table of a page.
func parse(page string) ([]row, error) {
	lines := tableLine.FindAllStringSubmatch(page, -1)
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s has no table", Page)
	}
	names := strings.Split(lines[0][1], " | ")
	if !slices.Equal(names, append([]string{"client", "version"}, columnNames()...)) {
		return nil, fmt.Errorf("the columns of %s are %q: run make report", Page, names)
	}
	var rows []row
	for _, line := range lines[1:] {
		fields := strings.Split(line[1], " | ")
		if len(fields) != len(names) {
			return nil, fmt.Errorf("%s: %q has %d fields, want %d", Page, line[1], len(fields), len(names))
		}
		r := row{client: fields[0], version: fields[1], cells: map[string]verdict{}}
		for i, f := range fields[2:] {
			r.cells[names[i+2]] = verdict(f)
		}
		rows = append(rows, r)
	}
	return rows, nil
}
