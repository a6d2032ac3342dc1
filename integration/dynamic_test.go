package integration

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
)

// configure sets a key of a topic, or cluster-wide where the topic is empty; with an empty value it deletes it.
func configure(t *testing.T, c *kgo.Client, topic, key, value string) error {
	t.Helper()
	change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}
	if value == "" {
		change[0].Op = kadm.DeleteConfig
	}
	admin := kadm.NewClient(c)
	var answers kadm.AlterConfigsResponses
	var err error
	if topic == "" {
		answers, err = admin.AlterBrokerConfigs(harness.Context(t), change)
	} else {
		answers, err = admin.AlterTopicConfigs(harness.Context(t), change, topic)
	}
	if err != nil {
		t.Fatal(err)
	}
	return answers[0].Err
}

// TestDynamicConfig changes keys of a topic and of the cluster: they take effect without a restart, and outlast one.
func TestDynamicConfig(t *testing.T) {
	t.Parallel()
	b := harness.StartBroker(t, harness.Options{Config: map[string]string{
		"log.retention.check.interval.ms": "100", "log.retention.bytes": "-1", "log.segment.bytes": "8192",
	}})
	c := harness.NewClient(t, b.Address(), kgo.ProducerBatchMaxBytes(8000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	harness.CreateTopic(t, c, "own", 1, nil)
	harness.CreateTopic(t, c, "other", 1, nil)
	set := func(topic, key, value string) {
		t.Helper()
		if err := configure(t, c, topic, key, value); err != nil {
			t.Fatalf("set %s=%s: %v", key, value, err)
		}
	}
	// awaitSize waits until records of a size are refused, or taken. The change is a notification away.
	awaitSize := func(topic string, size int, want error) {
		t.Helper()
		harness.Eventually(t, clientDeadline, func() error {
			record := &kgo.Record{Topic: topic, Value: []byte(strings.Repeat("v", size))}
			if err := c.ProduceSync(harness.Context(t), record).FirstErr(); !errors.Is(err, want) {
				return fmt.Errorf("%d bytes to %s: %v, want %v", size, topic, err, want)
			}
			return nil
		})
	}
	awaitSize("own", 4000, nil)
	set("own", "max.message.bytes", "1000")
	awaitSize("own", 4000, kerr.MessageTooLarge)
	awaitSize("own", 500, nil)
	awaitSize("other", 4000, nil)
	set("", "message.max.bytes", "3000")
	awaitSize("other", 4000, kerr.MessageTooLarge)
	awaitSize("other", 2000, nil)
	awaitSize("own", 2000, kerr.MessageTooLarge) // the topic's own is the stronger

	set("", "log.cleaner.threads", "2")
	expectDescribed := func() {
		t.Helper()
		harness.Eventually(t, clientDeadline, func() error {
			if got := describe(t, c, "log.cleaner.threads"); got != "2 DYNAMIC_DEFAULT_BROKER_CONFIG" {
				return fmt.Errorf("log.cleaner.threads is %s", got)
			}
			return nil
		})
	}
	expectDescribed()
	if err := configure(t, c, "", "log.retention.check.interval.ms", "7"); err == nil {
		t.Error("a key that cannot change at run time was taken")
	}
	if err := configure(t, c, "own", "max.message.bytes", "many"); !errors.Is(err, kerr.InvalidConfig) {
		t.Errorf("a bad value: %v, want %v", err, kerr.InvalidConfig)
	}

	b.Stop(t)
	b.Restart(t)
	awaitSize("other", 4000, kerr.MessageTooLarge)
	awaitSize("own", 2000, kerr.MessageTooLarge)
	expectDescribed()
	set("", "message.max.bytes", "")
	set("own", "max.message.bytes", "")
	awaitSize("other", 4000, nil)
	for range 10 {
		awaitSize("own", 4000, nil)
	}
	if start := startOffset(t, c, "own"); start != 0 {
		t.Fatalf("the log starts at %d before retention.bytes is set", start)
	}
	set("own", "retention.bytes", "9000")
	awaitRetention(t, c, "own")
}

// awaitRetention waits until the first segment of a topic is gone.
func awaitRetention(t *testing.T, c *kgo.Client, topic string) {
	t.Helper()
	harness.Eventually(t, clientDeadline, func() error {
		if start := startOffset(t, c, topic); start == 0 {
			return fmt.Errorf("no segment was deleted")
		}
		return nil
	})
}

// describe returns value and source of a key of broker 1.
func describe(t *testing.T, c *kgo.Client, key string) string {
	t.Helper()
	q := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeBroker, "1", []string{key}
	q.Resources = append(q.Resources, r)
	answer, err := q.RequestWith(harness.Context(t), c)
	if err != nil || len(answer.Resources) != 1 || len(answer.Resources[0].Configs) != 1 {
		t.Fatalf("describe %s: %v, %+v", key, err, answer)
	}
	config := answer.Resources[0].Configs[0]
	return *config.Value + " " + config.Source.String()
}
