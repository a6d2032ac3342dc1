package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kbroker/kbroker/integration/story"
)

// kcat does tasks by kcat's command line. Topics and their configs are not among what it can do.
type kcat struct{ address string }

func (k *kcat) close() {}

func (k *kcat) do(ctx context.Context, words ...string) ([]event, error) {
	topic := words[1]
	produce := func(input string, more ...string) ([]event, error) {
		_, err := k.run(ctx, input, append([]string{"-P", "-t", topic, "-p", "0", "-K:"}, more...)...)
		return nil, err
	}
	switch words[0] {
	case "produce":
		return produce(kcatLines(recordCount), "-z", words[2])
	case "idempotent":
		return produce(kcatLines(recordCount), "-X", "enable.idempotence=true")
	case "headers":
		return produce(kcatLines(1), "-H", wanted[0], "-H", wanted[1])
	case "consume":
		return k.consume(ctx, topic, words[2])
	case "look-up":
		return k.lookUp(ctx, topic, words[2])
	default:
		return nil, fmt.Errorf("kcat cannot %s", words[0])
	}
}

func kcatLines(count int) string {
	var lines strings.Builder
	for i := range count {
		fmt.Fprintf(&lines, "%s:%s\n", keyOf(i), valueOf(i))
	}
	return lines.String()
}

func (k *kcat) consume(ctx context.Context, topic, count string) ([]event, error) {
	out, err := k.run(ctx, "", "-C", "-t", topic, "-p", "0", "-o", "beginning", "-c", count, "-J", "-q")
	if err != nil {
		return nil, err
	}
	var events []event
	for line := range strings.Lines(out) {
		var r struct {
			Partition    int32
			Offset       int64
			TS           int64
			Key, Payload string
			Headers      []string // name, value, name, value
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return nil, fmt.Errorf("kcat prints %q: %w", line, err)
		}
		e := event{Event: "record", Partition: r.Partition, Offset: r.Offset, Timestamp: r.TS, Key: r.Key, Value: r.Payload}
		for i := 0; i+1 < len(r.Headers); i += 2 {
			e.Headers = append(e.Headers, r.Headers[i]+"="+r.Headers[i+1])
		}
		events = append(events, e)
	}
	return events, nil
}

var kcatOffset = regexp.MustCompile(`offset (\d+)`)

func (k *kcat) lookUp(ctx context.Context, topic, at string) ([]event, error) {
	out, err := k.run(ctx, "", "-Q", "-t", topic+":0:"+at)
	if err != nil {
		return nil, err
	}
	m := kcatOffset.FindStringSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("kcat prints %q", out)
	}
	offset, err := strconv.ParseInt(m[1], 10, 64)
	return []event{{Event: "offset", Offset: offset}}, err
}

func (k *kcat) run(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "kcat", append([]string{"-b", k.address}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kcat: %w: %s", err, problems.String())
	}
	return out.String(), nil
}

// kcatReader reads what a member prints; in a cooperative group kcat tells of changes, and Debian's in other words.
func kcatReader() reader {
	var owned []int32
	return func(line string) ([]story.Event, error) {
		events, err := story.ReadKcat(line)
		if len(events) == 0 || events[0].Event != "owns" {
			return events, err
		}
		change, list, incremental := strings.Cut(line, " COOPERATIVE rebalance protocol): ")
		if !incremental {
			return events, nil
		}
		partitions := story.KcatPartitions(list)
		if strings.Contains(change, "incremental assignment") {
			owned = append(owned, partitions...)
		} else {
			owned = slices.DeleteFunc(owned, func(p int32) bool { return slices.Contains(partitions, p) })
		}
		events[0].Partitions = slices.Clone(owned)
		return events, nil
	}
}
