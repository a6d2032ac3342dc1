package controller

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestAssign runs testdata/assign.txt:
//
//	assign brokers=(0@rack1,1) partitions=4 rf=2 start=0 shift=0 [first=3]
func TestAssign(t *testing.T) {
	datadriven.RunTest(t, "testdata/assign.txt", func(t *testing.T, d *datadriven.TestData) string {
		var sites []site
		for _, w := range words(t, d, "brokers") {
			id, rack, ok := strings.Cut(w, "@")
			s := site{id: number(t, id)}
			if ok {
				s.rack = &rack
			}
			sites = append(sites, s)
		}
		var count int32
		var replicationFactor int
		var s spread
		d.ScanArgs(t, "partitions", &count)
		d.ScanArgs(t, "rf", &replicationFactor)
		d.ScanArgs(t, "start", &s.start)
		d.ScanArgs(t, "shift", &s.shift)
		if d.HasArg("first") {
			d.ScanArgs(t, "first", &s.first)
		}
		result, err := assign(sites, count, replicationFactor, s)
		if err != nil {
			return err.Error() + "\n"
		}
		var b strings.Builder
		for i, replicas := range result {
			fmt.Fprintf(&b, "%d: %s\n", s.first+i, ids(replicas))
		}
		return b.String()
	})
}

// Whatever the numbers: no broker twice, all brokers lead about equally often,
// and as many racks as possible.
func TestAssignmentsAreEvenAndSpreadOverRacks(t *testing.T) {
	rack := []string{"a", "b", "c"}
	for brokers := 1; brokers <= 7; brokers++ {
		for replicationFactor := 1; replicationFactor <= brokers; replicationFactor++ {
			for _, racks := range []int{0, 1, 2, 3} {
				var sites []site
				for id := range brokers {
					s := site{id: int32(id)}
					if racks > 0 {
						s.rack = &rack[id%racks]
					}
					sites = append(sites, s)
				}
				const rounds = 6
				result, err := assign(sites, int32(rounds*brokers), replicationFactor, spread{start: brokers - 1, shift: brokers / 2})
				if err != nil {
					t.Fatal(err)
				}
				led := map[int32]int{}
				for i, replicas := range result {
					led[replicas[0]]++
					if hasDuplicate(replicas) || len(replicas) != replicationFactor {
						t.Fatalf("%d brokers, %d racks: partition %d has %v", brokers, racks, i, replicas)
					}
					used := map[int]bool{}
					for _, id := range replicas {
						used[int(id)%max(racks, 1)] = true
					}
					if want := min(replicationFactor, racks, brokers); len(used) < want {
						t.Fatalf("%d brokers, %d racks: partition %d has %v, in %d racks", brokers, racks, i, replicas, len(used))
					}
				}
				for id, n := range led {
					if n != rounds {
						t.Fatalf("%d brokers, %d racks: broker %d leads %d", brokers, racks, id, n)
					}
				}
			}
		}
	}
}

func TestValidateTopicName(t *testing.T) {
	for name, want := range map[string]string{
		"":                       "Topic name is invalid: the empty string is not allowed",
		".":                      "Topic name is invalid: '.' is not allowed",
		"..":                     "Topic name is invalid: '..' is not allowed",
		"a b":                    "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
		"é":                      "Topic name is invalid: 'é' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
		strings.Repeat("x", 250): "Topic name is invalid: the length of '" + strings.Repeat("x", 250) + "' is longer than the max allowed length 249",
		strings.Repeat("x", 249): "",
		"...":                    "",
		"Az09._-":                "",
	} {
		err := ValidateTopicName(name)
		if want == "" {
			if err != nil {
				t.Errorf("%q is refused: %v", name, err)
			}
			continue
		}
		if !errors.Is(err, ErrInvalidTopic) || err.Error() != want {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func text(s string) *string { return &s }

func TestPlanRefusesAsKafkaDoes(t *testing.T) {
	bad := errors.New("Invalid value x for configuration retention.ms: not a number")
	p := &planner{
		names: newNames([]string{"there", "a.b", "going"}, []string{"going"}),
		sites: []site{{id: 1}, {id: 2}}, partitions: 3, replicationFactor: 1,
		intn: func(int) int { return 0 },
		validateConfig: func(overrides map[string]string) error {
			if overrides["retention.ms"] == "x" {
				return bad
			}
			return nil
		},
	}
	chosen := func(a map[int32][]int32) NewTopic {
		return NewTopic{Name: "t", Partitions: -1, ReplicationFactor: -1, Assignment: a}
	}
	for _, test := range []struct {
		topic NewTopic
		err   error
		want  string
	}{
		{NewTopic{Name: "there", Partitions: 0}, ErrTopicExists, "Topic 'there' already exists."},
		{NewTopic{Name: "going", Partitions: 1, ReplicationFactor: 1}, ErrTopicExists, "Topic 'going' is marked for deletion."},
		{NewTopic{Name: "a_b", Partitions: 1, ReplicationFactor: 1}, ErrInvalidTopic, "Topic 'a_b' collides with existing topics: a.b"},
		{NewTopic{Name: "t", Partitions: 0, ReplicationFactor: 1}, ErrInvalidPartitions, "Number of partitions must be larger than 0."},
		{NewTopic{Name: "t", Partitions: 2_000_000_000, ReplicationFactor: 1}, ErrInvalidPartitions, "Number of partitions must not be larger than 350000."},
		{NewTopic{Name: "t", Partitions: 1, ReplicationFactor: 0}, ErrInvalidReplicationFactor, "Replication factor must be larger than 0."},
		{NewTopic{Name: "t", Partitions: 1, ReplicationFactor: 3}, ErrInvalidReplicationFactor, "Replication factor: 3 larger than available brokers: 2."},
		{NewTopic{Name: "no good", Partitions: 1, ReplicationFactor: 3}, ErrInvalidReplicationFactor, "Replication factor: 3 larger than available brokers: 2."},
		{NewTopic{Name: "t", Partitions: 1, ReplicationFactor: 1, Config: map[string]*string{"b": nil, "a": nil, "c": text("1")}}, ErrInvalidConfig, "Null value not supported for topic configs: a,b"},
		{NewTopic{Name: "t", Partitions: 1, ReplicationFactor: 1, Config: map[string]*string{"retention.ms": text("x")}}, ErrInvalidConfig, bad.Error()},
		{NewTopic{Name: "t", Partitions: 1, ReplicationFactor: -1, Assignment: map[int32][]int32{0: {1}}}, ErrInvalidRequest, "Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time."},
		{chosen(map[int32][]int32{0: {1, 2}, 1: {1}}), ErrInvalidAssignment, "All partitions should have the same number of replicas"},
		{chosen(map[int32][]int32{0: {1, 1}}), ErrInvalidAssignment, "Duplicate replica assignment found: map[0:[1 1]]"},
		{chosen(map[int32][]int32{0: {1}, 2: {1}}), ErrInvalidAssignment, "partitions should be a consecutive 0-based integer sequence"},
		{chosen(map[int32][]int32{1: {1}}), ErrInvalidAssignment, "partitions should be a consecutive 0-based integer sequence"},
		{chosen(map[int32][]int32{0: {}}), ErrInvalidAssignment, "Cannot have replication factor of 0 for partition id 0."},
		{chosen(map[int32][]int32{0: {-1}}), ErrInvalidAssignment, "Invalid broker id in replica list: [-1]"},
	} {
		_, _, err := p.plan(test.topic)
		var refusal *Refusal
		if !errors.As(err, &refusal) || !errors.Is(err, test.err) || refusal.Message != test.want {
			t.Errorf("%+v\n got  %v\n want %s", test.topic, err, test.want)
		}
	}
	// Brokers that do not exist are accepted, as in Kafka.
	a, _, err := p.plan(chosen(map[int32][]int32{0: {7, 8}, 1: {8, 7}}))
	if err != nil || !slices.Equal(a[0], []int32{7, 8}) {
		t.Errorf("chosen replicas: %v, %v", a, err)
	}
	// The defaults.
	a, overrides, err := p.plan(NewTopic{Name: "t", Partitions: -1, ReplicationFactor: -1, Config: map[string]*string{"x": text("1")}})
	if err != nil || len(a) != 3 || len(a[0]) != 1 || overrides["x"] != "1" {
		t.Errorf("defaults: %v, %v, %v", a, overrides, err)
	}
}
