package history

import (
	"fmt"
	"strings"
)

// Violation is a promise that was broken.
type Violation struct {
	Rule string
	Text string
}

func (v Violation) String() string { return v.Rule + ": " + v.Text }

// A Rule looks for violations of one promise.
type Rule struct {
	Name  string
	Check func(*History) []string
}

// Rules returns all rules.
func Rules() []Rule {
	return []Rule{
		{"acknowledged and lost", Lost},
		{"duplicated under idempotence", Duplicated},
		{"one offset, two records", Remapped},
		{"read and vanished", Vanished},
		{"read above the high watermark", AboveWatermark},
		{"out of order", Misordered},
		{"offsets missing", Gaps},
		{"never sent", Invented},
		{"high watermark moved back", WatermarkBack},
		{"leader epoch moved back", EpochBack},
		{"two leaders of one epoch", TwoLeaders},
		{"committed offset moved back", CommittedBack},
	}
}

// Check applies all rules.
func Check(h *History) []Violation {
	var all []Violation
	for _, rule := range Rules() {
		for _, text := range rule.Check(h) {
			all = append(all, Violation{rule.Name, text})
		}
	}
	return all
}

// Report writes violations down, a few of each rule.
func Report(violations []Violation) string {
	const most = 4
	var b strings.Builder
	count := map[string]int{}
	for _, v := range violations {
		if count[v.Rule]++; count[v.Rule] <= most {
			fmt.Fprintln(&b, v)
		}
	}
	for _, rule := range Rules() {
		if n := count[rule.Name]; n > most {
			fmt.Fprintf(&b, "%s: %d in all\n", rule.Name, n)
		}
	}
	return b.String()
}
