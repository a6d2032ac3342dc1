package api

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/protocol"
)

// staleSession is how long a session must be unused before any newcomer may have its place, and how
// long it must have lived before others compete with it (min.incremental.fetch.session.eviction.ms, fixed in Kafka).
const staleSession = 2 * time.Minute

// sessionCache holds the fetch sessions, at most max.incremental.fetch.session.cache.slots of them. Its lock
// and a session's are never held together, nor while reading or waiting.
type sessionCache struct {
	mu       sync.Mutex
	sessions map[int32]*fetchSession
	slots    func() int32

	count   prometheus.Gauge
	evicted prometheus.Counter
}

func newSessionCache(slots func() int32, r prometheus.Registerer) *sessionCache {
	f := promauto.With(r)
	return &sessionCache{
		sessions: make(map[int32]*fetchSession),
		slots:    slots,
		count: f.NewGauge(prometheus.GaugeOpts{
			Name: "kbroker_fetch_sessions", Help: "Incremental fetch sessions in the cache.",
		}),
		evicted: f.NewCounter(prometheus.CounterOpts{
			Name: "kbroker_fetch_session_evictions_total", Help: "Fetch sessions that gave way to newer ones.",
		}),
	}
}

// sessionUse is how one fetch relates to a session.
type sessionUse struct {
	session *fetchSession // of an incremental fetch; else nil
	epoch   int32         // that the session has while it is this fetch's
	create  bool          // a full fetch that shall have a session when it is answered
}

// use finds the session of a request. The code, when there is one, is that of the answer as a whole.
func (c *sessionCache) use(q *kmsg.FetchRequest, now time.Time) (sessionUse, protocol.ErrorCode) {
	if q.SessionEpoch == firstSessionEpoch || q.SessionEpoch == noSessionEpoch {
		if q.SessionID != 0 {
			c.remove(q.SessionID)
		}
		return sessionUse{create: q.Version >= 7 && q.SessionEpoch == firstSessionEpoch}, protocol.None
	}
	c.mu.Lock()
	s, ok := c.sessions[q.SessionID]
	c.mu.Unlock()
	if !ok {
		return sessionUse{}, protocol.FetchSessionIDNotFound
	}
	s.mu.Lock()
	code := s.advance(q)
	epoch, empty := s.epoch, len(s.partitions) == 0
	s.mu.Unlock()
	switch {
	case code != protocol.None:
		return sessionUse{}, code
	case empty:
		c.remove(s.id)
		return sessionUse{}, protocol.None
	default:
		s.lastUsed.Store(now.UnixNano())
		return sessionUse{session: s, epoch: epoch}, protocol.None
	}
}

// remove forgets a session.
func (c *sessionCache) remove(id int32) {
	c.mu.Lock()
	s := c.sessions[id]
	delete(c.sessions, id)
	c.count.Set(float64(len(c.sessions)))
	c.mu.Unlock()
	if s != nil {
		s.close()
	}
}

// add gives a session its id and a place, if there is or can be made one. It returns the id, or 0.
func (c *sessionCache) add(s *fetchSession, now time.Time) int32 {
	var victim *fetchSession
	defer func() {
		if victim != nil {
			victim.close()
		}
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	if int32(len(c.sessions)) >= c.slots() {
		if victim = c.evictFor(s, now); victim == nil {
			return 0
		}
	}
	for s.id == 0 || c.sessions[s.id] != nil {
		s.id = rand.Int32()
	}
	s.epoch = nextSessionEpoch(firstSessionEpoch)
	c.sessions[s.id] = s
	c.count.Set(float64(len(c.sessions)))
	return s.id
}

// evictFor makes room for a newcomer: of the longest unused session if that is stale, else of the least
// worthy one that is worth less than the newcomer. Followers are worth more than consumers, and then many partitions more
// than few. It returns who gave way, or nil. c.mu is held. It looks at all sessions, which happens only while the cache is full.
func (c *sessionCache) evictFor(newcomer *fetchSession, now time.Time) *fetchSession {
	var oldest, least *fetchSession
	for _, s := range c.sessions {
		if oldest == nil || s.lastUsed.Load() < oldest.lastUsed.Load() {
			oldest = s
		}
		settled := now.Sub(s.created) > staleSession
		if (settled || newcomer.follower && !s.follower) && (least == nil || s.worthLess(least)) {
			least = s
		}
	}
	victim := oldest
	if victim == nil || now.UnixNano()-victim.lastUsed.Load() <= int64(staleSession) {
		victim = least
		if victim == nil || !victim.worthLess(newcomer) {
			return nil
		}
	}
	delete(c.sessions, victim.id)
	c.evicted.Inc()
	return victim
}

func (s *fetchSession) worthLess(other *fetchSession) bool {
	if s.follower != other.follower {
		return other.follower
	}
	return s.size.Load() < other.size.Load()
}
