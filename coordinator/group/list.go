package group

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/coordinator/journal"
)

// Listed is a group as ListGroups tells it.
type Listed struct {
	ID, ProtocolType, State, Type string // Type is classic or consumer, State as that type names it
}

// List tells the groups in these states (KIP-518) and of these types (KIP-848), all when empty, in any case, by id. While a
// partition is being loaded it answers COORDINATOR_LOAD_IN_PROGRESS along with what is known.
func (g *Groups) List(ctx context.Context, states, types []string) ([]Listed, *kerr.Error) {
	g.mu.RLock()
	closed := g.closed
	g.mu.RUnlock()
	if closed {
		return nil, kerr.CoordinatorNotAvailable
	}
	var err *kerr.Error
	var actors []*actor
	for _, s := range g.allShards() {
		if s.available() == kerr.CoordinatorLoadInProgress {
			err = kerr.CoordinatorLoadInProgress
		}
		actors = append(actors, s.all()...)
	}

	// All are asked before the first is waited for.
	answers := make(chan *Listed, len(actors))
	for _, a := range actors {
		a.shard.submit(task{
			group:  a.id,
			run:    func(a *actor, _ *journal.Turn) { answers <- a.listed() },
			refuse: func(*kerr.Error) { answers <- nil },
		})
	}
	var listed []Listed
	for range actors {
		select {
		case l := <-answers:
			if l != nil && among(states, l.State) && among(types, l.Type) {
				listed = append(listed, *l)
			}
		case <-ctx.Done():
			return nil, kerr.CoordinatorNotAvailable
		}
	}
	slices.SortFunc(listed, func(a, b Listed) int { return strings.Compare(a.ID, b.ID) })
	return listed, err
}

func (a *actor) listed() *Listed {
	if a.consumer != nil {
		return &Listed{ID: a.id, ProtocolType: consumerProtocol, State: a.consumer.State(), Type: consumerKind.String()}
	}
	return &Listed{ID: a.id, ProtocolType: a.classic.ProtocolType(), State: string(a.classic.State()), Type: classicKind.String()}
}

func among(filter []string, value string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, value) })
}

// Describe answers DescribeGroups: Dead for a group that is not known (GROUP_ID_NOT_FOUND is the caller's, from v6 on), and
// for one of the new protocol.
func (g *Groups) Describe(ctx context.Context, group string) (classic.Description, *kerr.Error) {
	type answer struct {
		description classic.Description
		err         *kerr.Error
	}
	dead := answer{description: classic.Description{State: classic.Dead}}
	got := ask(ctx, g, group, none, func(a *actor, _ *journal.Turn, reply func(answer)) {
		if a.classic == nil {
			reply(dead)
			return
		}
		reply(answer{description: a.classic.Describe()})
	}, func(err *kerr.Error) answer {
		if err == kerr.GroupIDNotFound {
			return dead
		}
		return answer{err: err}
	})
	return got.description, got.err
}
