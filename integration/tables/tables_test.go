package main

import (
	"bytes"
	"os"
	"testing"
)

// TestTablesAreCurrent fails when docs/compatibility.md does not say what the code does.
func TestTablesAreCurrent(t *testing.T) {
	page, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := current(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page, want) {
		t.Error("docs/compatibility.md is not current: run make docs")
	}
}
