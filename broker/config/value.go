package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// value is a parsed value: the field of its type is set.
type value struct {
	set    bool // false: null
	text   string
	number int64
	real   float64
	truth  bool
	list   []string // not nil for a list
}

// parse reads a value of a key as ConfigDef.parseType does, and checks that it is legal.
func (k *key) parse(raw string) (value, *Invalid) {
	v, problem := parseType(k.kind, raw)
	if problem != "" {
		return value{}, k.invalid(raw, problem)
	}
	if bad, problem := k.valid.problem(k.name, v); problem != "" {
		return value{}, k.invalid(bad, problem)
	}
	return v, nil
}

// invalid makes the error of a value; that of a password is hidden.
func (k *key) invalid(raw, problem string) *Invalid {
	if k.kind == Password {
		raw = "[hidden]"
	}
	return &Invalid{
		Key: k.name, Value: raw,
		Message: "Invalid value " + raw + " for configuration " + k.name + ": " + problem,
	}
}

// shown is the value in an error about its range, where Kafka prints what it parsed.
func (v value) shown() string {
	if v.list != nil {
		return "[" + strings.Join(v.list, ", ") + "]"
	}
	return v.text
}

// standardValue is the parsed default.
func (k *key) standardValue() value {
	if k.standard == null {
		return value{}
	}
	v, problem := parseType(k.kind, k.standard)
	if problem != "" {
		panic(fmt.Sprintf("default of %s: %s", k.name, problem)) // a test reads every row
	}
	return v
}

// parseType reads a string of a type. problem is Kafka's text for a value that is not of it.
func parseType(t Type, raw string) (v value, problem string) {
	trimmed := trim(raw)
	v = value{set: true, text: trimmed}
	switch t {
	case Boolean:
		v.text = strings.ToLower(trimmed)
		if v.text != "true" && v.text != "false" {
			return value{}, "Expected value to be either true or false"
		}
		v.truth = v.text == "true"
	case Short, Int, Long:
		n, err := strconv.ParseInt(trimmed, 10, map[Type]int{Short: 16, Int: 32, Long: 64}[t])
		if err != nil {
			return value{}, "Not a number of type " + t.String()
		}
		v.number, v.text = n, strconv.FormatInt(n, 10)
	case Double:
		f, ok := parseDouble(trimmed)
		if !ok {
			return value{}, "Not a number of type DOUBLE"
		}
		v.real, v.text = f, javaDouble(f)
	case List:
		v.list = splitList(trimmed)
		v.text = strings.Join(v.list, ",")
	}
	return v, ""
}

// trim is Java's String.trim: it drops everything up to the space.
func trim(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }

// splitList cuts at commas with the white space around them. The empty string has no items,
// but empty items between commas stay.
func splitList(s string) []string {
	if s == "" {
		return []string{}
	}
	items := strings.Split(s, ",")
	for i := range items {
		items[i] = strings.Trim(items[i], " \t\n\v\f\r")
	}
	return items
}

// parseDouble reads what Java's Double.parseDouble reads, except for NaN: no key makes sense
// with it.
func parseDouble(s string) (float64, bool) {
	digits := strings.TrimRight(s, "dDfF")
	if len(s)-len(digits) > 1 || strings.ContainsAny(s, "_") {
		return 0, false
	}
	if hex := strings.ToLower(s); strings.HasPrefix(strings.TrimLeft(hex, "+-"), "0x") && !strings.Contains(hex, "p") {
		return 0, false
	}
	if word := strings.TrimLeft(s, "+-"); word != "" && word[0] >= 'A' && word != "Infinity" {
		return 0, false
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// javaDouble writes a number as Java's Double.toString does.
func javaDouble(f float64) string {
	size := math.Abs(f)
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case size == 0 || size >= 1e-3 && size < 1e7:
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent) // FormatFloat wrote it
	return mantissa + "E" + strconv.Itoa(n)
}
