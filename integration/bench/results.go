package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// figures are named numbers of one run of a scenario.
type figures map[string]float64

// results holds the figures of every round by scenario and subject.
type results struct {
	scenarios []string
	values    map[string]map[string]map[string][]float64 // scenario, subject, figure
}

func newResults() *results {
	return &results{values: map[string]map[string]map[string][]float64{}}
}

func (r *results) add(scenario, subject string, f figures) {
	if r.values[scenario] == nil {
		r.scenarios = append(r.scenarios, scenario)
		r.values[scenario] = map[string]map[string][]float64{}
	}
	if r.values[scenario][subject] == nil {
		r.values[scenario][subject] = map[string][]float64{}
	}
	for name, value := range f {
		r.values[scenario][subject][name] = append(r.values[scenario][subject][name], value)
	}
}

// median returns the median of a figure, and whether it was measured.
func (r *results) median(scenario, subject, figure string) (float64, bool) {
	list := slices.Sorted(slices.Values(r.values[scenario][subject][figure]))
	n := len(list)
	switch {
	case n == 0:
		return 0, false
	case n%2 == 0:
		return (list[n/2-1] + list[n/2]) / 2, true
	default:
		return list[n/2], true
	}
}

// print writes a Markdown table: a row for each figure of each scenario, a column for each
// subject, and kbroker's ratio to the others.
func (r *results) print(w io.Writer, names []string) error {
	others := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == kbrokerName })
	head := append([]string{"scenario", "figure"}, names...)
	for _, other := range others {
		head = append(head, "kbroker to "+other)
	}
	if _, err := fmt.Fprintf(w, "| %s |\n|---|---|%s\n", strings.Join(head, " | "), strings.Repeat("--:|", len(head)-2)); err != nil {
		return err
	}
	for _, scenario := range r.scenarios {
		figureNames := map[string]bool{}
		for _, bySubject := range r.values[scenario] {
			for name := range bySubject {
				figureNames[name] = true
			}
		}
		for _, figure := range slices.Sorted(maps.Keys(figureNames)) {
			cells := []string{scenario, figure}
			for _, name := range names {
				cells = append(cells, r.cell(scenario, name, figure))
			}
			for _, other := range others {
				cells = append(cells, r.ratio(scenario, figure, other))
			}
			if _, err := fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")); err != nil {
				return err
			}
		}
	}
	return nil
}

// cell shows a median with three digits that mean something.
func (r *results) cell(scenario, subject, figure string) string {
	m, ok := r.median(scenario, subject, figure)
	switch {
	case !ok:
		return "–"
	case m >= 100:
		return fmt.Sprintf("%.0f", m)
	default:
		return fmt.Sprintf("%.3g", m)
	}
}

// ratio gives kbroker's median as a multiple of another subject's.
func (r *results) ratio(scenario, figure, other string) string {
	ours, ok1 := r.median(scenario, kbrokerName, figure)
	theirs, ok2 := r.median(scenario, other, figure)
	if !ok1 || !ok2 || theirs == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2g", ours/theirs)
}
