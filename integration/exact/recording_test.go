package exact

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// told is what a broker said to one question, in all its versions.
type told struct {
	chapter, question string
	api               string
	from, to          int16
	answers           map[int16][]string // the lines of each version
	topics            string             // those that there are at the end, of the last question of a chapter alone
}

// title names a question and what is asked, in one line.
func (a told) title() string {
	called := a.api + " "
	if strings.HasPrefix(a.question, a.api) {
		called = "" // the question says it
	}
	return fmt.Sprintf("%s | %s%d-%d", a.question, called, a.from, a.to)
}

// write appends the text of a recording: the title; then, under the place it has in the answer, each value once, after
// the versions that have it unless all do.
func (a told) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "# %s\n", a.title())
	versions := map[string][]int16{}
	var lines []string
	for v := a.from; v <= a.to; v++ {
		for _, line := range a.answers[v] {
			if versions[line] == nil {
				lines = append(lines, line)
			}
			versions[line] = append(versions[line], v)
		}
	}
	// Of one place all stand together.
	slices.SortFunc(lines, func(x, y string) int {
		xPlace, xRest := parted(x)
		yPlace, yRest := parted(y)
		if xPlace != yPlace {
			return strings.Compare(xPlace, yPlace)
		}
		return strings.Compare(xRest, yRest)
	})
	last := ""
	for _, line := range lines {
		place, rest := parted(line)
		if place != last {
			fmt.Fprintf(b, "@ %s\n", place)
			last = place
		}
		which := ""
		if len(versions[line]) != int(a.to-a.from)+1 {
			which = ranges(versions[line])
		}
		fmt.Fprintf(b, "%s\t%s\n", which, rest)
	}
	if a.topics != "" {
		fmt.Fprintf(b, "topics\t%s\n", a.topics)
	}
}

// parted parts a line after the place of the struct that the value is in.
func parted(line string) (place, rest string) {
	name, _, valued := strings.Cut(line, ": ")
	if !valued {
		return "", line
	}
	i := strings.LastIndexByte(name, '.') + 1
	return line[:i], line[i:]
}

// ranges writes ascending versions as 0-3,5.
func ranges(versions []int16) string {
	var parts []string
	for i := 0; i < len(versions); {
		j := i
		for j+1 < len(versions) && versions[j+1] == versions[j]+1 {
			j++
		}
		part := strconv.Itoa(int(versions[i]))
		if j > i {
			part += "-" + strconv.Itoa(int(versions[j]))
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// versionsOf reads what ranges wrote; nothing stands for all.
func (a told) versionsOf(text string) (versions []int16, err error) {
	if text == "" {
		for v := a.from; v <= a.to; v++ {
			versions = append(versions, v)
		}
		return versions, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		first, last, several := strings.Cut(part, "-")
		if !several {
			last = first
		}
		from, err := strconv.ParseInt(first, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("read the versions %q: %w", text, err)
		}
		to, err := strconv.ParseInt(last, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("read the versions %q: %w", text, err)
		}
		for v := from; v <= to; v++ {
			versions = append(versions, int16(v))
		}
	}
	return versions, nil
}

// readRecording reads what the questions of a book were answered, in order.
func readRecording(path string) ([]told, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the recording: %w", err)
	}
	var all []told
	place, chapter := "", ""
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		if name, is := strings.CutPrefix(line, "## "); is {
			chapter = name
			continue
		}
		if title, is := strings.CutPrefix(line, "# "); is {
			a, err := titled(chapter, title)
			if err != nil {
				return nil, fmt.Errorf("line %d of %s: %w", i+1, path, err)
			}
			all, place = append(all, a), ""
			continue
		}
		if at, is := strings.CutPrefix(line, "@ "); is {
			place = at
			continue
		}
		which, rest, is := strings.Cut(line, "\t")
		if !is || len(all) == 0 {
			return nil, fmt.Errorf("line %d of %s is no value: %q", i+1, path, line)
		}
		a := &all[len(all)-1]
		if which == "topics" {
			a.topics = rest
			continue
		}
		versions, err := a.versionsOf(which)
		if err != nil {
			return nil, fmt.Errorf("line %d of %s: %w", i+1, path, err)
		}
		for _, v := range versions {
			a.answers[v] = append(a.answers[v], place+rest)
		}
	}
	return all, nil
}

// titled reads a title.
func titled(chapter, title string) (told, error) {
	a := told{chapter: chapter, answers: map[int16][]string{}}
	question, rest, ok := strings.Cut(title, " | ")
	called, versions, named := strings.Cut(rest, " ")
	if !named {
		// Up to the first sign that no name has.
		called, versions = question, rest
		if i := strings.IndexAny(question, " ,:"); i >= 0 {
			called = question[:i]
		}
	}
	a.question, a.api = question, called
	if _, err := fmt.Sscanf(versions, "%d-%d", &a.from, &a.to); err != nil || !ok {
		return told{}, fmt.Errorf("read the title %q: it is not as title writes it", title)
	}
	return a, nil
}

// writeRecording writes answers as readRecording reads them.
func writeRecording(path string, all []told) error {
	var b bytes.Buffer
	for i, a := range all {
		if i == 0 || all[i-1].chapter != a.chapter {
			fmt.Fprintf(&b, "## %s\n", a.chapter)
		}
		a.write(&b)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the recording: %w", err)
	}
	return nil
}
