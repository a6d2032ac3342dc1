package report

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPageIsCurrent fails when docs/clients.md has other columns, or other versions of clients, than the repository.
func TestPageIsCurrent(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, Page))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := parse(string(page))
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, r := range rows {
		versions[r.client] = r.version
	}
	for _, p := range pins {
		want, err := pinned(p.client)
		if err != nil {
			t.Fatal(err)
		}
		if got := versions[p.client]; got != want {
			t.Errorf("%s has %s %q, the repository %q: run make report", Page, p.client, got, want)
		}
	}
}
