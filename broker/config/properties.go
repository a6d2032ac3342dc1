package config

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Setting is a value given at start, with where it was given for messages: a file and line,
// or a flag.
type Setting struct {
	Value  string
	Origin string
}

// maxPropertiesSize bounds a properties file; a real one has a few kilobytes.
const maxPropertiesSize = 16 << 20

// ReadProperties reads a Java properties file (server.properties), later keys winning.
// Unlike Java it takes UTF-8 as such: Latin-1 bytes outside ASCII must be escaped.
func ReadProperties(path string) (map[string]Setting, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read properties: %w", err)
	}
	if info.Size() > maxPropertiesSize {
		return nil, fmt.Errorf("read properties: %s has %d bytes, more than %d", path, info.Size(), maxPropertiesSize)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read properties: %w", err)
	}
	return parseProperties(path, string(text))
}

func parseProperties(path, text string) (map[string]Setting, error) {
	settings := make(map[string]Setting)
	lines := lineReader{text: text}
	for {
		line, number, ok := lines.next()
		if !ok {
			return settings, nil
		}
		rawKey, rawValue := splitProperty(line)
		origin := path + ":" + strconv.Itoa(number)
		name, err := unescape(rawKey)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", origin, err)
		}
		value, err := unescape(rawValue)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", origin, err)
		}
		settings[name] = Setting{Value: value, Origin: origin}
	}
}

// lineReader gives logical lines: comments and blank lines are left out, and a line that ends
// in an odd number of backslashes goes on in the next one, without its indentation.
type lineReader struct {
	text   string
	number int // of the natural line read last
}

// next returns a logical line and the number of its first natural line.
func (r *lineReader) next() (line string, number int, ok bool) {
	for {
		natural, more := r.natural()
		if !more {
			return "", 0, false
		}
		natural = strings.TrimLeft(natural, propertyBlanks)
		if natural == "" || natural[0] == '#' || natural[0] == '!' {
			continue
		}
		number = r.number
		var b strings.Builder
		for continues(natural) {
			b.WriteString(natural[:len(natural)-1])
			if natural, more = r.natural(); !more {
				break
			}
			natural = strings.TrimLeft(natural, propertyBlanks)
		}
		b.WriteString(natural)
		return b.String(), number, true
	}
}

// natural returns the next line as it stands, ended by \n, \r or both.
func (r *lineReader) natural() (line string, ok bool) {
	if r.text == "" {
		return "", false
	}
	r.number++
	end := strings.IndexAny(r.text, "\r\n")
	if end < 0 {
		line, r.text = r.text, ""
		return line, true
	}
	line = r.text[:end]
	if strings.HasPrefix(r.text[end:], "\r\n") {
		end++
	}
	r.text = r.text[end+1:]
	return line, true
}

const propertyBlanks = " \t\f"

func continues(line string) bool {
	backslashes := len(line) - len(strings.TrimRight(line, `\`))
	return backslashes%2 == 1
}

// splitProperty cuts a line at the first =, : or blank that is not escaped, with the blanks
// around it.
func splitProperty(line string) (rawKey, rawValue string) {
	end := 0
	for end < len(line) && !strings.ContainsRune("=: \t\f", rune(line[end])) {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(line))
	rest := strings.TrimLeft(line[end:], propertyBlanks)
	if rest != "" && (rest[0] == '=' || rest[0] == ':') {
		rest = strings.TrimLeft(rest[1:], propertyBlanks)
	}
	return line[:end], rest
}

// unescape reads \t, \n, \r, \f and \uXXXX; any other escaped character stands for itself.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			break // a lone backslash at the end of the file
		}
		if s[i] == 'u' {
			r, size, err := unicodeEscape(s[i-1:])
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
			i += size - 2
			continue
		}
		if control := strings.IndexByte("tnrf", s[i]); control >= 0 {
			b.WriteByte("\t\n\r\f"[control])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String(), nil
}

// unicodeEscape reads the \uXXXX at the start of s, or two that make a surrogate pair.
func unicodeEscape(s string) (r rune, size int, err error) {
	unit, ok := utf16Unit(s)
	if !ok {
		return 0, 0, fmt.Errorf(`malformed \uXXXX escape in %q`, s[:min(len(s), 6)])
	}
	if low, ok := utf16Unit(s[6:]); ok && utf16.IsSurrogate(unit) {
		if pair := utf16.DecodeRune(unit, low); pair != '\uFFFD' {
			return pair, 12, nil
		}
	}
	return unit, 6, nil // a lone surrogate is written as the replacement character
}

func utf16Unit(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}
