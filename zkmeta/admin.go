package zkmeta

import (
	"context"
	"errors"

	"github.com/go-zookeeper/zk"
	"go.uber.org/zap"
)

// LegacyReassignment reads /admin/reassign_partitions, by which tools before KIP-455 ask for moves. created is the
// czxid, which tells one request from the next; 0 when the znode does not exist. n watches for creation, change and
// deletion. A znode that cannot be understood is logged and asks for nothing, as in Kafka.
func (c *Client) LegacyReassignment(ctx context.Context, n Notify) (replicas map[TopicPartition][]int32, created int64, err error) {
	data, stat, ok, err := c.adminData(ctx, reassignPath, n)
	if err != nil || !ok {
		return nil, 0, err
	}
	z, err := decodeReassignment(data)
	if err != nil {
		c.log.Warn("partition reassignment not understood", zap.String("path", reassignPath), zap.Error(err))
	}
	return z, stat.Czxid, nil
}

// SetLegacyReassignment leaves in it what is still to be done; nothing left removes it.
func (c *Client) SetLegacyReassignment(ctx context.Context, l Lease, replicas map[TopicPartition][]int32) error {
	if len(replicas) == 0 {
		return c.removeAdmin(ctx, l, reassignPath)
	}
	s, err := c.bind()
	if err != nil {
		return err
	}
	data := reassignmentZNode(replicas).encode()
	for {
		_, err := s.persistWith(ctx, &l, "set", s.set(reassignPath, data, anyVersion))
		if !errors.Is(err, ErrNoNode) {
			return err
		}
		_, err = s.persistWith(ctx, &l, "create", s.create(reassignPath, data, 0))
		if !errors.Is(err, ErrNodeExists) {
			return err
		}
	}
}

// PreferredElection reads /admin/preferred_replica_election, by which old tools ask that the first replica lead; ok is
// false when it does not exist. n watches for creation, change and deletion. A znode that cannot be understood is
// logged and asks for nothing, as in Kafka.
func (c *Client) PreferredElection(ctx context.Context, n Notify) (tps []TopicPartition, ok bool, err error) {
	data, _, ok, err := c.adminData(ctx, preferredElectionPath, n)
	if err != nil || !ok {
		return nil, false, err
	}
	z, err := decodePreferredElection(data)
	if err != nil {
		c.log.Warn("preferred leader election not understood", zap.String("path", preferredElectionPath), zap.Error(err))
	}
	return z, true, nil
}

// RemovePreferredElection says that it is done.
func (c *Client) RemovePreferredElection(ctx context.Context, l Lease) error {
	return c.removeAdmin(ctx, l, preferredElectionPath)
}

func (c *Client) adminData(ctx context.Context, path string, n Notify) ([]byte, zk.Stat, bool, error) {
	s, err := c.bind()
	if err != nil {
		return nil, zk.Stat{}, false, err
	}
	return s.lookup(ctx, path, n)
}

func (c *Client) removeAdmin(ctx context.Context, l Lease, path string) error {
	s, err := c.bind()
	if err != nil {
		return err
	}
	_, err = s.persistWith(ctx, &l, "delete", s.remove(path, anyVersion))
	if errors.Is(err, ErrNoNode) {
		return nil
	}
	return err
}
