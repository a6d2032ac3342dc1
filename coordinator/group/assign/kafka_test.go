package assign

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// testTopics is topics by id.
type testTopics map[[16]byte]Topic

func (t testTopics) Topic(id [16]byte) (Topic, bool) {
	topic, ok := t[id]
	return topic, ok
}

func topicID(n int) (id [16]byte) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// asked is a question in testdata/kafka-4.3.txt with Kafka's answers. The file has lines of words:
//
//	case homogeneous|heterogeneous
//	topic NUMBER PARTITIONS
//	member ID INSTANCE|- TOPIC,TOPIC|- TARGET
//	range|uniform ID TARGET
//
// where a target is TOPIC:PARTITION,PARTITION/TOPIC:PARTITION or - for none.
type asked struct {
	line    int
	group   Group
	topics  testTopics
	answers map[string]map[string]Partitions // by assignor, member
}

func readAsked(t *testing.T, name string) (all []*asked) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var a *asked
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		w := strings.Fields(line)
		switch w[0] {
		case "case":
			a = &asked{line: i + 1, topics: testTopics{}, answers: map[string]map[string]Partitions{"range": {}, "uniform": {}}}
			a.group.Homogeneous = w[1] == "homogeneous"
			all = append(all, a)
		case "topic":
			id := topicID(number(t, w[1]))
			a.topics[id] = Topic{ID: id, Partitions: int32(number(t, w[2]))}
		case "member":
			m := Member{ID: w[1], Subscribed: map[[16]byte]struct{}{}, Target: readTarget(t, w[4])}
			if w[2] != "-" {
				m.InstanceID = &w[2]
			}
			if w[3] != "-" {
				for topic := range strings.SplitSeq(w[3], ",") {
					m.Subscribed[topicID(number(t, topic))] = struct{}{}
				}
			}
			a.group.Members = append(a.group.Members, m)
		default:
			a.answers[w[0]][w[1]] = readTarget(t, w[2])
		}
	}
	return all
}

func readTarget(t *testing.T, s string) Partitions {
	t.Helper()
	p := Partitions{}
	if s == "-" {
		return p
	}
	for part := range strings.SplitSeq(s, "/") {
		topic, list, _ := strings.Cut(part, ":")
		var numbers []int32
		for n := range strings.SplitSeq(list, ",") {
			numbers = append(numbers, int32(number(t, n)))
		}
		p[topicID(number(t, topic))] = numbers
	}
	return p
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// show is a target as the file has it.
func show(p Partitions) string {
	var topics []int
	for id := range p {
		topics = append(topics, int(binary.BigEndian.Uint64(id[8:])))
	}
	slices.Sort(topics)
	var parts []string
	for _, n := range topics {
		list := strings.Trim(strings.ReplaceAll(fmt.Sprint(p[topicID(n)]), " ", ","), "[]")
		parts = append(parts, fmt.Sprintf("%d:%s", n, list))
	}
	if parts == nil {
		return "-"
	}
	return strings.Join(parts, "/")
}

// TestAnswersAreKafkas asks what Kafka 4.3.0's assignors were asked, with members, topics and partitions in an order that
// its hash tables keep.
func TestAnswersAreKafkas(t *testing.T) {
	all := readAsked(t, "testdata/kafka-4.3.txt")
	if len(all) < 100 {
		t.Fatalf("only %d questions", len(all))
	}
	for _, a := range all {
		for _, assignor := range []Assignor{Range(), Uniform()} {
			targets, err := assignor.Assign(a.group, a.topics)
			if err != nil {
				t.Fatalf("line %d, %s: %v", a.line, assignor.Name(), err)
			}
			for _, m := range a.group.Members {
				if want := a.answers[assignor.Name()][m.ID]; !targets[m.ID].Equal(want) {
					t.Errorf("line %d, %s: %s gets %s, of Kafka %s", a.line, assignor.Name(), m.ID, show(targets[m.ID]), show(want))
				}
			}
		}
	}
}
