package consumer

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// resolution is what a regular expression was found to match.
type resolution struct {
	topics  []string // sorted
	version int64    // of the image
	time    int64    // Unix milliseconds
}

// resolveAttempt is when the regular expressions of the group were last resolved, all at once so that they cause one
// rebalance.
type resolveAttempt struct {
	done    bool
	at      time.Time
	version uint64 // of the image
	wanted  bool   // one came up that could not be resolved yet
}

// resolvePause is between two resolutions of a group (Kafka: REGEX_BATCH_REFRESH_MIN_INTERVAL_MS).
const resolvePause = 10 * time.Second

// regexChange is what a heartbeat did to the regular expression of a member.
type regexChange int8

const (
	regexUnchanged  regexChange = iota
	regexUnresolved             // another one, whose topics are not known yet
	regexResolved               // another one, or none, whose topics are known
)

// updateRegex checks and records a change of the member's regular expression, and plans to resolve those of the group
// when that is due (Kafka: maybeUpdateRegularExpressions).
func (p *plan) updateRegex() (regexChange, *refusal) {
	g, before, after := p.g, p.base.sub.regex, p.m.sub.regex
	result, want := regexUnchanged, false
	if before != after {
		result = regexUnresolved
		if before != "" && g.regexSubscribers(before) == 1 {
			p.do(regexGone{before})
		}
		switch {
		case after == "":
			result = regexResolved
		case g.regexSubscribers(after) == 0:
			if _, err := compileRegex(after); err != nil {
				return result, refuse(kerr.InvalidRegularExpression, fmt.Sprintf("SubscribedTopicRegex `%s` is not a valid regular expression: %s.", after, complaint(err)))
			}
			want = true
		case g.regexes[after] != nil:
			result = regexResolved
		default:
			want = true
		}
	}
	if want && !g.resolved.wanted {
		g.resolved.wanted = true // soft: at worst the group resolves in vain
	}
	p.resolve = (want || g.regexMembers > 0) && g.resolveDue(p.now)
	return result, nil
}

func (g *Group) regexSubscribers(regex string) int {
	n := 0
	for _, s := range g.subs {
		if s.regex == regex {
			n += s.members
		}
	}
	return n
}

// resolveDue tells whether to resolve: something is new, and the last time was long enough ago.
func (g *Group) resolveDue(now time.Time) bool {
	r := &g.resolved
	if r.done && !r.wanted && r.version == g.image.Version() {
		return false
	}
	return !r.done || now.Sub(r.at) >= min(resolvePause, g.config.RegexRefresh)
}

// compileRegex takes RE2's syntax; an expression must match a topic's whole name. It is compiled on its own first: what
// is only whole within other brackets is none.
func compileRegex(regex string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(regex); err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?:` + regex + `)\z`)
}

// resolveRegexes looks up the topics of all regular expressions, and raises the group epoch if they are other ones.
// Kafka writes all of them each time; only those that have changed are written here.
func (g *Group) resolveRegexes(x *journal.Turn) {
	g.resolved = resolveAttempt{done: true, at: x.Now, version: g.image.Version()}
	var changes []change
	kind := journal.TopicsChanged
	after := make(map[string]*resolution, len(g.regexes))
	var subs []*subscription
	for _, s := range g.subs {
		subs = append(subs, s)
		if s.regex == "" || after[s.regex] != nil {
			continue
		}
		r := &resolution{topics: g.match(s.regex), version: int64(g.image.Version()), time: x.Now.UnixMilli()}
		if old := g.regexes[s.regex]; old != nil && slices.Equal(old.topics, r.topics) {
			r = old
		} else if old == nil {
			kind = journal.SubscriptionChanged
		}
		after[s.regex] = r
	}
	raise := false
	for _, regex := range sortedKeys(after) {
		if old := g.regexes[regex]; old != after[regex] {
			raise = raise || len(after[regex].topics) > 0 || old != nil
			changes = append(changes, regexSet{regex, after[regex]})
		}
	}
	hash := g.hashOf(subs, after)
	if raise = raise || hash != g.hash; raise {
		changes = append(changes, epochSet{g.epoch + 1, hash})
		if g.hasPartitionMetadata {
			changes = append(changes, partitionMetadataGone{})
		}
	}
	if len(changes) == 0 {
		return
	}
	g.store(x, changes, func(x *journal.Turn) {
		if raise {
			g.looked = look{true, g.image.Version()}
			x.Rebalanced(kind, g.epoch, "regular expressions match other topics")
		}
	}, func(_ time.Time, err *kerr.Error) {
		if err != nil {
			g.resolved.wanted = true
		}
	})
}

// match returns the topics whose names an expression matches. Kafka leaves no topic out either; what a member may see is
// for its fetches to ask.
func (g *Group) match(regex string) []string {
	r, err := compileRegex(regex)
	if err != nil {
		return nil // checked when a member brought it; a stored one may be older than the check
	}
	var topics []string
	for _, name := range g.image.Names() {
		if r.MatchString(name) {
			topics = append(topics, name)
		}
	}
	return topics
}

// complaint is what is wrong with a regular expression, without saying again that it is one.
func complaint(err error) string {
	if e := (*syntax.Error)(nil); errors.As(err, &e) {
		return e.Code.String()
	}
	return err.Error()
}
