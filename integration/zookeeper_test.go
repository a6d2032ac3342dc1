package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestServerProperties starts a broker with the server.properties that Apache Kafka 3.9 ships
// (ports and folders changed) and compares the znodes with Kafka's.
func TestServerProperties(t *testing.T) {
	z := harness.StartZooKeeper(t)
	text, err := os.ReadFile(filepath.Join("testdata", "server.properties"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "server.properties")
	properties := strings.ReplaceAll(string(text), "zookeeper.connect=localhost:2181", "zookeeper.connect="+z.Address()+"/kafka")
	if err := os.WriteFile(file, []byte(properties), 0o644); err != nil {
		t.Fatal(err)
	}
	b := harness.StartBroker(t, harness.Options{ZooKeeper: z.Address() + "/kafka", Args: []string{"--config", file}})
	c := harness.NewClient(t, b.Address())
	harness.CreateTopic(t, c, "append-time", 1, map[string]string{"message.timestamp.type": "LogAppendTime"})
	harness.CreateTopic(t, c, "transactions", 2, nil)
	admin := kadm.NewClient(c)
	if _, err := admin.AlterBrokerConfigs(harness.Context(t), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "log.cleaner.threads", Value: kadm.StringPtr("2")}}); err != nil {
		t.Fatal(err)
	}
	producerID(t, c)

	conn := connect(t, z.Address())
	golden := goldenZnodes(t)
	for path, own := range map[string]string{
		"/controller": "", "/controller_epoch": "", "/brokers/ids/1": "", "/cluster/id": "", "/feature": "",
		"/brokers/topics/append-time": "", "/brokers/topics/append-time/partitions": "", "/brokers/topics/append-time/partitions/0": "",
		"/brokers/topics/append-time/partitions/0/state": "", "/brokers/topics/transactions": "", "/brokers/topics/transactions/partitions/1/state": "",
		"/config/topics/append-time": "", "/config/topics/transactions": "", "/config/brokers/<default>": "", "/config/changes": "",
		"/latest_producer_id_block": "", "/admin/delete_topics": "", "/isr_change_notification": "", "/log_dir_event_notification": "",
		"/brokers/seqid": "", "/consumers": "", "/config/clients": "", "/config/users": "", "/config/ips": "",
		"/config/changes/config_change_0000000000": "/config/changes/config_change_0000000001",
	} {
		if own == "" {
			own = path
		}
		compareZnode(t, conn, "/kafka"+path, golden[own])
	}
}

// compareZnode compares kind and data with what Kafka wrote: the same keys with values of the
// same type, and the same values where they do not depend on the run.
func compareZnode(t *testing.T, conn *zk.Conn, path string, want znode) {
	t.Helper()
	data, stat, err := conn.Get(path)
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return
	}
	if ephemeral := stat.EphemeralOwner != 0; ephemeral != (want.kind == "ephemeral") {
		t.Errorf("%s: ephemeral is %v", path, ephemeral)
	}
	if want.data == "null" || !strings.HasPrefix(want.data, "{") {
		if got := string(data); want.data == "null" && got != "" || want.data != "null" && got != want.data {
			t.Errorf("%s holds %q, want %q", path, got, want.data)
		}
		return
	}
	if got, want := shape(t, data), shape(t, []byte(want.data)); got != want {
		t.Errorf("%s has the shape %s, want %s", path, got, want)
	}
}

// shape writes JSON with its keys sorted, and values that differ from run to run replaced by their type.
func shape(t *testing.T, data []byte) string {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal(data, &value); err != nil {
		t.Errorf("%s: %v", data, err)
		return ""
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(value)) {
		switch key {
		case "timestamp", "host", "port", "endpoints", "id", "topic_id", "rack":
			if key != "rack" { // optional
				fmt.Fprintf(&b, "%s:%T ", key, value[key])
			}
		default:
			fmt.Fprintf(&b, "%s:%v ", key, value[key])
		}
	}
	return b.String()
}

func connect(t *testing.T, address string) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect([]string{address}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// TestZooKeeperStoppedAndBack stops ZooKeeper for less than the session timeout and for longer: clients are
// served meanwhile, and afterwards topics can be created again.
func TestZooKeeperStoppedAndBack(t *testing.T) {
	t.Parallel()
	z := harness.StartZooKeeper(t)
	b := harness.StartBroker(t, harness.Options{ZooKeeper: z.Address(), Config: map[string]string{"zookeeper.session.timeout.ms": "3000"}})
	c := harness.NewClient(t, b.Address())
	harness.CreateTopic(t, c, "before", 1, nil)
	// A producer id comes from ZooKeeper, in Kafka too: the producer gets its own before that is away.
	harness.Produce(t, c, &kgo.Record{Topic: "before", Value: []byte("w")})
	for _, away := range []time.Duration{500 * time.Millisecond, 5 * time.Second} {
		z.Kill()
		until := time.Now().Add(away)
		for time.Now().Before(until) {
			harness.Produce(t, c, &kgo.Record{Topic: "before", Value: []byte("x")})
		}
		z.Start(t)
		topic := "after-" + away.String()
		harness.Eventually(t, clientDeadline, func() error {
			_, err := kadm.NewClient(c).CreateTopic(harness.Context(t), 1, 1, nil, topic)
			return err
		})
		harness.Produce(t, c, &kgo.Record{Topic: topic, Value: []byte("y")}, &kgo.Record{Topic: "before", Value: []byte("z")})
	}
	end := harness.EndOffset(t, c, "before", 0)
	if got := harness.Consume(t, b.Address(), "before", int(end)); string(got[end-1].Value) != "z" {
		t.Errorf("the last record is %q", got[end-1].Value)
	}
}

// TestSessionExpired ends the broker's session from outside: it registers again with a new broker
// epoch, is elected again, and loses nothing.
func TestSessionExpired(t *testing.T) {
	t.Parallel()
	z := harness.StartZooKeeper(t)
	b := harness.StartBroker(t, harness.Options{ZooKeeper: z.Address(), Config: map[string]string{"zookeeper.session.timeout.ms": "6000"}})
	c := harness.NewClient(t, b.Address())
	harness.CreateTopic(t, c, "kept", 1, nil)
	harness.Produce(t, c, &kgo.Record{Topic: "kept", Value: []byte("before")})
	conn := connect(t, z.Address())
	_, before, err := conn.Get("/brokers/ids/1")
	if err != nil {
		t.Fatal(err)
	}
	// Stopped for longer than its session lives, the broker finds the session expired when it goes on.
	b.Pause()
	harness.Eventually(t, clientDeadline, func() error {
		if ok, _, err := conn.Exists("/brokers/ids/1"); ok || err != nil {
			return fmt.Errorf("the registration is still there (%v)", err)
		}
		return nil
	})
	b.Resume()
	harness.Eventually(t, clientDeadline, func() error {
		_, after, err := conn.Get("/brokers/ids/1")
		if err == nil && after.Czxid <= before.Czxid {
			err = fmt.Errorf("broker epoch %d is not newer than %d", after.Czxid, before.Czxid)
		}
		return err
	})
	harness.Eventually(t, clientDeadline, func() error {
		_, err := kadm.NewClient(c).CreateTopic(harness.Context(t), 1, 1, nil, "new")
		return err
	})
	harness.Produce(t, c, &kgo.Record{Topic: "kept", Value: []byte("after")}, &kgo.Record{Topic: "new", Value: []byte("n")})
	got := harness.Consume(t, b.Address(), "kept", 2)
	if string(got[0].Value) != "before" || string(got[1].Value) != "after" {
		t.Errorf("consumed %q and %q", got[0].Value, got[1].Value)
	}
	if n := b.Metric(t, "kbroker_zookeeper_expirations_total"); n != 1 {
		t.Errorf("%v expirations were counted, want 1", n)
	}
}
