package config

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
)

// testdata/odd.golden is what java.util.Properties reads from odd.properties.
func TestPropertiesAreReadAsJavaDoes(t *testing.T) {
	got, err := ReadProperties("testdata/odd.properties")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/odd.golden")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for line := range strings.Lines(string(golden)) {
		var name, value string
		left, right, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if json.Unmarshal([]byte(left), &name) != nil || json.Unmarshal([]byte(right), &value) != nil {
			t.Fatalf("golden line %s", line)
		}
		want[name] = value
	}
	values := make(map[string]string)
	for name, setting := range got {
		values[name] = setting.Value
	}
	if !maps.Equal(values, want) {
		t.Errorf("read\n%q\nwant\n%q", values, want)
	}
}

func TestPropertiesKeepTheirOrigin(t *testing.T) {
	got, err := parseProperties("a/server.properties", "# one\n\none=1\ntwo=2,\\\n  2\r\nthree=3\none=4")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Setting{
		"one":   {"4", "a/server.properties:7"},
		"two":   {"2,2", "a/server.properties:4"},
		"three": {"3", "a/server.properties:6"},
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestMalformedEscapeNamesItsLine(t *testing.T) {
	for _, text := range []string{"a=1\nb=\\u12", "a=1\nb=\\u12g4", "a=1\n\\u=x"} {
		_, err := parseProperties("p", text)
		if err == nil || !strings.HasPrefix(err.Error(), "p:2: malformed") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestMissingFileSaysWhichOne(t *testing.T) {
	if _, err := ReadProperties("testdata/none.properties"); err == nil || !strings.Contains(err.Error(), "none.properties") {
		t.Errorf("error %v", err)
	}
}

// FuzzProperties looks for files that panic the reader or make it run past the end.
func FuzzProperties(f *testing.F) {
	odd, err := os.ReadFile("testdata/odd.properties")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(odd))
	f.Add("a=\\ud83d\\ude0")
	f.Add("\\")
	f.Fuzz(func(t *testing.T, text string) {
		settings, err := parseProperties("f", text)
		if err != nil && settings != nil {
			t.Error("settings beside an error")
		}
		for name, s := range settings {
			if s.Origin == "" {
				t.Errorf("%q has no origin", name)
			}
		}
	})
}
