//go:build compat

package report

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kbroker/kbroker/integration/harness"
)

// reportVariable makes TestClients ask for all cells: write says to write the page, names of clients, with commas, say whom to ask.
const reportVariable = "KBROKER_REPORT"

func TestMain(m *testing.M) {
	code := m.Run()
	harness.RemoveBinaries()
	os.Exit(code)
}

// TestClients asks every client for every cell that docs/clients.md calls passed, unless KBROKER_REPORT wants something else.
func TestClients(t *testing.T) {
	clients := roster(t)
	switch names := os.Getenv(reportVariable); names {
	case "":
		hold(t, clients)
	case "write":
		r := survey(t, clients)
		appealed := appeal(t.Context(), t, clients, r)
		made := newCard(clients, r, appealed)
		if err := os.WriteFile(filepath.Join(root, Page), []byte(made.render()), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, c := range clients {
			for _, column := range columnNames() {
				if r.of(c, column).verdict == failed && appealed[oracle(column)].of(c, column).verdict == passed {
					t.Errorf("%s, %s: passes with Apache Kafka %s", c.id(), column, oracle(column))
				}
			}
		}
	default:
		survey(t, slices.DeleteFunc(clients, func(c *client) bool { return !slices.Contains(strings.Split(names, ","), c.name) }))
	}
}

// hold fails the test when a cell does not pass that the page calls passed.
func hold(t *testing.T, clients []*client) {
	rows := readPage(t)
	claimed := map[string]map[string]verdict{}
	for _, r := range rows {
		claimed[r.client+" "+r.version] = r.cells
	}
	wanted := func(c *client, column string) bool { return claimed[c.id()][column] == passed }
	r := ask(t.Context(), t, harness.StartSubject(t, peers, nil).Address(), clients, wanted)
	for _, c := range clients {
		if claimed[c.id()] == nil {
			t.Logf("%s is not in %s", c.id(), Page) // of another distribution: for the others, TestPageIsCurrent fails
		}
		for _, column := range columnNames() {
			if one := r.of(c, column); wanted(c, column) && one.verdict != passed {
				t.Errorf("%s, %s: passed according to %s: %v", c.id(), column, Page, one.err)
			}
		}
	}
}

// survey asks for all cells, and logs what they came to.
func survey(t *testing.T, clients []*client) *results {
	t.Helper()
	began := time.Now()
	everything := func(*client, string) bool { return true }
	r := ask(t.Context(), t, harness.StartSubject(t, peers, nil).Address(), clients, everything)
	t.Logf("asked for %s", time.Since(began).Round(time.Second))
	for _, c := range clients {
		for _, column := range columnNames() {
			switch one := r.of(c, column); one.verdict {
			case passed:
				t.Logf("%s %s, %s, after %s", one.verdict, c.id(), column, one.took)
			case failed:
				t.Logf("%s %s, %s, after %s: %v", one.verdict, c.id(), column, one.took, one.err)
			}
		}
	}
	return r
}
