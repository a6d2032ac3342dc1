package zkmeta

import (
	"context"
	"errors"
)

// LegacyReassignment reads /admin/reassign_partitions, by which tools before KIP-455 ask for moves; ok is false when
// it does not exist. n watches for creation, change and deletion. When it cannot be understood, the error is not one
// of ZooKeeper, and Kafka's controller removes it.
func (c *Client) LegacyReassignment(ctx context.Context, n Notify) (replicas map[TopicPartition][]int32, ok bool, err error) {
	data, ok, err := c.adminData(ctx, reassignPath, n)
	if err != nil || !ok {
		return nil, false, err
	}
	z, err := decodeReassignment(data)
	return z, true, err
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
// false when it does not exist. n watches for creation, change and deletion.
func (c *Client) PreferredElection(ctx context.Context, n Notify) (tps []TopicPartition, ok bool, err error) {
	data, ok, err := c.adminData(ctx, preferredElectionPath, n)
	if err != nil || !ok {
		return nil, false, err
	}
	z, err := decodePreferredElection(data)
	return z, true, err
}

// RemovePreferredElection says that it is done.
func (c *Client) RemovePreferredElection(ctx context.Context, l Lease) error {
	return c.removeAdmin(ctx, l, preferredElectionPath)
}

func (c *Client) adminData(ctx context.Context, path string, n Notify) ([]byte, bool, error) {
	s, err := c.bind()
	if err != nil {
		return nil, false, err
	}
	data, _, ok, err := s.lookup(ctx, path, n)
	return data, ok, err
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
