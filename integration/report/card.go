package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kbroker/kbroker/integration/harness"
)

// atOnce is how many clients are asked at a time: most of a cell's time is waiting.
const atOnce = 3

// result is what a cell's trial came to.
type result struct {
	verdict verdict
	err     error // of a failed one
	took    time.Duration
}

// results are those of all clients, by client and version, and column.
type results struct {
	mu    sync.Mutex
	cells map[string]map[string]result
}

func (r *results) put(c *client, column string, one result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cells[c.id()] == nil {
		r.cells[c.id()] = map[string]result{}
	}
	r.cells[c.id()][column] = one
}

func (r *results) of(c *client, column string) result { return r.cells[c.id()][column] }

// ask tries those cells of the clients that are wanted.
func ask(ctx context.Context, t testing.TB, address string, clients []*client, wanted func(c *client, column string) bool) *results {
	t.Helper()
	r := &results{cells: map[string]map[string]result{}}
	b := newBench(t, address)
	turns := make(chan struct{}, atOnce)
	var asking sync.WaitGroup
	for _, c := range clients {
		asking.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			d := c.doer(b.address)
			defer d.close()
			for _, column := range columns() {
				if wanted(c, column.name) {
					r.put(c, column.name, b.judge(ctx, c, d, column))
				}
			}
		})
	}
	asking.Wait()
	return r
}

// judge tries a cell unless the client does not offer it.
func (b *bench) judge(ctx context.Context, c *client, d doer, column column) result {
	if c.absent[column.name] != "" {
		return result{verdict: notOffered}
	}
	began := time.Now()
	err := b.try(ctx, c, d, column, "")
	if errors.Is(err, context.DeadlineExceeded) { // once more, as the machine may be busy with other things
		err = b.try(ctx, c, d, column, " again")
	}
	one := result{verdict: passed, err: err, took: time.Since(began).Round(100 * time.Millisecond)}
	if err != nil {
		one.verdict = failed
	}
	return one
}

// oracle is the release of Apache Kafka that says whether a column can be passed.
func oracle(column string) string {
	if column == consumer {
		return "4.3.0"
	}
	return "3.9.2"
}

// appeal tries the cells that failed with the releases of Apache Kafka that know better.
func appeal(ctx context.Context, t testing.TB, clients []*client, r *results) map[string]*results {
	t.Helper()
	answers := map[string]*results{}
	for _, release := range []string{"3.9.2", "4.3.0"} {
		wanted := func(c *client, column string) bool {
			return oracle(column) == release && r.of(c, column).verdict == failed
		}
		var asked []*client
		for _, c := range clients {
			if slices.ContainsFunc(columnNames(), func(column string) bool { return wanted(c, column) }) {
				asked = append(asked, c)
			}
		}
		if len(asked) > 0 {
			answers[release] = ask(ctx, t, harness.StartRelease(t, peers, release, nil).Address(), asked, wanted)
		}
	}
	return answers
}

// newCard makes the page's content of results.
func newCard(clients []*client, r *results, appealed map[string]*results) card {
	var made card
	for _, c := range clients {
		line := row{client: c.name, version: c.version, cells: map[string]verdict{}}
		var reasons []string
		columnsOf := map[string][]string{}
		note := func(column, reason string) {
			if columnsOf[reason] == nil {
				reasons = append(reasons, reason)
			}
			columnsOf[reason] = append(columnsOf[reason], column)
		}
		for _, column := range columnNames() {
			one := r.of(c, column)
			line.cells[column] = one.verdict
			switch one.verdict {
			case notOffered:
				note(column, c.absent[column])
			case failed:
				outcome := "passes"
				if appealed[oracle(column)].of(c, column).verdict != passed {
					outcome = "fails, too"
				}
				note(column, fmt.Sprintf("✗; with Apache Kafka %s it %s", oracle(column), outcome))
			}
		}
		made.rows = append(made.rows, line)
		for _, reason := range reasons {
			made.notes = append(made.notes, fmt.Sprintf("%s, *%s*: %s", c.id(), strings.Join(columnsOf[reason], "*, *"), reason))
		}
	}
	return made
}
