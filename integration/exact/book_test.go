package exact

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// question is a request that a broker is asked, in each of its versions.
type question struct {
	name     string
	from, to int16
	ask      func(s *side) kmsg.Request
}

// chapter is a list of questions, of which earlier ones prepare later ones.
type chapter struct {
	name      string
	questions func() []question
}

// book is what one release of Apache Kafka was asked.
type book struct {
	release  string
	chapters []chapter
	config   map[string]string // of the broker
	kafkas   map[string]string // of Apache Kafka alone: what kbroker does not have, or does without being told
	known    map[string]string // where kbroker differs, see known_test.go
}

// path is the file of Kafka's answers.
func (b book) path() string { return filepath.Join("testdata", "kafka-"+b.release+".txt") }

// settleWithin is how long a broker may take to apply a change of its configuration or metadata.
const settleWithin = 10 * time.Second

// tell puts all questions to a broker and returns what it said. Where an answer is allowed to come true a moment later, it is
// asked for until it is what wanted says, which may be nil.
func (b book) tell(t *testing.T, s *side, wanted []told) []told {
	t.Helper()
	s.learn(t)
	s.warm(t)
	var all []told
	for _, c := range b.chapters {
		began := time.Now()
		questions := c.questions()
		for i, q := range questions {
			a := told{chapter: c.name, question: q.name, from: q.from, to: q.to, answers: map[int16][]string{}}
			var want told
			if n := len(all); n < len(wanted) {
				want = wanted[n]
			}
			if wanted == nil && settles(q.name) {
				time.Sleep(2 * time.Second) // there is nothing to wait for but the same answer later
			}
			for v := q.from; v <= q.to; v++ {
				a.api, a.answers[v] = s.answer(t, q, v)
				for late := time.Now().Add(settleWithin); want.question == q.name && settles(q.name) && time.Now().Before(late) && b.differ(q.name, a.answers[v], want.answers[v]) != ""; {
					time.Sleep(100 * time.Millisecond) // a poll with a deadline, against another process
					a.api, a.answers[v] = s.answer(t, q, v)
				}
			}
			if i == len(questions)-1 {
				a.topics = s.settle(t, want.topics)
			}
			all = append(all, a)
		}
		t.Logf("%-20s %4d questions in %.1f s", c.name, len(questions), time.Since(began).Seconds())
	}
	return all
}

// settles tells whether the answer may be another at first.
func settles(name string) bool {
	return strings.HasPrefix(name, "DescribeConfigs") && (strings.Contains(name, " after it") || strings.Contains(name, " after that")) || strings.Contains(name, "in the end")
}

// settle waits until the topics are those that are wanted, if any: one whose creation timed out is there in its own time.
func (s *side) settle(t *testing.T, wanted string) string {
	t.Helper()
	if wanted == "" {
		time.Sleep(2 * time.Second) // there is nothing to wait for but the same answer later
		return s.topics(t)
	}
	for late := time.Now().Add(settleWithin); ; time.Sleep(50 * time.Millisecond) { // a poll with a deadline, against another process
		got := s.topics(t)
		if got != wanted && time.Now().Before(late) {
			continue
		}
		if got != wanted {
			t.Errorf("the topics are %s, of Kafka %s", got, wanted)
		}
		return got
	}
}

// topics are the names of all topics.
func (s *side) topics(t *testing.T) string {
	t.Helper()
	return cmp.Or(strings.Join(s.learn(t), " "), "none")
}

// differ tells how an answer differs from Kafka's beyond what is known.
func (b book) differ(question string, got, want []string) string {
	var differ []string
	for _, line := range missing(got, want) {
		if b.excuse(question, line) == "" {
			differ = append(differ, "  it is    "+line)
		}
	}
	for _, line := range missing(want, got) {
		if b.excuse(question, line) == "" {
			differ = append(differ, "  of Kafka "+line)
		}
	}
	return strings.Join(differ, "\n")
}

// missing are the lines that other lacks.
func missing(lines, other []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(other, line) })
}

// excuse returns the known difference that a line is at the place of: "beginning of the question @end of the field's name", or
// "...part of the question @end of the field's name".
func (b book) excuse(name, line string) string {
	field, _, _ := strings.Cut(line, ": ")
	for place := range b.known {
		question, suffix, _ := strings.Cut(place, " @")
		part, anywhere := strings.CutPrefix(question, "...")
		if (anywhere && strings.Contains(name, part) || strings.HasPrefix(name, question)) && strings.HasSuffix(field, suffix) {
			return place
		}
	}
	return ""
}

// compare fails the test where answers differ, versions that do so in the same way together, and returns which of the known
// differences there are.
func (b book) compare(t *testing.T, got, want []told) (used map[string]bool) {
	t.Helper()
	used = map[string]bool{}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i].title() != want[i].title() {
			t.Fatalf("question %d is not the one of the recording: run make record", i)
		}
		versions := map[string][]int16{}
		for v := got[i].from; v <= got[i].to; v++ {
			is, was := got[i].answers[v], want[i].answers[v]
			if differ := b.differ(got[i].question, is, was); differ != "" {
				versions[differ] = append(versions[differ], v)
			}
			for _, line := range append(missing(is, was), missing(was, is)...) {
				used[b.excuse(got[i].question, line)] = true
			}
		}
		for text, v := range versions {
			t.Errorf("%s, versions %s:\n%.2000s", got[i].question, ranges(v), text)
		}
	}
	return used
}
