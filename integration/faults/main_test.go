// Package faults injects faults into clusters of real processes under load and checks what clients saw. The cluster and what
// can fail is integration/cluster, the clients integration/load, the checkers integration/history; here are the scenarios.
//
// KBROKER_SUBJECT=3.9.2 makes Apache Kafka the cluster under test, KBROKER_CLUSTER=kafka,kbroker,kbroker a mixed one.
// KBROKER_FAULT_ROUNDS=n repeats every scenario n times, the slow ones included, which are left out without it.
package faults

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
