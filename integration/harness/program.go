package harness

import (
	"os/exec"
	"path"
	"path/filepath"
	"testing"
)

// Program builds a command of the module into the test's temporary folder and returns its path.
func Program(t testing.TB, importPath string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), path.Base(importPath))
	if out, err := exec.Command("go", "build", "-o", file, importPath).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", importPath, err, out)
	}
	return file
}
