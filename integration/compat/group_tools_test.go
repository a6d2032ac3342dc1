//go:build compat

package compat

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// groupOperator looks after one group of one topic with the tools of one release.
type groupOperator struct {
	subject  harness.Subject
	client   *kgo.Client
	version  string
	topic    string
	group    string
	protocol string // classic or consumer
}

// TestGroupTools lets kafka-console-consumer join groups of both protocols, and kafka-consumer-groups list, describe, reset
// and delete them.
func TestGroupTools(t *testing.T) {
	t.Parallel()
	s := harness.StartSubject(t, peers, nil)
	for _, version := range versions {
		for _, protocol := range []string{"classic", "consumer"} {
			t.Run(version+" "+protocol, func(t *testing.T) {
				t.Parallel()
				if protocol == "consumer" {
					harness.NeedConsumerProtocol(t)
				}
				name := protocol + "-" + version
				o := groupOperator{s, harness.NewClient(t, s.Address()), version, "topic-" + name, "group-" + name, protocol}
				harness.CreateTopic(t, o.client, o.topic, 3, nil)
				o.round(t)
			})
		}
	}
}

// recordsAll is what is produced at a time: 10 to each partition.
const recordsAll = 30

func (o groupOperator) round(t *testing.T) {
	o.produce(t)
	o.consume(t, recordsAll)
	o.described(t, []int64{10, 10, 10}, 0)
	o.produce(t)
	o.described(t, []int64{10, 10, 10}, 10)
	o.live(t)
	file := filepath.Join(t.TempDir(), "offsets.csv")
	o.reset(t, []int64{0, 0, 0}, "--to-earliest", "--dry-run")
	o.described(t, []int64{10, 10, 10}, 10)
	o.reset(t, []int64{15, 15, 15}, "--shift-by", "5", "--execute")
	o.described(t, []int64{15, 15, 15}, 5)
	// The file is of partition 1 alone; it is applied after all went to the start.
	exported := o.groups(t, "--reset-offsets", "--group", o.group, "--topic", o.topic+":1", "--to-offset", "7", "--dry-run", "--export")
	writeFile(t, file, exported)
	o.reset(t, []int64{0, 0, 0}, "--to-earliest", "--execute")
	o.groups(t, "--reset-offsets", "--group", o.group, "--from-file", file, "--execute")
	o.described(t, []int64{0, 7, 0}, -1)
	o.consume(t, 53)
	if got := o.groups(t, "--delete-offsets", "--group", o.group, "--topic", o.topic); !strings.Contains(got, "uccessful") {
		t.Errorf("kafka-consumer-groups --delete-offsets prints\n%s", got)
	}
	if rows := o.rows(t); len(rows) != 0 {
		t.Errorf("the group has offsets after they were deleted: %q", rows)
	}
	o.groups(t, "--delete", "--group", o.group)
	if o.listed(t) {
		t.Error("the group is listed after it was deleted")
	}
}

func (o groupOperator) groups(t *testing.T, args ...string) string {
	t.Helper()
	return tool(t, o.version, "", "kafka-consumer-groups", append([]string{"--bootstrap-server", o.subject.Address()}, args...)...)
}

func (o groupOperator) produce(t *testing.T) {
	t.Helper()
	c := harness.NewClient(t, o.subject.Address(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer c.Close()
	var records []*kgo.Record
	for i := range recordsAll {
		records = append(records, &kgo.Record{Topic: o.topic, Partition: int32(i % 3), Value: fmt.Appendf(nil, "r%d", i)})
	}
	harness.Produce(t, c, records...)
}

// consume lets the console consumer read so many records; it commits when it ends.
func (o groupOperator) consume(t *testing.T, count int) {
	t.Helper()
	property := "--consumer-property"
	if strings.HasPrefix(o.version, "4.") {
		property = "--command-property"
	}
	args := []string{
		"--bootstrap-server", o.subject.Address(), "--topic", o.topic, "--group", o.group, "--max-messages", strconv.Itoa(count),
		"--timeout-ms", "30000", property, "auto.offset.reset=earliest", property, "group.protocol=" + o.protocol,
	}
	got := strings.Fields(tool(t, o.version, "", "kafka-console-consumer", args...))
	if len(got) != count || slices.ContainsFunc(got, func(line string) bool { return line[0] != 'r' }) {
		t.Errorf("kafka-console-consumer shows %d records, want %d: %q", len(got), count, got)
	}
}

// rows are the lines about the group of a table that kafka-consumer-groups --describe prints, by partition.
func (o groupOperator) rows(t *testing.T, args ...string) [][]string {
	t.Helper()
	var rows [][]string
	for line := range strings.Lines(o.groups(t, append([]string{"--describe", "--group", o.group}, args...)...)) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[0] == o.group {
			rows = append(rows, fields)
		}
	}
	slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(a[2], b[2]) })
	return rows
}

// described checks the committed offsets that the tool shows, and each partition's lag unless that is negative.
func (o groupOperator) described(t *testing.T, want []int64, lag int64) {
	t.Helper()
	rows := o.rows(t)
	if len(rows) != len(want) {
		t.Fatalf("kafka-consumer-groups --describe shows %q", rows)
	}
	for p, row := range rows { // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG ...
		if row[1] != o.topic || row[3] != fmt.Sprint(want[p]) || lag >= 0 && row[5] != fmt.Sprint(lag) {
			t.Errorf("kafka-consumer-groups --describe shows %q, want offset %d and lag %d", row, want[p], lag)
		}
	}
}

// reset moves the offsets and checks those that the tool shows as new.
func (o groupOperator) reset(t *testing.T, want []int64, args ...string) {
	t.Helper()
	text := o.groups(t, append([]string{"--reset-offsets", "--group", o.group, "--topic", o.topic}, args...)...)
	shown := map[string]string{}
	_, table, _ := strings.Cut(text, "NEW-OFFSET")
	for row := range slices.Chunk(strings.Fields(table), 4) { // GROUP TOPIC PARTITION NEW-OFFSET; 3.9 prints all in one line
		if len(row) == 4 && row[0] == o.group && row[1] == o.topic {
			shown[row[2]] = row[3]
		}
	}
	for p, offset := range want {
		if shown[strconv.Itoa(p)] != fmt.Sprint(offset) {
			t.Errorf("kafka-consumer-groups --reset-offsets %s prints\n%swant %v", strings.Join(args, " "), text, want)
			return
		}
	}
}

func (o groupOperator) listed(t *testing.T) bool {
	t.Helper()
	return slices.Contains(strings.Fields(o.groups(t, "--list")), o.group)
}

// live looks at the group while it has a member.
func (o groupOperator) live(t *testing.T) {
	options := []kgo.Opt{
		kgo.ConsumerGroup(o.group), kgo.ConsumeTopics(o.topic), kgo.ClientID("living"), kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(300 * time.Millisecond), kgo.Balancers(kgo.RangeBalancer()),
	}
	if o.protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer())
	}
	member := harness.NewClient(t, o.subject.Address(), options...)
	defer member.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if member.PollFetches(ctx).NumRecords() == 0 {
		t.Fatal("the member is given no records")
	}
	for _, row := range o.rows(t) { // ... CONSUMER-ID HOST CLIENT-ID
		if row[8] != "living" || row[6] == "-" || row[7] != "/127.0.0.1" {
			t.Errorf("kafka-consumer-groups --describe shows %q with a living member", row)
		}
	}
	if text := o.groups(t, "--describe", "--group", o.group, "--members"); !strings.Contains(text, "living") {
		t.Errorf("kafka-consumer-groups --describe --members shows\n%s", text)
	}
	if text := o.groups(t, "--describe", "--group", o.group, "--state"); !strings.Contains(text, "Stable") || !strings.Contains(text, "range") {
		t.Errorf("kafka-consumer-groups --describe --state shows\n%s", text)
	}
	text, err := harness.TryRun("", filepath.Join(peers, "kafka"), "-v", o.version, "kafka-consumer-groups", "--bootstrap-server",
		o.subject.Address(), "--reset-offsets", "--group", o.group, "--topic", o.topic, "--to-earliest", "--execute")
	if complaint := fmt.Sprint(text, err); !strings.Contains(complaint, "nactive") {
		t.Errorf("kafka-consumer-groups --reset-offsets of a living group prints\n%s", complaint)
	}
	if text := o.groups(t, "--list", "--state", "stable"); !strings.Contains(text, o.group) {
		t.Errorf("kafka-consumer-groups --list --state stable shows\n%s", text)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
