package config

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// legal tells which values of a type a key takes. The texts are those of Kafka's validators
// (ConfigDef.java and the ones named below): clients see them.
type legal struct {
	text string // as the documentation writes it; empty: any value
	// check is nil when the type is enough. problem is empty for a legal value; bad is the
	// value as the error shows it.
	check func(name string, v value) (bad, problem string)
}

func (l legal) problem(name string, v value) (bad, problem string) {
	if l.check == nil {
		return "", ""
	}
	return l.check(name, v)
}

var anything = legal{}

func atLeast(low int64) legal { return numbers(float64(low), math.Inf(1)) }

// between has both ends in.
func between(low, high float64) legal { return numbers(low, high) }

func numbers(low, high float64) legal {
	text := "[" + plain(low) + ",..."
	if !math.IsInf(high, 1) {
		text += "," + plain(high)
	}
	return legal{text: text + "]", check: func(_ string, v value) (bad, problem string) {
		f := v.real + float64(v.number) // one of them is zero
		switch {
		case f < low:
			return v.shown(), "Value must be at least " + plain(low)
		case f > high:
			return v.shown(), "Value must be no more than " + plain(high)
		}
		return "", ""
	}}
}

func plain(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// oneOf is for strings, and for lists of such strings.
func oneOf(words ...string) legal {
	return legal{text: "[" + strings.Join(words, ", ") + "]", check: func(_ string, v value) (bad, problem string) {
		items := v.list
		if items == nil {
			items = []string{v.text}
		}
		for _, item := range items {
			if !slices.Contains(words, item) {
				return item, "String must be one of: " + strings.Join(words, ", ")
			}
		}
		return "", ""
	}}
}

// The validators of single keys.
var (
	nonNull     = legal{text: "non-null string"} // a given value is never null
	nonNullList = legal{text: "non-empty list"}  // Kafka's name for it: an empty one passes
	nonEmpty    = legal{text: "non-empty string", check: checkNonEmpty}
	gzipLevel   = legal{text: "[1,...,9] or -1", check: checkGzipLevel}
	version     = legal{text: "[0.8.0 ... 4.0-IV1]", check: checkVersion}
	throttled   = legal{text: throttledForm, check: checkThrottled}
	poolSize    = legal{
		text:  "-1, which follows remote.log.manager.thread.pool.size, or at least 1",
		check: checkPoolSize,
	}
	migrationPolicy = legal{text: "(case insensitive) [UPGRADE, DOWNGRADE, DISABLED, BIDIRECTIONAL]", check: checkMigrationPolicy}
)

func checkNonEmpty(_ string, v value) (bad, problem string) {
	if v.text == "" {
		return "", "String must be non-empty"
	}
	return "", ""
}

// CompressionType.java
func checkGzipLevel(_ string, v value) (bad, problem string) {
	if v.number > 9 || v.number < 1 && v.number != -1 {
		return v.text, "Value must be between 1 and 9 or equal to -1"
	}
	return "", ""
}

// RemoteLogManagerConfig.java
func checkPoolSize(_ string, v value) (bad, problem string) {
	if v.number < -1 || v.number == 0 {
		return v.text, "Value can be -1 or greater than 0"
	}
	return "", ""
}

func checkMigrationPolicy(_ string, v value) (bad, problem string) {
	policies := []string{"UPGRADE", "DOWNGRADE", "DISABLED", "BIDIRECTIONAL"}
	if !slices.Contains(policies, strings.ToUpper(v.text)) {
		return v.text, "String must be one of (case insensitive): " + strings.Join(policies, ", ")
	}
	return "", ""
}

// ThrottledReplicaListValidator.java
func checkThrottled(name string, v value) (bad, problem string) {
	if strings.Join(v.list, "") == "*" {
		return "", ""
	}
	for _, item := range v.list {
		partition, broker, ok := strings.Cut(item, ":")
		if item != "" && (!ok || !digits(partition) || !digits(broker)) {
			return v.shown(), name + " must be the literal '*' or a list of replicas in the following format: " + throttledForm
		}
	}
	return "", ""
}

const throttledForm = "[partitionId]:[brokerId],[partitionId]:[brokerId],..."

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// checkVersion takes the versions of MetadataVersion.java, with or without the -IV part.
func checkVersion(_ string, v value) (bad, problem string) {
	if releaseOf(v.text) == "" {
		return v.text, "Version " + v.text + " is not a valid version"
	}
	return "", ""
}

// releases are Kafka's inter-broker protocol versions up to 3.9 and how many steps (IV0 and
// up) each had; 0 for those from before there were steps.
var releases = []struct {
	name  string
	steps int
}{
	{"0.8.0", 0},
	{"0.8.1", 0},
	{"0.8.2", 0},
	{"0.9.0", 0},
	{"0.10.0", 2},
	{"0.10.1", 3},
	{"0.10.2", 1},
	{"0.11.0", 3},
	{"1.0", 1},
	{"1.1", 1},
	{"2.0", 2},
	{"2.1", 3},
	{"2.2", 2},
	{"2.3", 2},
	{"2.4", 2},
	{"2.5", 1},
	{"2.6", 1},
	{"2.7", 3},
	{"2.8", 2},
	{"3.0", 2},
	{"3.1", 1},
	{"3.2", 1},
	{"3.3", 4},
	{"3.4", 1},
	{"3.5", 3},
	{"3.6", 3},
	{"3.7", 5},
	{"3.8", 1},
	{"3.9", 1},
	{"4.0", 2},
}

// releaseOf gives the release of a version such as 3.9, 3.9-IV0 or 3.9.1, or nothing.
func releaseOf(version string) string {
	parts := 2
	if strings.HasPrefix(version, "0.") {
		parts = 3
	}
	if segments := strings.Split(version, "."); len(segments) > parts {
		version = strings.Join(segments[:parts], ".")
	}
	name, step, stepped := strings.Cut(version, "-IV")
	for _, r := range releases {
		if r.name == name && (!stepped || digits(step) && len(step) == 1 && int(step[0]-'0') < r.steps) {
			return r.name
		}
	}
	return ""
}
