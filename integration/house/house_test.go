// Package house holds the rules of the house as tests: who may import whom, and how long files
// and functions may be.
package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/kbroker/kbroker/"

// allowed maps each package of the product to those of ours that it may import. Imports point down only.
var allowed = map[string][]string{
	"protocol":                   {},
	"protocol/record":            {},
	"storage":                    {"protocol/record", "storage/vfs"},
	"storage/vfs":                {},
	"zkmeta":                     {},
	"zkmeta/zkserver":            {},
	"coordinator":                {},
	"coordinator/txn":            {},
	"coordinator/journal":        {},
	"coordinator/group/assign":   {},
	"coordinator/group/classic":  {"coordinator/journal"},
	"coordinator/group/offsets":  {"coordinator/journal"},
	"coordinator/group/consumer": {"coordinator/group/assign", "coordinator/group/classic", "coordinator/journal"},
	"coordinator/group": {
		"coordinator/group/assign", "coordinator/group/classic", "coordinator/group/consumer", "coordinator/group/offsets",
		"coordinator/journal",
	},
	"broker/config":     {"protocol/record", "storage"},
	"broker/metadata":   {},
	"broker/socket":     {},
	"broker/server":     {"broker/socket", "protocol"},
	"broker/peer":       {"broker/socket", "protocol"},
	"broker/replica":    {"broker/config", "broker/metadata", "coordinator/journal", "protocol/record", "storage"},
	"broker/fetcher":    {"broker/config", "broker/metadata", "broker/peer", "broker/replica", "protocol", "protocol/record"},
	"broker/alterisr":   {"broker/peer", "broker/replica", "protocol"},
	"broker/controller": {"broker/config", "broker/metadata", "broker/peer", "zkmeta"},
	"broker/api": {
		"broker/config", "broker/controller", "broker/metadata", "broker/peer", "broker/replica", "broker/server",
		"coordinator/group", "coordinator/group/assign", "coordinator/group/classic", "coordinator/group/consumer",
		"coordinator/group/offsets", "coordinator/journal", "coordinator/txn", "protocol", "protocol/record", "storage", "zkmeta",
	},
	"broker": {
		"broker/alterisr", "broker/api", "broker/config", "broker/controller", "broker/fetcher", "broker/metadata", "broker/peer", "broker/replica",
		"broker/server",
		"coordinator/group", "coordinator/group/assign", "coordinator/group/classic", "coordinator/group/consumer",
		"coordinator/group/offsets", "coordinator/journal", "coordinator/txn", "protocol", "protocol/record", "storage", "storage/vfs",
		"zkmeta",
	},
	"cmd/kbroker/admin/placement": {},
	"cmd/kbroker/admin":           {"cmd/kbroker/admin/placement"},
	"cmd/kbroker": {
		"cmd/kbroker/admin", "broker", "broker/config", "coordinator/journal", "protocol/record", "storage", "storage/vfs", "zkmeta/zkserver",
	},
}

// Limits of style.md; the exceptions name why.
const (
	maxFileLines     = 600
	maxFunctionLines = 70
)

var longFunctions = map[string]string{}

// bannedPackages are names that say nothing and attract everything.
var bannedPackages = []string{"util", "utils", "common", "helpers", "types", "models", "misc"}

// traces are words that do not belong into the repository: paths of one machine.
var traces = regexp.MustCompile(`(^|[^\w/.])/(work|root|home/\w+)/`)

type listed struct {
	ImportPath string
	Imports    []string
}

// TestHouseImports compares every package's imports with the map.
func TestHouseImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(name, "integration") || strings.HasSuffix(name, "test") {
			continue // tests may see everything
		}
		may, known := allowed[name]
		if !known {
			t.Errorf("package %s is not on the map: give it a floor in allowed", name)
		}
		for _, i := range p.Imports {
			if ours, ok := strings.CutPrefix(i, module); ok && !slices.Contains(may, ours) {
				t.Errorf("%s must not import %s", name, ours)
			}
		}
	}
}

// TestHouseSizes holds files, functions and names to their limits.
func TestHouseSizes(t *testing.T) {
	eachFile(t, func(path string, set *token.FileSet, file *ast.File) {
		if lines := set.File(file.Pos()).LineCount(); lines > maxFileLines {
			t.Errorf("%s has %d lines, at most %d", path, lines, maxFileLines)
		}
		if slices.Contains(bannedPackages, file.Name.Name) {
			t.Errorf("%s: package %s says nothing", path, file.Name.Name)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			lines := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1
			if lines > maxFunctionLines && longFunctions[path+" "+f.Name.Name] == "" {
				t.Errorf("%s: %s has %d lines, at most %d", path, f.Name.Name, lines, maxFunctionLines)
			}
			if f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s: init registers behind the reader's back", path)
			}
		}
	})
}

// TestHouseSleeps refuses time.Sleep in the product and its unit tests; integration polls with deadlines.
func TestHouseSleeps(t *testing.T) {
	eachFile(t, func(path string, set *token.FileSet, file *ast.File) {
		if strings.HasPrefix(path, "integration/") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Sleep" {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && !usesSynctest(file) {
					t.Errorf("%s: time.Sleep: wait on a condition", set.Position(n.Pos()))
				}
			}
			return true
		})
	})
}

func usesSynctest(file *ast.File) bool {
	return slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
}

// TestHouseTraces refuses paths of one machine in what is committed.
func TestHouseTraces(t *testing.T) {
	cmd := exec.Command("git", "grep", "-nIE", traces.String(), "--", ":!integration/house", ":!*.sum")
	cmd.Dir = root(t)
	if out, err := cmd.Output(); err == nil {
		t.Errorf("paths of one machine:\n%s", out)
	}
}

// eachFile parses every Go file of the repository.
func eachFile(t *testing.T, look func(path string, set *token.FileSet, file *ast.File)) {
	t.Helper()
	top := root(t)
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(top, path)
		look(filepath.ToSlash(relative), set, file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func root(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatalf("find the module's root: %v", err)
	}
	return strings.TrimSpace(string(out))
}
