package harness

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Subject is the broker that a test is about. It is kbroker, unless KBROKER_SUBJECT names a release of Apache Kafka: 3.9.2
// (with Apache ZooKeeper) or 4.3.0 (KRaft). So one finds out whether a test demands what Kafka itself does.
type Subject interface {
	// Address is host:port for bootstrap.servers.
	Address() string
	// Kill ends the process as SIGKILL does.
	Kill()
	// Restart launches it again, on the same port and files, and returns when it serves.
	Restart(t testing.TB)
}

// SubjectVariable is the environment variable that chooses the subject.
const SubjectVariable = "KBROKER_SUBJECT"

// quick makes the group coordinator wait for less than it does in production.
var quick = map[string]string{
	"group.initial.rebalance.delay.ms":         "0",
	"group.min.session.timeout.ms":             "1000",
	"group.consumer.min.session.timeout.ms":    "1000",
	"group.consumer.session.timeout.ms":        "3000",
	"group.consumer.min.heartbeat.interval.ms": "100",
	"group.consumer.heartbeat.interval.ms":     "300",
	"offsets.topic.num.partitions":             "5",
}

// subjectSession is how long ZooKeeper believes that a killed Apache Kafka lives.
const subjectSession = 2 * time.Second

// Release is the release of Apache Kafka that is the subject, or "" for kbroker.
func Release() string { return os.Getenv(SubjectVariable) }

// NeedConsumerProtocol skips a test whose subject has no consumer groups of KIP-848: Apache Kafka with ZooKeeper.
func NeedConsumerProtocol(t testing.TB) {
	t.Helper()
	if strings.HasPrefix(Release(), "3.") {
		t.Skip("Apache Kafka in ZooKeeper mode has no group.protocol=consumer")
	}
}

// StartSubject starts the broker under test, with timeouts of groups that suit tests, and the given configs on top. The
// peers folder is given relative to the test.
func StartSubject(t testing.TB, peers string, config map[string]string) Subject {
	t.Helper()
	return StartRelease(t, peers, Release(), config)
}

// StartRelease is StartSubject for a release of Apache Kafka, or kbroker ("").
func StartRelease(t testing.TB, peers, release string, config map[string]string) Subject {
	t.Helper()
	all := maps.Clone(quick)
	maps.Copy(all, config)
	var s Subject
	switch {
	case release == "":
		return StartBroker(t, Options{Config: all})
	case strings.HasPrefix(release, "3."):
		all["zookeeper.session.timeout.ms"] = fmt.Sprint(subjectSession.Milliseconds())
		s = NewKafka(t, peers, StartZooKeeper(t).Address(), filepath.Join(t.TempDir(), "log"), 0, all)
	default:
		s = NewKRaft(t, peers, release, filepath.Join(t.TempDir(), "log"), all)
	}
	s.Restart(t)
	return s
}
