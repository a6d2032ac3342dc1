package fetcher

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/protocol"
)

// session is the follower's end of a fetch session (KIP-227; Kafka: FetchSessionHandler.java). The leader has one too,
// and both count the requests: as long as they agree, a fetch names only what changed.
type session struct {
	id      int32 // 0: none
	epoch   int32 // of the next fetch; 0: it names all partitions and asks for a new session
	usesIDs bool  // the session names topics by their ids
	asked   int   // partitions in the fetch, where it names all
	refused int   // fetches in a row that the leader knew no session for

	leaving []*member // that the leader may still have in the session
}

// part notes that the leader has to forget a member, unless it is back by the next fetch.
func (s *session) part(m *member) {
	if m.inSession && !m.forgetting {
		m.forgetting = true
		s.leaving = append(s.leaving, m)
	}
}

// restart has the next fetch end the session and begin another one.
func (s *session) restart() { s.epoch = 0 }

// forget has the next fetch begin a session as if there had been none.
func (s *session) forget() { s.id, s.epoch = 0, 0 }

// errSessionLost is an answer that says that the leader has no such session. The next fetch begins anew.
var errSessionLost = errors.New("the leader does not go on with the fetch session")

// answered notes an answer to the session's fetch that named answered partitions; after an error there is nothing in it
// to be used.
func (s *session) answered(code protocol.ErrorCode, id int32, answered int) error {
	if code != protocol.None {
		s.restart()
		switch code {
		case protocol.FetchSessionIDNotFound:
			s.forget()
		case protocol.InvalidFetchSessionEpoch, protocol.FetchSessionTopicIDError:
		default:
			return fmt.Errorf("the leader refused the fetch: %w", kerr.ErrorForCode(code))
		}
		s.refused++
		return fmt.Errorf("%w: %w", errSessionLost, kerr.ErrorForCode(code))
	}
	s.refused = 0
	if s.epoch == 0 && answered < s.asked {
		s.forget()
		return fmt.Errorf("the leader answered for %d partitions of %d", answered, s.asked)
	}
	switch {
	case id == 0:
		s.forget() // the leader has no room for a session, or ended it
	case s.epoch == 1<<31-1:
		s.id, s.epoch = id, 1
	default:
		s.id, s.epoch = id, s.epoch+1
	}
	return nil
}
