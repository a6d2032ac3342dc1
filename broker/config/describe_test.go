package config

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// recordedStart is the server.properties with which Kafka 3.9.2 gave the answers in testdata/describe-*.txt.
var recordedStart = map[string]string{
	"log.dirs":                                 "/data/log",
	"offsets.topic.replication.factor":         "1",
	"transaction.state.log.replication.factor": "1",
	"transaction.state.log.min.isr":            "1",
	"group.initial.rebalance.delay.ms":         "0",
	"broker.id":                                "1",
	"zookeeper.connect":                        "127.0.0.1:27181",
	"listeners":                                "PLAINTEXT://127.0.0.1:27192",
	"log.retention.hours":                      "100",
	"log.roll.hours":                           "24",
	"log.flush.interval.messages":              "5000",
	"super.users":                              "User:admin",
	"foo.bar":                                  "1",
	"ssl.key.password":                         "secret",
	"log.cleaner.threads":                      "2",
	"password.encoder.secret":                  "abc",
	"log.cleanup.policy":                       "compact,delete",
	"log.initial.task.delay.ms":                "20000",
	"listener.name.plaintext.max.connections":  "500",
	"max.connections.per.ip.overrides":         "127.0.0.1:200",
	"sasl.jaas.config":                         "x",
	"min.insync.replicas":                      "1",
	"num.io.threads":                           "4",
	"broker.rack":                              "",
	"log.message.timestamp.difference.max.ms":  "3600000000",
	"log.cleaner.io.max.bytes.per.second":      "1000000.0",
}

var recordedTopic = map[string]string{
	"retention.ms": "1000", "cleanup.policy": "compact,delete", "segment.ms": "5000",
	"min.insync.replicas": "1", "compression.type": " gzip",
}

// recordedPerBroker and recordedClusterWide were set while Kafka ran.
var (
	recordedPerBroker = map[string]string{
		"log.retention.ms": "7000", "log.cleaner.threads": "4", "max.connections": "77",
		"listener.name.plaintext.ssl.keystore.location": "/x", "custom.key": "zz",
		"follower.replication.throttled.rate": "1000000",
	}
	recordedClusterWide = map[string]string{
		"log.retention.ms": "9000", "log.cleaner.threads": "3", "message.max.bytes": "2000000",
		"unclean.leader.election.enable": "true", "other.custom": "q",
	}
)

// settings gives each value the origin of a file.
func settings(values map[string]string) map[string]Setting {
	all := make(map[string]Setting)
	for name, v := range values {
		all[name] = Setting{Value: v, Origin: "server.properties"}
	}
	return all
}

func newStore(t *testing.T, static map[string]string) *Store {
	t.Helper()
	s, _, err := NewStore(settings(static))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func recordedStore(t *testing.T, dynamic bool) *Store {
	t.Helper()
	s := newStore(t, recordedStart)
	if dynamic {
		if _, err := s.SetDynamic(recordedPerBroker, recordedClusterWide); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestDescriptionsAreThoseOfKafka(t *testing.T) {
	for file, entries := range map[string][]Entry{
		"broker-static":  recordedStore(t, false).DescribeBroker(nil),
		"broker-dynamic": recordedStore(t, true).DescribeBroker(nil),
		"cluster-wide":   recordedStore(t, true).DescribeDefaultBroker(nil),
		"topic-static":   recordedStore(t, false).DescribeTopic(recordedTopic, nil),
		"topic-dynamic":  recordedStore(t, true).DescribeTopic(recordedTopic, nil),
	} {
		t.Run(file, func(t *testing.T) {
			want, err := os.ReadFile("testdata/describe-" + file + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			compareLines(t, asOurs(string(want)), written(entries))
		})
	}
}

// asOurs puts our defaults into what Kafka described: see ours.
func asOurs(want string) string {
	for name, columns := range ours {
		kafkas := strconv.Quote("classic")
		line := strings.Index(want, name+"\t")
		if line < 0 {
			continue
		}
		end := line + strings.IndexByte(want[line:], '\n')
		want = want[:line] + strings.ReplaceAll(want[line:end], kafkas, strconv.Quote(columns["default"])) + want[end:]
	}
	return want
}

// written gives entries in the form of the recorded files.
func written(entries []Entry) string {
	quote := func(s *string) string {
		if s == nil {
			return "null"
		}
		return strconv.Quote(*s)
	}
	var b strings.Builder
	for _, e := range entries {
		synonyms := make([]string, len(e.Synonyms))
		for i, s := range e.Synonyms {
			synonyms[i] = fmt.Sprintf("%d:%s=%s", s.Source, s.Name, quote(s.Value))
		}
		fmt.Fprintf(&b, "%s\t%s\tsource=%d\treadonly=%v\tsensitive=%v\ttype=%d\t%s\n",
			e.Name, quote(e.Value), e.Source, e.ReadOnly, e.Sensitive, e.Type, strings.Join(synonyms, " "))
	}
	return b.String()
}

// compareLines reports the lines that only one of two texts has.
func compareLines(t *testing.T, want, got string) {
	t.Helper()
	count := make(map[string]int)
	for line := range strings.Lines(want) {
		count[line]++
	}
	for line := range strings.Lines(got) {
		count[line]--
	}
	for line, n := range count {
		if n > 0 {
			t.Errorf("missing: %s", line)
		} else if n < 0 {
			t.Errorf("too much: %s", line)
		}
	}
}

func TestDescribeOnlyTheNamesAskedFor(t *testing.T) {
	s := recordedStore(t, true)
	for want, entries := range map[int][]Entry{
		2: s.DescribeTopic(recordedTopic, []string{"retention.ms", "segment.ms", "no.such.key"}),
		1: s.DescribeBroker([]string{"log.retention.ms"}),
		0: s.DescribeDefaultBroker([]string{"num.io.threads"}),
	} {
		if len(entries) != want {
			t.Errorf("%d entries, not %d: %v", len(entries), want, entries)
		}
	}
}

func TestGeneratedBrokerIDStaysOutOfDescriptions(t *testing.T) {
	s := newStore(t, map[string]string{"zookeeper.connect": "z"})
	s.SetBrokerID(1001)
	if got := s.Broker().BrokerID; got != 1001 {
		t.Errorf("broker id %d", got)
	}
	if got := *s.DescribeBroker([]string{"broker.id"})[0].Value; got != "-1" { // as Kafka does
		t.Errorf("described as %s", got)
	}
	if _, err := s.SetDynamic(map[string]string{"log.retention.ms": "5"}, nil); err != nil {
		t.Fatal(err)
	}
	if got := s.Broker().BrokerID; got != 1001 {
		t.Errorf("broker id %d after a dynamic update", got)
	}
}
