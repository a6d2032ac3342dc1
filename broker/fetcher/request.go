package fetcher

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	versionByID   = 17
	versionByName = 12 // the last that names topics, for those without an id
	// A fetch of these carries the replica's id elsewhere (KIP-903).
	firstVersionOfReplicaState = 15

	noSessionEpoch = -1 // the fetch wants no session

	// The side lane's fetches wait this long, that partitions which become ready meanwhile do not wait for long; and
	// longer when there are many to be named each time.
	asideWait     = 25 * time.Millisecond
	asidePartWait = time.Millisecond / 50
)

// buildMain makes the session's next fetch. There is at least one ready member.
func (l *loop) buildMain() {
	s, q := &l.session, &l.main.fetch
	byID := l.nameless == 0
	if byID != s.usesIDs {
		// The leader would refuse the other kind of names in a session.
		s.usesIDs = byID
		s.restart()
	}
	l.reset(q, byID, l.options.Config.Broker().ReplicaFetchWaitMax)
	q.SessionID, q.SessionEpoch = s.id, s.epoch
	if s.epoch == 0 {
		l.nameAll(q)
	} else {
		l.nameChanges(q)
	}
	clear(l.dirty)
	clear(s.leaving)
	l.dirty, s.leaving = l.dirty[:0], s.leaving[:0]
}

// nameAll has a fetch name all ready members.
func (l *loop) nameAll(q *kmsg.FetchRequest) {
	for _, m := range l.session.leaving {
		m.inSession, m.forgetting = false, false
	}
	l.session.asked = 0
	// Where there is no session every fetch comes through here, and the first in it are served first.
	if n := len(l.members); n > 0 {
		l.first = (l.first + 1) % n
	}
	for i := range l.members {
		m := l.members[(l.first+i)%len(l.members)]
		m.dirty = false
		if m.inSession = m.standing == ready; !m.inSession {
			continue
		}
		m.asked = m.wanted()
		l.session.asked++
		l.name(q, m, m.asked)
	}
}

// nameChanges has a fetch name what the leader does not know yet.
func (l *loop) nameChanges(q *kmsg.FetchRequest) {
	for _, m := range l.dirty {
		m.dirty = false
		if m.standing != ready || m.gone {
			continue
		}
		if w := m.wanted(); !m.inSession || m.asked != w {
			m.inSession, m.asked = true, w
			l.name(q, m, w)
		}
	}
	for _, m := range l.session.leaving {
		m.forgetting = false
		if m.standing == ready && !m.gone {
			continue // it is back
		}
		m.inSession = false
		// One that left and came back is another member, and the leader would forget it after it was named.
		if other := l.namesake(m); other == nil || !other.inSession {
			l.nameForgotten(q, m)
		}
	}
}

// namesake finds the member whose name in the session is that of m.
func (l *loop) namesake(m *member) *member {
	if l.session.usesIDs {
		return l.byID[idKey{m.topicID, m.Partition.Index()}]
	}
	return l.byName[nameKey{m.Partition.Topic(), m.Partition.Index()}]
}

// buildAside makes a fetch without a session of all that the main lane's fetch, which is under way, does not ask for. It
// reports whether there is any.
func (l *loop) buildAside() bool {
	clear(l.aside)
	l.aside = l.aside[:0]
	byID := true
	for _, m := range l.dirty {
		if m.standing == ready && !m.gone {
			l.aside = append(l.aside, m)
			byID = byID && m.topicID != [16]byte{}
		}
	}
	if len(l.aside) == 0 {
		return false
	}
	wait := asideWait + time.Duration(len(l.aside))*asidePartWait
	q := &l.side.fetch
	l.reset(q, byID, min(wait, l.options.Config.Broker().ReplicaFetchWaitMax))
	q.SessionID, q.SessionEpoch = 0, noSessionEpoch
	for _, m := range l.aside {
		m.askedAside = m.wanted()
		l.name(q, m, m.askedAside)
	}
	l.side.repair = nil
	return true
}

// reset makes a fetch that names nothing, of one whose memory it keeps.
func (l *loop) reset(q *kmsg.FetchRequest, byID bool, wait time.Duration) {
	c := l.options.Config.Broker()
	topics, forgotten := q.Topics[:0], q.ForgottenTopics
	clear(forgotten)
	*q = kmsg.NewFetchRequest()
	q.Topics, q.ForgottenTopics = topics, forgotten[:0]
	q.Version = versionByName
	if byID {
		q.Version = versionByID
	}
	if q.Version >= firstVersionOfReplicaState {
		q.ReplicaState.ID, q.ReplicaState.Epoch = l.options.BrokerID, l.options.BrokerEpoch()
	} else {
		q.ReplicaID = l.options.BrokerID
	}
	q.MaxWaitMillis = int32(wait.Milliseconds())
	q.MinBytes, q.MaxBytes = c.ReplicaFetchMinBytes, c.ReplicaFetchResponseMaxBytes
	l.maxBytes = c.ReplicaFetchMaxBytes
}

// name has a fetch ask for a member. Members of a topic that follow each other share its entry.
func (l *loop) name(q *kmsg.FetchRequest, m *member, a ask) {
	topic, id := m.Partition.Topic(), m.topicID
	last := len(q.Topics) - 1
	if last < 0 || q.Topics[last].TopicID != id || q.Topics[last].Topic != topic {
		last++
		if last < cap(q.Topics) {
			q.Topics = q.Topics[:last+1] // with the memory of its partitions
		} else {
			q.Topics = append(q.Topics, kmsg.FetchRequestTopic{})
		}
		t := &q.Topics[last]
		t.Topic, t.TopicID, t.Partitions = topic, id, t.Partitions[:0]
	}
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.CurrentLeaderEpoch, p.FetchOffset = m.Partition.Index(), a.epoch, a.at.Offset
	p.LastFetchedEpoch, p.LogStartOffset, p.PartitionMaxBytes = a.at.LastEpoch, a.at.LogStartOffset, l.maxBytes
	q.Topics[last].Partitions = append(q.Topics[last].Partitions, p)
}

// nameForgotten has a fetch take a member out of the session.
func (l *loop) nameForgotten(q *kmsg.FetchRequest, m *member) {
	topic, id := m.Partition.Topic(), m.topicID
	last := len(q.ForgottenTopics) - 1
	if last < 0 || q.ForgottenTopics[last].TopicID != id || q.ForgottenTopics[last].Topic != topic {
		t := kmsg.NewFetchRequestForgottenTopic()
		t.Topic, t.TopicID = topic, id
		q.ForgottenTopics = append(q.ForgottenTopics, t)
		last++
	}
	t := &q.ForgottenTopics[last]
	t.Partitions = append(t.Partitions, m.Partition.Index())
}
