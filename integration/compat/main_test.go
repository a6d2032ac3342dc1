//go:build compat

// Package compat runs Apache Kafka's own programs, of 3.9 and 4.x, against kbroker, and its brokers beside kbroker in one
// cluster (mixed*_test.go). KBROKER_CLUSTER=kafka,kafka,kafka tells the same of Apache Kafka alone. It needs a
// JDK and Maven, which scripts/install-test-deps compat installs; the jars come from Maven.
package compat

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/kbroker/kbroker/integration/harness"
)

// versions are the releases whose tools are run.
var versions = []string{"3.9.2", "4.3.0"}

const peers = "../peers"

func TestMain(m *testing.M) {
	// Before any clock runs: a cold cache takes minutes.
	for _, version := range versions {
		cmd := exec.Command(filepath.Join(peers, "jars"), version)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			os.Stderr.WriteString("Apache Kafka's jars could not be brought: " + err.Error() + "\n")
			os.Exit(1)
		}
	}
	// A tool lives for a second: the second compiler would only cost time.
	if err := os.Setenv("KAFKA_JVM", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	code := m.Run()
	harness.RemoveBinaries()
	os.Exit(code)
}

// tool runs a program of Apache Kafka and returns what it printed.
func tool(t *testing.T, version, stdin, name string, args ...string) string {
	t.Helper()
	return harness.Run(t, stdin, filepath.Join(peers, "kafka"), append([]string{"-v", version, name}, args...)...)
}
