package consumer

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/coordinator/group/classic"
)

// MayCommit tells whether membership allows a commit (Kafka: ConsumerGroup.validateOffsetCommit). Version is that of
// OffsetCommit. An epoch that is not the member's is refused here for all partitions; MayCommitPartition is finer.
func (g *Group) MayCommit(c classic.Committer, version int16) *kerr.Error {
	m, err := g.committer(c, version)
	if m == nil || err != nil {
		return err
	}
	return m.checkGeneration(c.Generation)
}

// MayCommitPartition is MayCommit for one partition, as Kafka 4.3 decides it (KIP-1251): an older epoch of the member is
// good for a partition that it has held without a break since.
func (g *Group) MayCommitPartition(c classic.Committer, version int16, topic [16]byte, partition int32) *kerr.Error {
	m, err := g.committer(c, version)
	if m == nil || err != nil {
		return err
	}
	if c.Generation < m.epoch {
		since, held := m.assigned.find(topic, partition)
		if !held {
			since, held = m.revoking.find(topic, partition)
		}
		if held && c.Generation >= since {
			return nil
		}
	}
	return m.checkGeneration(c.Generation)
}

// committer finds who commits; nil without error is somebody outside the group who may.
func (g *Group) committer(c classic.Committer, version int16) (*member, *kerr.Error) {
	if c.Generation < 0 && len(g.members) == 0 {
		return nil, nil // the group's members are chosen by hand, or an administrator sets offsets
	}
	if c.Txn && c.Generation == -1 && c.MemberID == "" && c.InstanceID == nil {
		return nil, nil // producers before KIP-447 do not say whom they consume as
	}
	s := g.members[c.MemberID]
	if s == nil {
		return nil, kerr.UnknownMemberID
	}
	if !c.Txn && s.classic == nil && version < 9 {
		return nil, kerr.UnsupportedVersion
	}
	return s.member, nil
}

// MayFetch tells the same of an OffsetFetch, which names member and epoch from v9 on.
func (g *Group) MayFetch(memberID string, memberEpoch int32) *kerr.Error {
	if memberID == "" && memberEpoch < 0 {
		return nil
	}
	s := g.members[memberID]
	if s == nil {
		return kerr.UnknownMemberID
	}
	return s.checkGeneration(memberEpoch)
}

func (m *member) checkGeneration(epoch int32) *kerr.Error {
	switch {
	case epoch == m.epoch:
		return nil
	case m.classic != nil:
		return kerr.IllegalGeneration
	default:
		return kerr.StaleMemberEpoch
	}
}
