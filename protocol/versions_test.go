package protocol

import (
	"encoding/csv"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// added are the rows that Kafka 3.9 does not advertise with ZooKeeper.
var added = []API{
	{74, "ListConfigResources", 0, 1, 0},
	{75, "DescribeTopicPartitions", 0, 0, 0},
}

// further are versions that only Kafka 4.x has: 3.9 was a preview of the new group protocol, which kbroker serves in full.
var further = map[int16]int16{68: 1, 69: 1}

// testdata/api-versions.csv was taken from a running Apache Kafka 3.9.2.
func TestTableIsKafkasPlusOurAdditions(t *testing.T) {
	f, err := os.Open("testdata/api-versions.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	number := func(s string) int16 {
		n, err := strconv.ParseInt(s, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		return int16(n)
	}
	var want []API
	for _, l := range lines[1:] {
		want = append(want, API{Key: number(l[0]), Name: l[1], Min: number(l[2]), Max: number(l[3])})
	}
	for i := range want {
		if grown, ok := further[want[i].Key]; ok {
			want[i].Max = grown
		}
	}
	want = append(want, added...)

	got := APIs()
	if len(got) != len(want) {
		t.Errorf("table has %d rows, want %d", len(got), len(want))
	}
	for _, w := range want {
		g, ok := Lookup(w.Key)
		g.Flexible, w.Flexible = 0, 0
		if !ok || g != w {
			t.Errorf("key %d: got %+v, want %+v", w.Key, g, w)
		}
	}
	if !slices.IsSortedFunc(got, func(a, b API) int { return int(a.Key) - int(b.Key) }) {
		t.Error("table is not in the order of keys")
	}
}

func TestFlexibleVersionsAgreeWithTheBodies(t *testing.T) {
	for _, a := range APIs() {
		r := kmsg.RequestForKey(a.Key)
		if r == nil {
			t.Errorf("no body for %s", a.Name)
			continue
		}
		for v := a.Min; v <= a.Max; v++ {
			r.SetVersion(v)
			if got := a.IsFlexible(v); got != r.IsFlexible() {
				t.Errorf("%s v%d: flexible %t, its body %t", a.Name, v, got, r.IsFlexible())
			}
		}
	}
}

func TestLookupOfUnknownKeys(t *testing.T) {
	for _, key := range []int16{-1, -32768, 52, 59, 127, 128, 32767} {
		if a, ok := Lookup(key); ok {
			t.Errorf("key %d found as %+v", key, a)
		}
	}
}
