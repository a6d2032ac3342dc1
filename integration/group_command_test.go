package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestGroupsCommand lists, describes, resets and deletes groups of both protocols.
func TestGroupsCommand(t *testing.T) {
	t.Parallel()
	b := harness.StartBroker(t, harness.Options{Config: withoutDelay})
	kbroker := harness.Binary(t, true)
	command := func(name string, args ...string) string {
		t.Helper()
		return harness.Run(t, "", kbroker, append([]string{"groups", name, "--bootstrap-server", b.Address()}, args...)...)
	}
	refused := func(want, name string, args ...string) {
		t.Helper()
		_, err := harness.TryRun("", kbroker, append([]string{"groups", name, "--bootstrap-server", b.Address()}, args...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("groups %s %s: %v; want %q", name, strings.Join(args, " "), err, want)
		}
	}
	c := harness.NewClient(t, b.Address(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	harness.CreateTopic(t, c, "orders", 2, nil)
	begin := time.Now()
	for i := range 10 { // five to each partition
		harness.Produce(t, c, &kgo.Record{
			Topic: "orders", Partition: int32(i % 2), Value: fmt.Append(nil, i), Timestamp: begin.Add(time.Duration(i-10) * time.Hour),
		})
	}

	// A member of each protocol reads everything, commits and stays.
	for group, options := range map[string][]kgo.Opt{"old": nil, "new": newProtocol()} {
		member, err := kgo.NewClient(append(options, kgo.SeedBrokers(b.Address()), kgo.ConsumerGroup(group), kgo.ConsumeTopics("orders"),
			kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
		if err != nil {
			t.Fatal(err)
		}
		defer member.Close()
		for read := 0; read < 10; {
			read += member.PollFetches(harness.Context(t)).NumRecords()
		}
		err = member.CommitUncommittedOffsets(harness.Context(t))
		described := describedGroup(t, command("describe", group, "-o", "json"))
		if err != nil || len(described.Members) != 1 || described.State != "Stable" || len(described.Offsets) != 2 {
			t.Fatalf("group %s: %v, %+v", group, err, described)
		}
		for _, o := range described.Offsets {
			if o.Committed != 5 || o.Lag != 0 || o.MemberID != described.Members[0].ID {
				t.Errorf("group %s: %+v", group, o)
			}
		}
		refused("stop them first", "reset-offsets", "--topic", "orders", "--to-earliest", "--execute", group)
		refused("stop them first", "delete", group)
		member.Close()
	}
	if list := command("list", "--type", "consumer"); !strings.Contains(list, "new") || strings.Contains(list, "old") {
		t.Errorf("groups of the new protocol:\n%s", list)
	}
	awaitEmpty(t, c, "old")

	checkResets(t, begin, func(args ...string) string { return command("reset-offsets", args...) })

	checkRefusals(t, refused)
	command("delete-offsets", "--topic", "orders:1", "old")
	if described := describedGroup(t, command("describe", "-o", "json", "old")); len(described.Offsets) != 1 {
		t.Errorf("after the offset of orders-1 was deleted: %+v", described.Offsets)
	}
	command("delete", "old")
	refused("no such group", "describe", "old")
}

// checkRefusals tries what cannot be done with an empty group old.
func checkRefusals(t *testing.T, refused func(want, name string, args ...string)) {
	t.Helper()
	for want, args := range map[string]string{
		"no such group":             "delete nobody",
		"list takes no names":       "list old",
		"says nothing of the group": "reset-offsets --from-file " + os.DevNull + " old",
		"must be one of PreparingRebalance, CompletingRebalance, Stable": "list --state Stabel",
		"must be one of classic, consumer":                               "list --type new",
		"group -o: there is no such group":                               "describe --timeout 9s -- -o", // a name like a flag
		"exclude each other":                                             "reset-offsets --topic orders --to-earliest --to-latest old",
	} {
		name, rest, _ := strings.Cut(args, " ")
		refused(want, name, strings.Fields(rest)...)
	}
}

// checkResets tries every way of group old, of which 5 is committed for either partition. Records are an hour apart, the odd
// ones in partition 1, and the last an hour before begin.
func checkResets(t *testing.T, begin time.Time, reset func(args ...string) string) {
	t.Helper()
	plan := filepath.Join(t.TempDir(), "plan.csv")
	if err := os.WriteFile(plan, []byte("orders,0,3\norders,1,99\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want [2]int64 // of partitions 0 and 1; -1: not reset
	}{
		{[]string{"--topic", "orders", "--to-earliest"}, [2]int64{0, 0}},
		{[]string{"--topic", "orders:1", "--to-latest"}, [2]int64{-1, 5}},
		{[]string{"--all-topics", "--to-current"}, [2]int64{5, 5}},
		{[]string{"--topic", "orders", "--to-offset", "2"}, [2]int64{2, 2}},
		{[]string{"--topic", "orders", "--to-offset", "1000"}, [2]int64{5, 5}},
		{[]string{"--all-topics", "--shift-by", "-2"}, [2]int64{3, 3}},
		{[]string{"--all-topics", "--shift-by", "-100"}, [2]int64{0, 0}},
		{[]string{"--all-topics", "--shift-by", "9223372036854775807"}, [2]int64{5, 5}},
		{[]string{"--topic", "orders", "--to-datetime", begin.Add(-3*time.Hour - time.Minute).UTC().Format("2006-01-02T15:04:05.000")}, [2]int64{4, 3}},
		{[]string{"--topic", "orders", "--by-duration", "PT1H30M"}, [2]int64{5, 4}},
		{[]string{"--from-file", plan}, [2]int64{3, 5}},
	} {
		got := [2]int64{-1, -1}
		var rows []struct {
			Partition int32
			New       int64
		}
		decode(t, reset(append(c.args, "-o", "json", "old")...), &rows)
		for _, row := range rows {
			got[row.Partition] = row.New
		}
		if got != c.want {
			t.Errorf("reset %s: %v, want %v", strings.Join(c.args, " "), got, c.want)
		}
	}
	// All of these were dry runs. What is exported can be read back.
	exported := reset("--topic", "orders", "--to-offset", "1", "--export", "--execute", "old")
	if exported != "orders,0,1\norders,1,1\n" {
		t.Errorf("exported %q", exported)
	}
	if out := reset("--topic", "orders", "--to-current", "old"); strings.Count(out, " 1 ") < 2 {
		t.Errorf("after --execute:\n%s", out)
	}
}

type describedAsJSON struct {
	State   string
	Members []struct{ ID string }
	Offsets []struct {
		Committed, Lag int64
		MemberID       string
	}
}

func describedGroup(t *testing.T, out string) describedAsJSON {
	t.Helper()
	var groups []describedAsJSON
	decode(t, out, &groups)
	if len(groups) != 1 {
		t.Fatalf("%d groups are described", len(groups))
	}
	return groups[0]
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

func awaitEmpty(t *testing.T, c *kgo.Client, group string) {
	t.Helper()
	harness.Eventually(t, 10*time.Second, func() error {
		described, err := kadm.NewClient(c).DescribeGroups(context.Background(), group)
		if err == nil && described[group].State != "Empty" {
			err = fmt.Errorf("group %s is %s", group, described[group].State)
		}
		return err
	})
}

// TestLogDump prints what Apache Kafka wrote, records of __consumer_offsets decoded.
func TestLogDump(t *testing.T) {
	t.Parallel()
	kbroker, dir := harness.Binary(t, true), t.TempDir()
	harness.Run(t, "", "tar", "-xzf", filepath.Join("testdata", "golden", "data-killed.tar.gz"), "-C", dir)
	out := harness.Run(t, "", kbroker, "log", "dump", "--records", "-o", "json", filepath.Join(dir, "log"))
	kinds, groups := map[string]int{}, 0
	for line := range strings.Lines(out) {
		var l struct {
			Kind  string
			Value struct {
				Valid *bool `json:"isvalid"`
				Key   json.RawMessage
			}
		}
		decode(t, line, &l)
		kinds[l.Kind]++
		if l.Value.Valid != nil && !*l.Value.Valid {
			t.Errorf("a batch that Kafka wrote is not valid: %s", line)
		}
		if strings.Contains(string(l.Value.Key), `"GroupMetadata"`) {
			groups++
		}
	}
	want := 0
	for _, lines := range goldenRecords(t) {
		want += len(lines)
	}
	if kinds["record"] < want || kinds["batch"] == 0 || kinds["index"] == 0 || groups != 2 {
		t.Errorf("%v, %d of them groups; there are %d records in records.txt", kinds, groups, want)
	}
	if text := harness.Run(t, "", kbroker, "log", "dump", "-r", filepath.Join(dir, "log", "codec-gzip-0")); !strings.Contains(text, "compresscodec: gzip") {
		t.Errorf("as text: %.500s", text)
	}
	if _, err := harness.TryRun("", kbroker, "log", "dump", kbroker); err == nil || !strings.Contains(err.Error(), "neither a file of a log nor text") {
		t.Errorf("of a binary: %v", err)
	}
}
