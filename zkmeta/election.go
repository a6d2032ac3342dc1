package zkmeta

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"
)

// Lease proves that its holder is the elected controller: every write made with it checks that
// /controller_epoch still has EpochVersion, and fails with ErrControllerMoved otherwise.
type Lease struct {
	Epoch        int32 // controller epoch
	EpochVersion int32 // dataVersion of /controller_epoch
}

// Controller reads /controller: the broker id, or ok=false. n watches for creation, change and deletion. A
// *KRaftControllerError says that the cluster is no longer ours.
func (c *Client) Controller(ctx context.Context, n Notify) (brokerID int32, ok bool, err error) {
	s, err := c.bind()
	if err != nil {
		return 0, false, err
	}
	z, _, ok, err := s.controller(ctx, n)
	return z.BrokerID, ok, err
}

func (s *session) controller(ctx context.Context, n Notify) (controllerZNode, zk.Stat, bool, error) {
	data, stat, ok, err := s.lookup(ctx, controllerPath, n)
	if err != nil || !ok {
		return controllerZNode{}, stat, false, err
	}
	z, err := decodeController(data)
	if err == nil && z.KRaftEpoch > 0 {
		err = &KRaftControllerError{ControllerID: z.BrokerID, Epoch: z.KRaftEpoch}
	}
	return z, stat, err == nil, err
}

// controllerEpoch reads /controller_epoch and creates it on an empty cluster.
func (s *session) controllerEpoch(ctx context.Context) (epoch, version int32, err error) {
	for {
		data, stat, ok, err := s.lookup(ctx, controllerEpochPath, nil)
		if err != nil {
			return 0, 0, err
		}
		if ok {
			z, err := decodeControllerEpoch(data)
			return int32(z), stat.Version, err
		}
		_, err = s.persist(ctx, "create", s.create(controllerEpochPath, controllerEpochZNode(0).encode(), 0))
		if err != nil && !errors.Is(err, ErrNodeExists) {
			return 0, 0, err
		}
	}
}

// Elect tries to become controller (KafkaZkClient.scala, registerControllerAndIncrementControllerEpoch).
// ErrControllerMoved when another is. When this session holds /controller already, from a call whose answer was lost,
// it returns that lease: nobody can have changed the epoch since.
func (c *Client) Elect(ctx context.Context, brokerID int32) (Lease, error) {
	s, err := c.bind()
	if err != nil {
		return Lease{}, err
	}
	z := controllerZNode{BrokerID: brokerID, TimestampMs: time.Now().UnixMilli(), KRaftEpoch: -1}
	for {
		holder, stat, ok, err := s.controller(ctx, nil)
		if err != nil {
			return Lease{}, err
		}
		mine := ok && holder.BrokerID == brokerID && stat.EphemeralOwner == s.identity()
		if ok && !mine {
			return Lease{}, fmt.Errorf("elect broker %d while broker %d is controller: %w", brokerID, holder.BrokerID, ErrControllerMoved)
		}
		epoch, version, err := s.controllerEpoch(ctx)
		if err != nil {
			return Lease{}, err
		}
		if mine {
			return Lease{Epoch: epoch, EpochVersion: version}, nil
		}

		results, err := s.commit(ctx, "elect",
			s.create(controllerPath, z.encode(), zk.FlagEphemeral),
			s.set(controllerEpochPath, controllerEpochZNode(epoch+1).encode(), version))
		if err == nil {
			return Lease{Epoch: epoch + 1, EpochVersion: results[1].Stat.Version}, nil
		}
		// Somebody was quicker, perhaps ourselves on the connection that broke: look.
		if !errors.Is(err, errLost) && !errors.Is(err, ErrNodeExists) && !errors.Is(err, ErrBadVersion) {
			return Lease{}, err
		}
	}
}

// Abdicate deletes /controller if the lease still holds; ErrControllerMoved if not.
func (c *Client) Abdicate(ctx context.Context, l Lease) error {
	s, err := c.bind()
	if err != nil {
		return err
	}
	_, err = s.persistWith(ctx, &l, "delete", s.remove(controllerPath, anyVersion))
	if errors.Is(err, ErrNoNode) { // gone with a lost answer, or with the session
		return nil
	}
	return err
}
