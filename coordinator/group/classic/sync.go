package classic

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// SyncRequest is a SyncGroup.
type SyncRequest struct {
	MemberID     string
	InstanceID   *string
	Generation   int32
	ProtocolType *string // nil: not said (before v5)
	Protocol     *string
	Assignments  map[string][]byte // from the leader, by member id
}

// SyncResponse is the answer to a SyncGroup. Assignment must not be changed.
type SyncResponse struct {
	Err                    *kerr.Error
	ProtocolType, Protocol *string // nil on errors
	Assignment             []byte
}

// Sync answers when the leader's assignment is stored, with the member's part of it.
func (g *Group) Sync(x *journal.Turn, r SyncRequest, reply func(SyncResponse)) {
	m, err := g.maySync(r)
	if err != nil {
		reply(SyncResponse{Err: err})
		return
	}
	g.synced(m)
	if g.state == Stable {
		reply(g.assigned(m))
		g.heard(x, m)
		return
	}
	// A sync that is parked already was given up by the client; its answer only ends the wait.
	answerSync(m, SyncResponse{Err: kerr.RebalanceInProgress})
	m.sync = reply
	if m == g.leader && !g.storing {
		g.storeAssignment(x, m, r.Assignments)
	}
}

func (g *Group) maySync(r SyncRequest) (*member, *kerr.Error) {
	if g.state == Dead {
		return nil, kerr.CoordinatorNotAvailable
	}
	m, err := g.find(r.MemberID, r.InstanceID)
	switch {
	case err != nil:
		return nil, err
	case r.Generation != g.generation:
		return nil, kerr.IllegalGeneration
	case differs(r.ProtocolType, g.protocolType), differs(r.Protocol, g.protocol):
		return nil, kerr.InconsistentGroupProtocol
	case g.state == PreparingRebalance:
		return nil, kerr.RebalanceInProgress
	default:
		return m, nil
	}
}

// differs tells whether what a request says, if it says it, is not so.
func differs(said, is *string) bool { return said != nil && (is == nil || *said != *is) }

// storeAssignment stores what the leader assigned. Members that it left out get nothing. A leader that asks again while
// this goes on is answered with the rest.
func (g *Group) storeAssignment(x *journal.Turn, leader *member, assignments map[string][]byte) {
	g.storing = true
	generation, memberID := g.generation, leader.id
	x.Append(journal.Write{
		Records: []journal.Record{g.record(func(m *member) []byte { return assignments[m.id] })},
		Done: func(x *journal.Turn, err error) {
			// Another rebalance may have begun meanwhile, and answered the syncs.
			if g.state != CompletingRebalance || g.generation != generation {
				return
			}
			if code := storeError(err); code != nil {
				g.failSyncs(x, code)
				g.prepareRebalance(x, journal.AssignmentLost,
					fmt.Sprintf("the assignment from leader %s was not stored: %s", memberID, code.Message))
				return
			}
			for m := range g.all() {
				m.assignment = assignments[m.id]
			}
			g.become(Stable, x.Now)
			for m := range g.all() {
				if answerSync(m, g.assigned(m)) {
					g.heard(x, m)
				}
			}
		},
	})
}

func (g *Group) assigned(m *member) SyncResponse {
	return SyncResponse{ProtocolType: g.protocolType, Protocol: g.protocol, Assignment: m.assignment}
}

// failSyncs answers all parked syncs with the error; no member has an assignment then.
func (g *Group) failSyncs(x *journal.Turn, err *kerr.Error) {
	for m := range g.all() {
		m.assignment = nil
		if answerSync(m, SyncResponse{Err: err}) {
			g.heard(x, m)
		}
	}
}

// storeError is what clients are told when a group could not be stored (GroupMetadataManager.storeGroup).
func storeError(err error) *kerr.Error {
	if err == nil {
		return nil
	}
	var code *kerr.Error
	if !errors.As(err, &code) {
		return kerr.UnknownServerError
	}
	switch code {
	case kerr.UnknownTopicOrPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend:
		return kerr.CoordinatorNotAvailable
	case kerr.NotLeaderForPartition, kerr.KafkaStorageError:
		return kerr.NotCoordinator
	case kerr.RequestTimedOut:
		return kerr.RebalanceInProgress
	case kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidFetchSize:
		return kerr.UnknownServerError
	default:
		return code
	}
}
