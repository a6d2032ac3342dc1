// Command tables writes the generated tables of docs/compatibility.md anew.
package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/kbroker/kbroker/broker/api"
	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/protocol"
)

func main() {
	const path = "docs/compatibility.md"
	if err := rewrite(path); err != nil {
		fmt.Fprintln(os.Stderr, "tables:", err)
		os.Exit(1)
	}
}

// rewrite replaces what stands between the markers of a page.
func rewrite(path string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if page, err = current(page); err != nil {
		return err
	}
	return os.WriteFile(path, page, 0o644)
}

// current returns the page with its tables as the code has them now.
func current(page []byte) ([]byte, error) {
	var configs bytes.Buffer
	if err := config.WriteMarkdown(&configs); err != nil {
		return nil, err
	}
	page, err := between(page, "apis", apiTable())
	if err != nil {
		return nil, err
	}
	return between(page, "configs", configs.Bytes())
}

func between(page []byte, name string, content []byte) ([]byte, error) {
	begin, end := []byte("<!-- begin "+name+" -->\n"), []byte("<!-- end "+name+" -->")
	from, to := bytes.Index(page, begin), bytes.Index(page, end)
	if from < 0 || to < from {
		return nil, fmt.Errorf("the page has no place for %s", name)
	}
	return bytes.Join([][]byte{page[:from+len(begin)], content, page[to:]}, nil), nil
}

// apiTable lists every API of the version table, and whether it is handled.
func apiTable() []byte {
	handled := map[int16]bool{}
	for _, key := range api.Handled() {
		handled[key] = true
	}
	var b bytes.Buffer
	fmt.Fprint(&b, "| key | API | versions | handled |\n|--:|---|---|---|\n")
	for _, a := range protocol.APIs() {
		answer := "not yet"
		if handled[a.Key] {
			answer = "yes"
		}
		fmt.Fprintf(&b, "| %d | %s | %d–%d | %s |\n", a.Key, a.Name, a.Min, a.Max, answer)
	}
	return b.Bytes()
}
