package history

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// sound is a history without a violation: partition 0 is led by broker 1 in epoch 0, which dies with a record of acks=1 that
// nobody else has, then by broker 2 in epoch 1.
func sound() *History {
	log := []Read{
		{Partition: 0, Offset: 0, LeaderEpoch: 0, Value: "safe/0"},
		{Partition: 0, Offset: 1, LeaderEpoch: 0, Value: "fast/0"},
		{Partition: 0, Offset: 2, LeaderEpoch: 1, Value: "safe/1"},
		{Partition: 0, Offset: 3, LeaderEpoch: 1, Value: "fast/2"},
		{Partition: 0, Offset: 4, LeaderEpoch: 1, Value: "fast/2"}, // sent again after a lost answer
		{Partition: 0, Offset: 5, LeaderEpoch: 1, Value: "safe/2"},
	}
	h := &History{
		Producers: map[string]Guarantee{"safe": {Idempotent: true, Durable: true}, "fast": {}},
		Sent:      []Send{{"safe", 0, 0}, {"fast", 0, 0}, {"fast", 0, 1}, {"safe", 0, 1}, {"fast", 0, 2}, {"safe", 0, 2}},
		Acks: []Ack{
			{"safe", 0, 0, "safe/0", at(1)},
			{"fast", 0, 1, "fast/0", at(1)},
			{"fast", 0, 2, "fast/1", at(2)}, // lost with its leader
			{"safe", 0, 2, "safe/1", at(5)},
			{"safe", 0, 5, "safe/2", at(6)},
		},
		Final: map[int32][]Read{0: log},
		Answers: []Answer{
			{"replica 1", 1, true, 0, 0, 0, 2, 1, false, at(1), at(2)}, // the high watermark was noted before the records were
			{"replica 1", 1, true, 0, 0, 2, 2, 2, false, at(2), at(3)},
			{"replica 2", 2, true, 1, 0, 2, 2, 1, false, at(3), at(4)}, // a new leader's high watermark lags
			{"replica 3", 3, false, 1, 0, 9, 9, 1, true, at(3), at(4)}, // a follower may be behind
			{"replica 2", 2, true, 1, 0, 2, 6, 6, false, at(5), at(7)},
		},
		Watermarks: []Watermark{
			{ListOffsets, 0, 0, 1, at(0), at(2)},
			{ListOffsets, 0, 0, 2, at(1), at(2)}, // overlaps the one before: either order is possible
			{ListOffsets, 0, 1, 2, at(4), at(5)},
			{EpochEnd, 0, 0, 2, at(5), at(6)},
			{ListOffsets, 0, 0, 1, at(5), at(6)}, // no: see plants
			{ListOffsets, 0, 1, 6, at(7), at(8)},
		},
		Leaders: []Leader{
			{2, 0, 1, 0, at(1)},
			{3, 0, 1, 0, at(1)},
			{2, 0, 2, 1, at(4)},
			{3, 0, 1, 0, at(5)}, // not yet told
			{3, 0, 2, 1, at(6)},
		},
		Commits: []Commit{{0, 1, at(1), at(2)}, {0, 2, at(3), at(4)}},
		Fetched: []Fetched{{1, 0, -1, at(0), at(1)}, {1, 0, 1, at(2), at(3)}, {1, 0, 1, at(3), at(4)}, {2, 0, 2, at(5), at(6)}},
	}
	h.Watermarks = slices.Delete(h.Watermarks, 4, 5)
	h.Reads = append(read("replica 1", log[:2]), read("replica 2", log[2:])...)
	h.Reads = append(h.Reads, read("group", log[:3])...)
	h.Reads = append(h.Reads, read("group", log[1:])...) // again from its committed offset
	return h
}

func at(seconds int) time.Duration { return time.Duration(seconds) * time.Second }

// read is log as a reader saw it.
func read(reader string, log []Read) []Read {
	log = slices.Clone(log)
	for i := range log {
		log[i].Reader = reader
	}
	return log
}

func TestSoundHistoryPasses(t *testing.T) {
	if found := Check(sound()); len(found) > 0 {
		t.Error(Report(found))
	}
}

// plant is one violation, and the rules that it breaks.
type plant struct {
	plant func(h *History)
	rules []string
}

// lostRecords are violations of what a log promises of its records.
func lostRecords() map[string]plant {
	return map[string]plant{
		"an acknowledged record is missing at the end": {
			func(h *History) { h.Acks = append(h.Acks, Ack{"safe", 0, 6, "safe/2", at(7)}) },
			[]string{"acknowledged and lost"},
		},
		"an acknowledged record made way for another": {
			func(h *History) { h.Acks = append(h.Acks, Ack{"safe", 0, 3, "safe/3", at(4)}) },
			[]string{"acknowledged and lost", "one offset, two records"},
		},
		"an idempotent producer's record is there twice": {
			func(h *History) { h.Final[0][3].Value, h.Reads = "safe/1", nil },
			[]string{"duplicated under idempotence"},
		},
		"two readers see different records": {
			func(h *History) {
				h.Reads = append(h.Reads, Read{Reader: "other", Offset: 2, LeaderEpoch: 1, Value: "fast/1"})
			},
			[]string{"one offset, two records", "read and vanished"},
		},
		"a record changes its epoch": {
			func(h *History) {
				h.Reads = append(h.Reads, Read{Reader: "other", Offset: 2, LeaderEpoch: 0, Value: "safe/1"})
			},
			[]string{"one offset, two records"},
		},
		"a record that was read is gone": {
			func(h *History) {
				h.Reads = append(h.Reads, Read{Reader: "other", Offset: 6, LeaderEpoch: 0, Value: "fast/1"})
			},
			[]string{"read and vanished"},
		},
		"a leader serves more than its high watermark": {
			func(h *History) { h.Answers[0].HighWatermark, h.Answers[1].HighWatermark = 1, 1 },
			[]string{"read above the high watermark"},
		},
		"a leader denies what was read": {
			func(h *History) { h.Answers[3].Leading, h.Answers[3].LeaderEpoch = true, 2 },
			[]string{"read above the high watermark"},
		},
		"a producer's records change places": {
			func(h *History) {
				h.Final[0][2].Value, h.Final[0][5].Value, h.Acks, h.Reads = "safe/2", "safe/1", nil, nil
			},
			[]string{"out of order"},
		},
		"the log has a hole": {
			func(h *History) {
				for i := range h.Final[0][3:] {
					h.Final[0][3+i].Offset++
				}
				h.Acks, h.Reads = nil, nil
			},
			[]string{"offsets missing"},
		},
		"a reader is given too late an offset": {
			func(h *History) {
				h.Reads = slices.Delete(h.Reads, 1, 2)
				h.Reads = append(h.Reads, read("replica 1", h.Final[0][3:])...)
			},
			[]string{"offsets missing"},
		},
	}
}

// watermarks are violations by records that nobody sent, and by high watermarks.
func watermarks() map[string]plant {
	return map[string]plant{
		"a record that nobody sent": {
			func(h *History) { h.Final[0] = append(h.Final[0], Read{Offset: 6, LeaderEpoch: 1, Value: "safe/7"}) },
			[]string{"never sent"},
		},
		"bytes that nobody sent": {
			func(h *History) { h.Final[0] = append(h.Final[0], Read{Offset: 6, LeaderEpoch: 1, Value: "\x00"}) },
			[]string{"never sent"},
		},
		"ListOffsets moves back within an epoch": {
			func(h *History) { h.Watermarks = append(h.Watermarks, Watermark{ListOffsets, 0, 1, 5, at(9), at(9)}) },
			[]string{"high watermark moved back"},
		},
		"a fetch answer's high watermark moves back within an epoch": {
			func(h *History) {
				h.Answers = append(h.Answers, Answer{"replica 2", 2, true, 1, 0, 6, 6, 7, false, at(8), at(9)}, Answer{"other", 2, true, 1, 0, 6, 6, 6, false, at(9), at(10)})
			},
			[]string{"high watermark moved back"},
		},
		"a new leader's ListOffsets tells less than the old leader did": {
			func(h *History) { h.Watermarks = append(h.Watermarks, Watermark{ListOffsets, 0, 1, 1, at(3), at(3)}) },
			[]string{"high watermark moved back"},
		},
		"an old leader commits on": {
			func(h *History) { h.Watermarks = append(h.Watermarks, Watermark{ListOffsets, 0, 0, 3, at(8), at(9)}) },
			[]string{"high watermark moved back"},
		},
		"an epoch ends before what was committed in it": {
			func(h *History) { h.Watermarks = append(h.Watermarks, Watermark{EpochEnd, 0, 0, 1, at(8), at(9)}) },
			[]string{"high watermark moved back"},
		},
	}
}

// epochsAndCommits are violations by leader epochs and committed offsets.
func epochsAndCommits() map[string]plant {
	return map[string]plant{
		"a broker's metadata goes back": {
			func(h *History) { h.Leaders = append(h.Leaders, Leader{2, 0, 1, 0, at(9)}) },
			[]string{"leader epoch moved back"},
		},
		"epochs of records go back": {
			func(h *History) { h.Final[0][5].LeaderEpoch, h.Reads = 0, nil },
			[]string{"leader epoch moved back"},
		},
		"two brokers lead in one epoch": {
			func(h *History) { h.Leaders = append(h.Leaders, Leader{4, 0, 3, 1, at(9)}) },
			[]string{"two leaders of one epoch"},
		},
		"a committed offset moves back": {
			func(h *History) { h.Fetched = append(h.Fetched, Fetched{2, 0, 1, at(7), at(8)}) },
			[]string{"committed offset moved back"},
		},
		"a committed offset is forgotten by the next coordinator": {
			func(h *History) { h.Fetched[3].Offset = -1 },
			[]string{"committed offset moved back"},
		},
		"a commit is lost": {
			func(h *History) { h.Commits = append(h.Commits, Commit{0, 3, at(4), at(5)}) },
			[]string{"committed offset moved back"},
		},
		"a stale coordinator may, but not at the end": {
			func(h *History) { h.StaleCoordinators = true; h.Fetched[3].Offset = 1 },
			[]string{"committed offset moved back"},
		},
	}
}

// TestPlantedViolations plants one violation at a time; each is caught by its rule, and by no other than those named.
func TestPlantedViolations(t *testing.T) {
	all := lostRecords()
	maps.Copy(all, watermarks())
	maps.Copy(all, epochsAndCommits())
	planted := map[string]bool{}
	for name, p := range all {
		for _, rule := range p.rules {
			planted[rule] = true
		}
		t.Run(name, func(t *testing.T) {
			h := sound()
			p.plant(h)
			rules := map[string]bool{}
			for _, v := range Check(h) {
				rules[v.Rule] = true
			}
			if got := slices.Sorted(maps.Keys(rules)); !slices.Equal(got, slices.Sorted(slices.Values(p.rules))) {
				t.Errorf("found %q, want %q:\n%s", got, p.rules, Report(Check(h)))
			}
		})
	}
	for _, rule := range Rules() {
		if !planted[rule.Name] {
			t.Errorf("no violation of %q is planted", rule.Name)
		}
	}
}

// TestStaleCoordinatorIsAllowed: a coordinator that was cut off may serve what it knew, where a scenario says so.
func TestStaleCoordinatorIsAllowed(t *testing.T) {
	h := sound()
	h.Fetched = slices.Insert(h.Fetched, 3, Fetched{3, 0, 1, at(4), at(5)})
	if found := CommittedBack(h); len(found) != 1 {
		t.Errorf("strictly: %q, want one", found)
	}
	h.StaleCoordinators = true
	if found := CommittedBack(h); len(found) != 0 {
		t.Errorf("with stale coordinators: %q", found)
	}
}

// TestRestartedLeader: when all die at once a leader may come back to its own epoch, with an older high watermark. Without
// such a restart that is a violation.
func TestRestartedLeader(t *testing.T) {
	h := sound()
	h.Answers = append(h.Answers, Answer{"replica 2", 2, true, 1, 0, 6, 6, 0, false, at(9), at(10)})
	if found := append(WatermarkBack(h), AboveWatermark(h)...); len(found) != 2 {
		t.Errorf("without a restart: %q", found)
	}
	h.Launches = map[int32][]time.Duration{2: {at(8)}}
	if found := append(WatermarkBack(h), AboveWatermark(h)...); len(found) != 0 {
		t.Errorf("with a restart: %q", found)
	}
	h.Watermarks = append(h.Watermarks, Watermark{ListOffsets, 0, 1, 0, at(9), at(10)})
	if found := WatermarkBack(h); len(found) == 0 {
		t.Error("ListOffsets may tell less after a restart")
	}
}

func TestLongestSilence(t *testing.T) {
	if longest, p := sound().LongestSilence(at(1)); longest != at(4) || p != 0 {
		t.Errorf("%s in partition %d, want 4s in 0: acks=1 does not count", longest, p)
	}
	if longest, _ := sound().LongestSilence(at(5)); longest != at(1) {
		t.Errorf("%s after 5s, want 1s", longest)
	}
}

func TestReportIsShort(t *testing.T) {
	var all []Violation
	for range 100 {
		all = append(all, Violation{"out of order", "x"})
	}
	if got := Report(all); strings.Count(got, "\n") != 5 || !strings.Contains(got, "out of order: 100 in all") {
		t.Errorf("%s", got)
	}
}
