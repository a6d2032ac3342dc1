//go:build compat

package compat

import (
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// processDeadline bounds what a program on Kafka Streams or Connect needs to start and to work.
const processDeadline = 90 * time.Second

// application is a word count on Kafka Streams (peers/clients/WordCount.java).
type application struct {
	subject harness.Subject
	client  *kgo.Client
	admin   *kadm.Client
	release string
	id      string
	counted map[string]string // the last count of each word in the output topic
	output  *kgo.Client
}

// TestStreams counts words with a state store and its changelog: through a SIGKILL and the loss of the store, and once more
// after kafka-streams-application-reset.
func TestStreams(t *testing.T) {
	t.Parallel()
	s := harness.StartSubject(t, peers, nil)
	for _, release := range versions {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			a := &application{subject: s, client: harness.NewClient(t, s.Address()), release: release, id: "words-" + release, counted: map[string]string{}}
			a.admin = kadm.NewClient(a.client)
			harness.CreateTopic(t, a.client, a.id+".in", 3, nil)
			harness.CreateTopic(t, a.client, a.id+".out", 1, nil)
			a.output = harness.NewClient(t, s.Address(), kgo.ConsumeTopics(a.id+".out"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			a.tell(t)
		})
	}
}

func (a *application) tell(t *testing.T) {
	a.say(t, 100)
	running := a.start(t)
	a.await(t, running, 100)
	a.internals(t)
	running.Kill()
	a.say(t, 100)
	running = a.start(t) // with an empty folder: the store comes back from the changelog
	a.await(t, running, 200)
	if code := running.Terminate(t); code != 0 {
		t.Errorf("the application ends with %d", code)
	}
	harness.Eventually(t, processDeadline, func() error { // Streams does not take leave of its group
		groups, err := a.admin.DescribeGroups(harness.Context(t), a.id)
		g := groups[a.id]
		if err = errors.Join(err, g.Err); err == nil && g.State != "Empty" {
			err = fmt.Errorf("the group is %s", g.State)
		}
		return err
	})

	text := tool(t, a.release, "", "kafka-streams-application-reset", "--bootstrap-server", a.subject.Address(), "--application-id", a.id,
		"--input-topics", a.id+".in")
	topics, err := a.admin.ListTopics(harness.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	for name := range topics {
		if strings.HasPrefix(name, a.id+"-") {
			t.Errorf("kafka-streams-application-reset leaves the topic %s:\n%s", name, text)
		}
	}
	clear(a.counted)
	running = a.start(t)
	a.await(t, running, 200)
}

// say produces lines, each with the words "one" and "two two".
func (a *application) say(t *testing.T, lines int) {
	t.Helper()
	var records []*kgo.Record
	for i := range lines {
		records = append(records, &kgo.Record{Topic: a.id + ".in", Key: fmt.Append(nil, i), Value: []byte("one two two")})
	}
	harness.Produce(t, a.client, records...)
}

// start starts the application with an empty state folder.
func (a *application) start(t *testing.T) *harness.Child {
	t.Helper()
	path := bring(t, "java", a.release) + ":" + jars(t, a.release)
	return harness.Spawn(t, a.id, exec.Command("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", path, "WordCount",
		a.subject.Address(), a.id, a.id+".in", a.id+".out", t.TempDir(),
		"num.stream.threads=2", "consumer.session.timeout.ms=3000", "consumer.heartbeat.interval.ms=300"))
}

// await waits until so many lines are counted, each once, and committed.
func (a *application) await(t *testing.T, running *harness.Child, lines int) {
	t.Helper()
	want := map[string]string{"one": fmt.Sprint(lines), "two": fmt.Sprint(2 * lines)}
	harness.Eventually(t, processDeadline, func() error {
		if err := running.Alive(); err != nil {
			t.Fatal(err)
		}
		a.output.PollFetches(shortly(t)).EachRecord(func(r *kgo.Record) { a.counted[string(r.Key)] = string(r.Value) })
		if !maps.Equal(a.counted, want) {
			return fmt.Errorf("counted are %v, want %v", a.counted, want)
		}
		lags, err := a.admin.Lag(harness.Context(t), a.id)
		lag := lags[a.id]
		if err = errors.Join(err, lag.Error()); err != nil {
			return err
		}
		if left := lag.Lag.Total(); left != 0 {
			return fmt.Errorf("the application has a lag of %d", left)
		}
		return nil
	})
}

// internals looks at the topics that the application has created for itself.
func (a *application) internals(t *testing.T) {
	t.Helper()
	for name, want := range map[string]map[string]string{
		a.id + "-counts-changelog":   {"cleanup.policy": "compact"},
		a.id + "-counts-repartition": {"cleanup.policy": "delete", "retention.ms": "-1"},
	} {
		configs, err := a.admin.DescribeTopicConfigs(harness.Context(t), name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := configs.On(name, nil)
		if err = errors.Join(err, c.Err); err != nil {
			t.Errorf("topic %s: %v", name, err)
			continue
		}
		for _, entry := range c.Configs {
			if value, known := want[entry.Key]; known && entry.MaybeValue() != value {
				t.Errorf("topic %s has %s=%s, want %s", name, entry.Key, entry.MaybeValue(), value)
			}
		}
	}
}
