package assign

import "slices"

// levels hands out the subscribers of a topic, the least loaded to receive partitions and the most loaded to give them
// away, so that loads become level.
//
// The subscribers stand in a row by load. A low range begins at the left, a high range somewhere near the right; each
// starts as the members of one and the same load. When all of a range have had their turn its load has moved by one,
// and it takes in its neighbours that have this load already: low grows to the right as its load rises, high to the left
// as its load falls. Behind high stand members that turned out to have nothing to give.
type levels struct {
	size []int32 // by member: the load, which others change meanwhile
	row  []int32 // members by load, then number

	lowEnd  int // the low range is [0, lowEnd)
	lowNext int
	lowLoad int32

	highStart, highEnd int // the high range is [highStart, highEnd)
	highNext           int
	highLoad           int32

	counts []int32 // memory of sort
}

// reset starts with other subscribers, at least one, which are in the order of their numbers.
func (l *levels) reset(subscribers []int32) {
	l.sort(subscribers)
	n := len(l.row)
	l.lowEnd, l.lowNext, l.lowLoad = 0, 0, l.size[l.row[0]]-1
	l.highStart, l.highEnd, l.highNext, l.highLoad = n, n, n-1, l.size[l.row[n-1]]+1
}

// spread is the difference between the highest and the lowest load of subscribers.
func (l *levels) spread(subscribers []int32) int32 {
	lowest, highest := l.size[subscribers[0]], l.size[subscribers[0]]
	for _, m := range subscribers {
		lowest, highest = min(lowest, l.size[m]), max(highest, l.size[m])
	}
	return highest - lowest
}

// sort fills the row. It counts, as loads are small numbers, unless they lie far apart: then it compares.
func (l *levels) sort(subscribers []int32) {
	l.row = append(l.row[:0], subscribers...)
	span := l.spread(subscribers)
	if span == 0 {
		return
	}
	if int(span) > 4*len(subscribers) {
		slices.SortStableFunc(l.row, func(a, b int32) int { return int(l.size[a] - l.size[b]) })
		return
	}
	lowest := l.size[subscribers[0]]
	for _, m := range subscribers {
		lowest = min(lowest, l.size[m])
	}
	l.counts = slices.Grow(l.counts[:0], int(span)+2)[:span+2]
	clear(l.counts)
	for _, m := range subscribers {
		l.counts[l.size[m]-lowest+1]++
	}
	for i := range l.counts[1:] {
		l.counts[i+1] += l.counts[i]
	}
	for _, m := range subscribers {
		at := &l.counts[l.size[m]-lowest]
		l.row[*at] = m
		*at++
	}
}

// low returns the member that should receive a partition, and counts on its receiving it.
func (l *levels) low() int32 {
	if l.lowNext >= l.lowEnd {
		l.lowLoad++
		for l.lowEnd < len(l.row) && l.size[l.row[l.lowEnd]] == l.lowLoad {
			l.lowEnd++
		}
		l.lowNext = 0
	}
	m := l.row[l.lowNext]
	l.lowNext++
	return m
}

// high returns the member that should give a partition away, and counts on its doing so unless nothing follows; nobody
// when none is left.
func (l *levels) high() int32 {
	if l.highNext < l.highStart {
		if l.highEnd <= l.highStart && l.highStart > 0 {
			// All had nothing to give: go on from the load of the next, however far below.
			l.highLoad = l.size[l.row[l.highStart-1]]
		} else {
			l.highLoad--
		}
		for l.highStart > 0 && l.size[l.row[l.highStart-1]] == l.highLoad {
			l.highStart--
		}
		l.highNext = l.highEnd - 1
	}
	if l.highNext < 0 {
		return nobody
	}
	m := l.row[l.highNext]
	l.highNext--
	return m
}

// nothing says that the member that high returned last has nothing to give. It goes behind the range.
func (l *levels) nothing() {
	l.highEnd--
	at := l.highNext + 1
	l.row[at], l.row[l.highEnd] = l.row[l.highEnd], l.row[at]
}

// level tells whether moving another partition from high to low would not help.
func (l *levels) level() bool { return l.highLoad-l.lowLoad <= 1 }
