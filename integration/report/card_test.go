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

// writeVariable makes TestClients write the page instead of holding it.
const writeVariable = "KBROKER_REPORT"

func TestMain(m *testing.M) {
	code := m.Run()
	harness.RemoveBinaries()
	os.Exit(code)
}

// TestClients asks every client for every cell that docs/clients.md calls passed. With KBROKER_REPORT=write it asks for all, and
// writes the page.
func TestClients(t *testing.T) {
	writing := os.Getenv(writeVariable) == "write"
	path := filepath.Join(root, Page)
	clients := roster(t)
	if only := os.Getenv("KBROKER_REPORT_ONLY"); only != "" {
		clients = slices.DeleteFunc(clients, func(c *client) bool { return !slices.Contains(strings.Split(only, ","), c.name) })
	}
	claimed := map[string]map[string]verdict{}
	if !writing {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := parse(string(page))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			claimed[r.client+" "+r.version] = r.cells
		}
	}
	began := time.Now()
	wanted := func(c *client, column string) bool { return writing || claimed[c.id()][column] == passed }
	subject := harness.StartSubject(t, peers, nil)
	r := ask(t.Context(), t, subject.Address(), clients, wanted)
	t.Logf("asked for %s", time.Since(began).Round(time.Second))
	for _, c := range clients {
		for _, column := range columnNames() {
			one := r.of(c, column)
			switch {
			case one.verdict != notOffered && writing:
				t.Logf("%s, %s: %s after %s: %v", c.id(), column, one.verdict, one.took, one.err)
			case one.verdict != passed && wanted(c, column) && !writing:
				t.Errorf("%s, %s: passed according to %s: %v", c.id(), column, Page, one.err)
			}
		}
	}
	if !writing {
		return
	}
	card := newCard(clients, r, appeal(t.Context(), t, clients, r))
	if err := os.WriteFile(path, []byte(card.render()), 0o644); err != nil {
		t.Fatal(err)
	}
}
