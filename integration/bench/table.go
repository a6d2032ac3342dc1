package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// print writes a Markdown table: a row for each figure of each scenario, a column for each
// subject, and kbroker's ratio to the others.
func (r *results) print(w io.Writer, subjects []*subject) error {
	var names []string
	for _, s := range subjects {
		names = append(names, s.name)
	}
	if _, err := fmt.Fprintf(w, "| scenario | figure | %s | kbroker to floor | kbroker to Kafka |\n|---|---|%s\n",
		strings.Join(names, " | "), strings.Repeat("--:|", len(names)+2)); err != nil {
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
			cells = append(cells, r.ratio(scenario, figure, floorName), r.ratio(scenario, figure, kafkaName))
			if _, err := fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *results) cell(scenario, subject, figure string) string {
	m, ok := r.median(scenario, subject, figure)
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%.4g", m)
}

// ratio gives kbroker's median as a multiple of another subject's.
func (r *results) ratio(scenario, figure, other string) string {
	ours, ok1 := r.median(scenario, kbrokerName, figure)
	theirs, ok2 := r.median(scenario, other, figure)
	if !ok1 || !ok2 || theirs == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", ours/theirs)
}
