package replica

import (
	"errors"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/storage"
)

// Fetchers copy the logs of leaders into the partitions that this broker follows. The Manager tells them what to
// copy, while it applies a change; they must not wait for the network, nor call the Manager back.
type Fetchers interface {
	// Follow begins to fetch partitions, or goes on with them from another leader or in another epoch.
	Follow(partitions []Followed)
	// Unfollow ends it. A fetch in flight may still bring something: the Partition refuses it by its epoch.
	Unfollow(partitions []*Partition)
}

// Followed is a partition that this broker follows.
type Followed struct {
	Partition   *Partition
	LeaderID    int32
	LeaderEpoch int32
}

// ErrNotFollower is the answer to a fetcher whose partition does not follow in its epoch any more: it forgets the partition.
var ErrNotFollower = errors.New("this broker does not follow the partition in this epoch")

// Position is where a follower goes on.
type Position struct {
	Offset         int64 // its log end
	LastEpoch      int32 // leader epoch of its last batch; -1: none
	LogStartOffset int64
}

// Fetched is what a leader answered for one partition.
type Fetched struct {
	Offset         int64  // that was asked for
	Batches        []byte // whole batches, the last may be cut short; they belong to the caller again after the call
	HighWatermark  int64  // the leader's
	LogStartOffset int64  // the leader's
}

// followed tells whom the partition is copied from, if it is.
func (p *Partition) followed() (Followed, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := Followed{Partition: p, LeaderID: p.leaderID, LeaderEpoch: p.leaderEpoch}
	return f, p.role == follower && p.leaderID != metadata.NoLeader
}

func (p *Partition) isFollowed() bool {
	_, following := p.followed()
	return following
}

// direct tells the fetchers what became of a request's partitions, all at once: a fetcher that is told of thousands
// one by one would ask its leader as many times for a few.
func (m *Manager) direct(changes []change) {
	var follow []Followed
	var unfollow []*Partition
	for i := range changes {
		c := &changes[i]
		if c.partition == nil {
			continue // it could not be hosted
		}
		f, following := c.partition.followed()
		switch {
		case following && c.done:
			follow = append(follow, f)
		case c.followed && !following:
			unfollow = append(unfollow, c.partition)
		}
	}
	m.unfollow(unfollow)
	if m.fetchers != nil && len(follow) > 0 {
		m.fetchers.Follow(follow)
	}
}

// endAll takes partitions out of service.
func (m *Manager) endAll(partitions []*Partition, end func(*Partition)) {
	var followed []*Partition
	for _, p := range partitions {
		if p.isFollowed() {
			followed = append(followed, p)
		}
		end(p)
	}
	m.unfollow(followed)
}

func (m *Manager) unfollow(partitions []*Partition) {
	if m.fetchers != nil && len(partitions) > 0 {
		m.fetchers.Unfollow(partitions)
	}
}

// asFollower checks that a fetcher may touch the log: that what it brings was asked of the leader whom the partition
// follows now. The caller holds the gate alone, so that this stays true.
func (p *Partition) asFollower(leaderEpoch int32) (*storage.Log, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.offline.Load():
		return nil, ErrStorage
	case p.role != follower, p.leaderEpoch != leaderEpoch:
		return nil, ErrNotFollower
	default:
		return p.log, nil
	}
}

// Position tells a fetcher where to go on. ErrNotFollower, ErrStorage.
func (p *Partition) Position(leaderEpoch int32) (Position, error) {
	log, err := p.asFollower(leaderEpoch)
	if err != nil {
		return Position{}, err
	}
	return positionOf(log), nil
}

func positionOf(log *storage.Log) Position {
	return Position{Offset: log.LogEndOffset(), LastEpoch: log.LatestEpoch(), LogStartOffset: log.LogStartOffset()}
}
