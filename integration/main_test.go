// Package integration tests kbroker from outside: real processes, real clients, a real ZooKeeper.
// One file per promise.
package integration

import (
	"os"
	"testing"

	"github.com/kbroker/kbroker/integration/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.RemoveBinaries()
	os.Exit(code)
}
