package admin

import (
	"slices"
	"strings"
	"testing"
)

func TestFlagsMayFollowArguments(t *testing.T) {
	for given, want := range map[string]string{
		"groups describe a b -o json":                     "groups describe -o json a b",
		"groups describe a --output=json b":               "groups describe --output=json a b",
		"groups delete a --timeout 3s":                    "groups delete --timeout 3s a",
		"groups reset-offsets g --shift-by -2":            "groups reset-offsets --shift-by -2 g",
		"groups describe --all-groups a":                  "groups describe --all-groups a",
		"groups describe -- -a -o":                        "groups describe -- -a -o",
		"groups describe b -o json -- -a":                 "groups describe -o json -- b -a",
		"groups describe --group -a":                      "groups describe --group -a",
		"groups describe a --unknown b":                   "groups describe --unknown a b",
		"groups describe a -o":                            "groups describe -o a",
		"groups describe - --all-groups":                  "groups describe --all-groups -- -",
		"groups -h":                                       "groups -h",
		"groups":                                          "groups",
		"start a --config b":                              "start a --config b", // no command of ours
		"groups describe a -o --generate-bash-completion": "groups describe a -o --generate-bash-completion",
		"": "",
	} {
		if got := FlagsFirst(Commands(), strings.Fields(given)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q becomes %q, want %q", given, strings.Join(got, " "), want)
		}
	}
}
