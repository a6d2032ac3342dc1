package journal

import (
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"
)

// rows reads a table of testdata: fields between spaces, # begins a comment.
func rows(t testing.TB, name string) (rows [][]string) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			rows = append(rows, strings.Fields(line))
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return rows
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	if s == "-" {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func number(t testing.TB, s string) int32 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int32(n)
}

func TestPartitionForAgreesWithJava(t *testing.T) {
	for _, row := range rows(t, "hash.txt") {
		id := string(unhex(t, row[0]))
		if got, want := javaHash(id), number(t, row[1]); got != want {
			t.Errorf("hash of %q: %d, Java says %d", id, got, want)
		}
		for i, partitions := range []int32{50, 7} {
			if got, want := PartitionFor(id, partitions), number(t, row[2+i]); got != want {
				t.Errorf("partition of %q of %d: %d, Java says %d", id, partitions, got, want)
			}
		}
	}
}

func TestPartitionForTakesTheSmallestIntAsZero(t *testing.T) {
	const id = "polygenelubricants"
	if h := javaHash(id); h != -1<<31 {
		t.Fatalf("hash of %s: %d", id, h)
	}
	if p := PartitionFor(id, 7); p != 0 { // 2^31 mod 7 is 2
		t.Errorf("partition %d, want 0", p)
	}
}
