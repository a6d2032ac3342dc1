package offsets

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// TestStories runs the scripts in testdata. Each command prints what was answered. Run with -rewrite to take the output as
// the expected one.
//
//	commit [producer=1]            lines: t-0 100 [epoch=3] [at=5] [expires=9] [metadata=m | length=5000 [rune=x]] [err=CODE]
//	stored [write=2]               the oldest write, or another in the order of the log, is committed
//	fail with=CODE [write=2]       it failed although it was appended
//	refuse with=CODE               the next append fails
//	endtxn producer=1 commit|abort writes a marker, which is a write to be stored
//	fetch [stable] [of=(t-0,t-1)]
//	delete of=(t-0), deleteall, expire [since=5] [subscribed=(t)] [never]   with a retention of 1s
//	advance by=1s
//	log                            prints the records
//	replay                         replaces the group by one that is loaded from the log, and prints it
//	state                          prints the group
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &story{world: newWorld(t)}
		datadriven.RunTest(t, path, s.run)
	})
}

type story struct {
	*world
	out strings.Builder
}

var storyConfig = Config{MetadataMaxBytes: 4096, Retention: time.Second}

func (s *story) run(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	s.out.Reset()
	switch d.Cmd {
	case "commit":
		s.commit(d)
	case "stored":
		s.finish(s.which(d), nil)
	case "fail":
		s.finish(s.which(d), code(t, d))
	case "refuse":
		s.refuse = code(t, d)
	case "endtxn":
		s.end(producer(d).ID, d.HasArg("commit"))
	case "fetch":
		for _, f := range s.g.Fetch(partitions(t, d), d.HasArg("stable")) {
			if f.Err != nil {
				s.say("%s-%d: %s (%s)", f.Topic, f.Index, show(f.Offset), f.Err.Message)
			} else {
				s.say("%s-%d: %s", f.Topic, f.Index, show(f.Offset))
			}
		}
	case "delete":
		s.turn(func(x *journal.Turn) {
			s.g.Delete(x, partitions(t, d), func(err *kerr.Error) { s.say("deleted: %s", text(err)) })
		})
	case "deleteall":
		s.turn(func(x *journal.Turn) {
			x.Append(journal.Write{Records: s.g.DeleteAll(), Done: func(*journal.Turn, error) {}})
		})
	case "expire":
		s.turn(func(x *journal.Turn) { s.say("%d expired", s.g.Expire(x, storyConfig, rule(t, d))) })
	case "advance":
		var by string
		d.ScanArgs(t, "by", &by)
		step, err := time.ParseDuration(by)
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(step)
	case "log":
		s.printLog()
	case "replay":
		s.g, s.inFlight = s.replay(s.log), nil
		s.out.WriteString(dump(s.g))
	case "state":
		s.out.WriteString(dump(s.g))
		s.say("%d kept, pending: %v, unsure: %d", s.kept(), s.g.Pending(), len(s.g.unsure))
	default:
		t.Fatalf("unknown command %s", d.Cmd)
	}
	if s.out.Len() == 0 {
		return "ok\n"
	}
	return s.out.String()
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

func (s *story) commit(d *datadriven.TestData) {
	var commits []Commit
	for line := range strings.SplitSeq(d.Input, "\n") {
		words := strings.Fields(line)
		c := Commit{Partition: partition(s.t, words[0])}
		c.Offset = Offset{Offset: int64(number(s.t, words[1])), LeaderEpoch: -1, CommitTime: -1, ExpireTime: -1}
		length, letter := 0, "x"
		for _, word := range words[2:] {
			name, value, _ := strings.Cut(word, "=")
			switch name {
			case "epoch":
				c.LeaderEpoch = int32(number(s.t, value))
			case "at":
				c.CommitTime = int64(number(s.t, value))
			case "expires":
				c.ExpireTime = int64(number(s.t, value))
			case "metadata":
				c.Metadata = value
			case "length":
				length = number(s.t, value)
			case "rune":
				letter = value
			case "err":
				c.Err = byName(s.t, value)
			}
		}
		c.Metadata += strings.Repeat(letter, length)
		commits = append(commits, c)
	}
	s.turn(func(x *journal.Turn) {
		s.g.Commit(x, storyConfig, commits, producer(d), func(answer []Commit) {
			for _, c := range answer {
				s.say("%s-%d: %s", c.Topic, c.Index, text(c.Err))
			}
		})
	})
}

func (s *story) printLog() {
	for _, e := range s.log {
		of := ""
		if e.Producer != nil {
			of = fmt.Sprintf(" of %d", e.Producer.ID)
		}
		if e.Marker != journal.NoMarker {
			s.say("%d: %s%s", e.Offset, map[journal.Marker]string{journal.Commit: "commit", journal.Abort: "abort"}[e.Marker], of)
			continue
		}
		p, o := s.read(e)
		if o == nil {
			s.say("%d: %s-%d tombstone%s", e.Offset, p.Topic, p.Index, of)
		} else {
			s.say("%d: %s-%d %s%s, version %d", e.Offset, p.Topic, p.Index, show(*o), of, e.Value[1])
		}
	}
}

// which is the index of a write: that of write=, counted from 1, or the first.
func (s *story) which(d *datadriven.TestData) int {
	n := 1
	d.MaybeScanArgs(s.t, "write", &n)
	if n > len(s.inFlight) {
		d.Fatalf(s.t, "only %d writes are under way", len(s.inFlight))
	}
	return n - 1
}

func rule(t *testing.T, d *datadriven.TestData) (r Rule) {
	var since int64
	if d.MaybeScanArgs(t, "since", &since) {
		r.Since = time.UnixMilli(since)
	}
	if a, ok := d.Arg("subscribed"); ok {
		r.Subscribed = func(topic string) bool { return slices.Contains(a.Vals, topic) }
	}
	r.Never = d.HasArg("never")
	return r
}

func producer(d *datadriven.TestData) *journal.Producer {
	a, ok := d.Arg("producer")
	if !ok {
		return nil
	}
	id, _ := strconv.Atoi(a.Vals[0])
	return &journal.Producer{ID: int64(id), Epoch: 2}
}

func partitions(t *testing.T, d *datadriven.TestData) (all []Partition) {
	a, _ := d.Arg("of")
	for _, s := range a.Vals {
		all = append(all, partition(t, s))
	}
	return all
}

func partition(t *testing.T, s string) Partition {
	i := strings.LastIndex(s, "-")
	return Partition{s[:i], int32(number(t, s[i+1:]))}
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// code is the error of with=, as the journal wraps it; BROKEN is none of Kafka's.
func code(t *testing.T, d *datadriven.TestData) error {
	var name string
	d.ScanArgs(t, "with", &name)
	if name == "BROKEN" {
		return errBroken
	}
	return fmt.Errorf("append to __consumer_offsets-0: %w", byName(t, name))
}

func byName(t *testing.T, name string) *kerr.Error {
	t.Helper()
	for n := range int16(200) {
		if e := kerr.TypedErrorForCode(n); e != nil && e.Message == name {
			return e
		}
	}
	t.Fatalf("no code %s", name)
	return nil
}

func text(err *kerr.Error) string {
	if err == nil {
		return "NONE"
	}
	return err.Message
}
