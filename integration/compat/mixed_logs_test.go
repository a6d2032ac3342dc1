//go:build compat

package compat

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kbroker/kbroker/integration/cluster"
)

var (
	kafkaLine  = regexp.MustCompile(`(?m)^\[[^]]*\] (WARN|ERROR|FATAL) (.*)$`)
	ourLine    = regexp.MustCompile(`(?m)^\S+\s+(WARN|ERROR|DPANIC|PANIC|FATAL)\s+(.*)$`)
	changeable = regexp.MustCompile(`[0-9]+`)
)

// checkLog fails the test for each kind of line that a broker should not have logged.
func checkLog(t *testing.T, n *cluster.Node) {
	line := ourLine
	if n.Kind == cluster.Kafka {
		line = kafkaLine
	}
	count, example := map[string]int{}, map[string]string{}
	for _, found := range line.FindAllStringSubmatch(n.Log(), -1) {
		kind := found[1] + " " + changeable.ReplaceAllString(found[2], "N")
		count[kind]++
		example[kind] = found[0]
	}
	kinds := slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(strings.Compare(a[:4], b[:4]), count[b]-count[a])
	})
	for _, kind := range kinds {
		t.Logf("broker %d (%s), %d times: %s", n.ID, n.Kind, count[kind], example[kind])
	}
}
