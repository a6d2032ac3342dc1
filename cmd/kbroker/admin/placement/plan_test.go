package placement

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestPlanFiles reads what Kafka's tool and people write, and refuses what cannot be meant.
func TestPlanFiles(t *testing.T) {
	plan, err := ReadPlan([]byte(`{"version":1,"partitions":[{"topic":"b","partition":0,"replicas":[2,1],"log_dirs":["any","/data"]},
		{"topic":"a","partition":1,"replicas":[3]}]}`))
	if err != nil || len(plan.Partitions) != 2 || plan.Partitions[0].LogDirs[1] != "/data" || plan.Partitions[1].LogDirs != nil {
		t.Fatalf("%+v, %v", plan, err)
	}
	written, err := json.Marshal(NewPlan(plan.Partitions))
	want := `{"version":1,"partitions":[{"topic":"a","partition":1,"replicas":[3],"log_dirs":["any"]},` +
		`{"topic":"b","partition":0,"replicas":[2,1],"log_dirs":["any","/data"]}]}`
	if err != nil || string(written) != want {
		t.Errorf("written %s", written)
	}
	for text, want := range map[string]string{
		`{`:                              "unexpected end",
		`{"version": 2}`:                 "version 2",
		`{}`:                             "lists no partitions",
		`{"partitions":[{"topic":"a"}]}`: "names no topic or partition",
		`{"partitions":[{"topic":"a","partition":0}]}`:                                                           "a-0 has no replicas",
		`{"partitions":[{"topic":"a","partition":0,"replicas":[1,1]}]}`:                                          "broker 1 twice",
		`{"partitions":[{"topic":"a","partition":0,"replicas":[-1]}]}`:                                           "-1 is no broker id",
		`{"partitions":[{"topic":"a","partition":0,"replicas":[1],"log_dirs":[]}]}`:                              "1 replicas and 0 log directories",
		`{"partitions":[{"topic":"a","partition":0,"replicas":[1]},{"topic":"a","partition":0,"replicas":[1]}]}`: "listed twice",
	} {
		if plan, err := ReadPlan([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", text, plan, err, want)
		}
	}
}

func TestTopicFiles(t *testing.T) {
	topics, err := ReadTopics([]byte(`{"topics":[{"topic":"a"},{"topic":"b"}],"version":1}`))
	if err != nil || !slices.Equal(topics, []string{"a", "b"}) {
		t.Errorf("%v, %v", topics, err)
	}
	for _, text := range []string{`{}`, `[]`, `{"topics":[{"topic":"a"},{"topic":"a"}]}`} {
		if topics, err := ReadTopics([]byte(text)); err == nil {
			t.Errorf("%s: %v", text, topics)
		}
	}
}

// TestThrottles: sources are throttled as leaders, new replicas as followers, those of a reassignment in progress too.
func TestThrottles(t *testing.T) {
	plan := []Partition{{Topic: "a", Partition: 0, Replicas: []int32{2, 3}}, {Topic: "a", Partition: 1, Replicas: []int32{4}}}
	now := []Partition{{Topic: "a", Partition: 0, Replicas: []int32{1, 2}}, {Topic: "a", Partition: 1, Replicas: []int32{1, 3}}}
	ongoing := []Ongoing{
		{Partition: Partition{Topic: "a", Partition: 1, Replicas: []int32{1, 3}}, Adding: []int32{3}},
		{Partition: Partition{Topic: "b", Partition: 7, Replicas: []int32{5, 6}}, Adding: []int32{6}, Removing: []int32{5}},
	}
	got := Throttles(plan, now, ongoing)
	if !slices.Equal(got.Brokers, []int32{1, 2, 3, 4, 5, 6}) ||
		!maps.Equal(got.Leaders, map[string]string{"a": "0:1,0:2,1:1", "b": "7:5"}) ||
		!maps.Equal(got.Followers, map[string]string{"a": "0:3,1:4", "b": "7:6"}) {
		t.Errorf("%+v", got)
	}
}
