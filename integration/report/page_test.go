package report

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

// TestPageIsCurrent fails when docs/clients.md has other columns, or other versions of clients, than the repository.
func TestPageIsCurrent(t *testing.T) {
	versions := map[string]string{}
	for _, r := range readPage(t) {
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

// TestRenderAndParse: what is written is what is read.
func TestRenderAndParse(t *testing.T) {
	clients := []*client{
		{name: "one", version: "1.0", absent: map[string]string{topics: "no such thing", configs: "no such thing"}},
		{name: "two", version: "2.0"},
	}
	r := &results{cells: map[string]map[string]result{}}
	for _, c := range clients {
		for _, column := range columnNames() {
			one := result{verdict: passed}
			if c.absent[column] != "" {
				one.verdict = notOffered
			}
			r.put(c, column, one)
		}
	}
	r.put(clients[1], idempotence, result{verdict: failed, err: errors.New("no")})
	there := &results{cells: map[string]map[string]result{}}
	there.put(clients[1], idempotence, result{verdict: passed})
	made := newCard(clients, r, map[string]*results{oracle(idempotence): there})
	rows, err := parse(made.render())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(rows, made.rows) {
		t.Errorf("read %v, written %v", rows, made.rows)
	}
	want := []string{"one 1.0, *topics*, *configs*: no such thing", "two 2.0, *idempotence*: ✗; with Apache Kafka 3.9.2 it passes"}
	if !slices.Equal(made.notes, want) {
		t.Errorf("noted %q, want %q", made.notes, want)
	}
}

// readPage reads the table of the committed page.
func readPage(t *testing.T) []row {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, Page))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := parse(string(page))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
