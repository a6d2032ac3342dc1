package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kbroker/kbroker/broker/config"
)

// proof is a line of testdata/effects.txt.
type proof struct{ key, file, test, name string }

func proofs(t *testing.T) (all []proof) {
	t.Helper()
	text, err := os.ReadFile("testdata/effects.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] == "#":
		case len(f) < 3 || f[1] != "-" && len(f) > 4:
			t.Errorf("not a proof: %s", line)
		case f[1] == "-":
			all = append(all, proof{key: f[0]})
		case len(f) == 3:
			all = append(all, proof{f[0], f[1], f[2], f[0]})
		default:
			all = append(all, proof{f[0], f[1], f[2], f[3]})
		}
	}
	return all
}

// TestEveryKeyIsProvedOrNamedWithoutEffect finds for each key that takes effect the test that shows it, and for every other
// the reason in the compatibility table.
func TestEveryKeyIsProvedOrNamedWithoutEffect(t *testing.T) {
	proved := map[string]bool{}
	for _, p := range proofs(t) {
		proved[p.key] = true
		if p.file != "" {
			checkProof(t, p)
		}
	}
	page, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	throughTopics := map[string]bool{} // broker keys that are the default of a topic key
	for _, d := range config.TopicDefinitions() {
		for _, s := range d.Synonyms {
			throughTopics[s] = proved[d.Name]
		}
	}
	acts := map[string]bool{}
	for _, all := range [][]config.Definition{config.BrokerDefinitions(), config.TopicDefinitions(), config.GroupDefinitions()} {
		for _, d := range all {
			if d.Effect == config.Acts {
				acts[d.Name] = true
				if !proved[d.Name] && !throughTopics[d.Name] {
					t.Errorf("%s takes effect, and no test shows it: name one in testdata/effects.txt", d.Name)
				}
				continue
			}
			row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta("`"+d.Name+"`") + ` \|.*: ` + regexp.QuoteMeta(d.Why) + ` \|$`)
			if d.Why == "" || !row.Match(page) {
				t.Errorf("%s has no effect, and docs/compatibility.md does not say why", d.Name)
			}
		}
	}
	for key := range proved {
		if !acts[key] {
			t.Errorf("%s is in testdata/effects.txt and does not take effect", key)
		}
	}
}

// checkProof looks for the test, and for the key in its file.
func checkProof(t *testing.T, p proof) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", p.file))
	if err != nil {
		t.Errorf("%s: %v", p.key, err)
		return
	}
	named := `(^|[^\w.-])` + regexp.QuoteMeta(p.name) + `($|[^\w.-])`
	if !strings.Contains(p.name, ".") { // a field
		named = `\b` + p.name + `\b`
	}
	if !regexp.MustCompile(named).Match(text) {
		t.Errorf("%s: %s does not name %s", p.key, p.file, p.name)
	}
	file, err := parser.ParseFile(token.NewFileSet(), p.file, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == p.test {
			return
		}
	}
	t.Errorf("%s: %s has no test %s", p.key, p.file, p.test)
}
