package integration

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestComposeFlags takes the flags of each broker from docker-compose.yml and lets kbroker check them: without an
// engine the containers cannot run, but their configuration can be wrong all the same.
func TestComposeFlags(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	services := strings.Split(string(text), "\n  kbroker")[1:]
	if len(services) != 3 {
		t.Fatalf("%d brokers in docker-compose.yml, want 3", len(services))
	}
	for _, service := range services {
		args := []string{"config", "--set"}
		for _, m := range regexp.MustCompile(`(?m)^ +- (--\S+)$`).FindAllStringSubmatch(service, -1) {
			if !strings.HasPrefix(m[1], "--metrics-listen") { // not a setting
				args = append(args, m[1])
			}
		}
		out := harness.Run(t, "", harness.Binary(t, true), args...)
		for _, want := range []string{"inter.broker.listener.name=INTERNAL", "offsets.topic.replication.factor=3", "zookeeper.connect=zk1:2181,zk2:2181,zk3:2181/kafka"} {
			if !strings.Contains(out, want) {
				t.Errorf("kbroker%s...: %s is not set:\n%s", service[:1], want, out)
			}
		}
	}
}

// TestStaticBinary builds as the Dockerfile does and expects a binary that needs no library, since its base has none.
func TestStaticBinary(t *testing.T) {
	out := filepath.Join(t.TempDir(), "kbroker")
	cmd := exec.Command("make", "-s", "-C", "..", "build", "OUT="+out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, text)
	}
	f, err := elf.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil || len(libraries) > 0 {
		t.Errorf("the binary needs %v (%v)", libraries, err)
	}
	if got := harness.Run(t, "", out, "version"); !strings.HasPrefix(got, "kbroker ") {
		t.Errorf("kbroker version prints %q", got)
	}
}
