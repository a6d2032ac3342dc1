package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// startAt is where consuming starts in every partition.
type startAt struct {
	kind startKind
	n    int64 // the offset, how many before the end, or milliseconds
}

type startKind int

const (
	atBeginning startKind = iota
	atEnd
	atOffset
	beforeEnd
	sinceTime
)

// parseStart reads --from.
func parseStart(given string, now time.Time) (startAt, error) {
	switch given {
	case "beginning":
		return startAt{kind: atBeginning}, nil
	case "end":
		return startAt{kind: atEnd}, nil
	}
	if n, err := strconv.ParseInt(given, 10, 64); err == nil {
		if n < 0 {
			return startAt{beforeEnd, -n}, nil
		}
		return startAt{atOffset, n}, nil
	}
	at, err := parseDatetime(given)
	if millis, ok := strings.CutPrefix(given, "@"); ok {
		var n int64
		n, err = strconv.ParseInt(millis, 10, 64)
		at = time.UnixMilli(n)
	} else if err != nil {
		var back time.Duration
		if back, err = parseDuration(given); err == nil {
			at = now.Add(-back)
		}
	}
	if err != nil || at.UnixMilli() < 0 {
		return startAt{}, errors.New("--from " + given + ": must be beginning, end, an offset, -N for the last N of each partition, a time as " +
			"2026-01-31T12:00:00 (UTC unless +hh:mm follows) or @milliseconds, or how long ago as 15m or P1D")
	}
	return startAt{sinceTime, at.UnixMilli()}, nil
}

// forGroup is where a group starts in partitions without a committed offset.
func (s startAt) forGroup() kgo.Offset {
	switch s.kind {
	case atEnd:
		return kgo.NewOffset().AtEnd()
	case atOffset:
		return kgo.NewOffset().At(s.n)
	case beforeEnd:
		return kgo.NewOffset().AtEnd().Relative(-s.n)
	case sinceTime:
		return kgo.NewOffset().AfterMilli(s.n)
	}
	return kgo.NewOffset().AtStart()
}

// span is what is to be read of a partition: the next offset, and the end of the log when it was looked at.
type span struct{ next, end int64 }

type spans map[string]map[int32]*span

// findSpans looks up where partitions start and end. With committedOnly the end is the last stable offset. Partitions are all of
// the topics if none are named.
func findSpans(
	ctx context.Context, cluster *kadm.Client, topics []string, partitions []int32, from startAt, committedOnly bool,
) (spans, error) {
	starts, err := cluster.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, failure("list start offsets", err)
	}
	list := cluster.ListEndOffsets
	if committedOnly {
		list = cluster.ListCommittedOffsets
	}
	ends, err := list(ctx, topics...)
	if err != nil {
		return nil, failure("list end offsets", err)
	}
	var times kadm.ListedOffsets
	if from.kind == sinceTime {
		if times, err = cluster.ListOffsetsAfterMilli(ctx, from.n, topics...); err != nil {
			return nil, failure("list offsets by time", err)
		}
	}
	found := spans{}
	for _, topic := range topics {
		found[topic] = map[int32]*span{}
		for p, start := range starts[topic] {
			end, ok := ends.Lookup(topic, p)
			if err := errors.Join(start.Err, end.Err); err != nil || !ok {
				return nil, failure(fmt.Sprintf("topic %s", topic), err)
			}
			if len(partitions) > 0 && !slices.Contains(partitions, p) {
				continue
			}
			s := &span{end: end.Offset}
			switch from.kind {
			case atBeginning:
				s.next = start.Offset
			case atEnd:
				s.next = end.Offset
			case atOffset:
				s.next = from.n
			case beforeEnd:
				s.next = end.Offset - min(from.n, end.Offset)
			case sinceTime: // nothing is that young: -1, or the end
				s.next = end.Offset
				if o, ok := times.Lookup(topic, p); ok && o.Err == nil && o.Offset >= 0 {
					s.next = o.Offset
				}
			}
			s.next = max(s.next, start.Offset)
			found[topic][p] = s
		}
		for _, p := range partitions {
			if found[topic][p] == nil {
				return nil, fmt.Errorf("topic %s has no partition %d", topic, p)
			}
		}
	}
	return found, nil
}

// offsets are the next ones, for a client.
func (s spans) offsets() map[string]map[int32]kgo.Offset {
	all := map[string]map[int32]kgo.Offset{}
	for topic, list := range s {
		all[topic] = map[int32]kgo.Offset{}
		for p, at := range list {
			all[topic][p] = kgo.NewOffset().At(at.next)
		}
	}
	return all
}

// read notes that a record has been, and says whether it was before the end that was looked up.
func (s spans) read(r *kgo.Record) bool {
	at := s[r.Topic][r.Partition]
	if at == nil {
		return true
	}
	at.next = max(at.next, r.Offset+1)
	return r.Offset < at.end
}

// short lists the partitions whose end has not been reached.
func (s spans) short() []string {
	var names []string
	for topic, list := range s {
		for p, at := range list {
			if at.next < at.end {
				names = append(names, fmt.Sprintf("%s-%d at %d of %d", topic, p, at.next, at.end))
			}
		}
	}
	slices.Sort(names)
	return names
}
