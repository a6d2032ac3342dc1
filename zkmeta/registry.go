package zkmeta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-zookeeper/zk"
	"go.uber.org/zap"
)

// RegisterBroker makes the ephemeral registration under the current session and returns the broker epoch
// (KafkaZkClient.scala, CheckedEphemeral). When this session has registered the broker already, it brings the data up to
// date and returns the same epoch. ErrBrokerIDTaken when another live session holds it: Broker with a Notify tells
// when that goes. ErrSessionExpired: register again, which gives a new epoch.
func (c *Client) RegisterBroker(ctx context.Context, b Broker) (epoch int64, err error) {
	s, err := c.bind()
	if err != nil {
		return 0, err
	}
	z := newBrokerZNode(b)
	data := z.encode()
	for {
		results, err := s.commit(ctx, "register",
			s.create(z.path(), nil, zk.FlagEphemeral),
			s.set(z.path(), data, 0))
		switch {
		case err == nil:
			c.noteRegistered(s)
			return results[1].Stat.Czxid, nil
		case errors.Is(err, errLost), errors.Is(err, ErrNodeExists):
			epoch, again, err := s.claim(ctx, z.path(), data)
			if err != nil || !again {
				return epoch, err
			}
		case errors.Is(err, ErrNoNode):
			if err := c.EnsureRoots(ctx); err != nil {
				return 0, err
			}
		default:
			return 0, err
		}
	}
}

// claim looks whose registration stands at path. again: none does, create it.
func (s *session) claim(ctx context.Context, path string, data []byte) (epoch int64, again bool, err error) {
	for {
		stored, stat, ok, err := s.lookup(ctx, path, nil)
		if err != nil || !ok {
			return 0, true, err
		}
		owner := stat.EphemeralOwner
		switch {
		case owner == s.identity():
			if bytes.Equal(stored, data) {
				s.client.noteRegistered(s)
				return stat.Czxid, false, nil
			}
			_, err = s.commit(ctx, "register", s.set(path, data, stat.Version))
		case owner != 0 && owner == s.client.lastRegistered():
			// Our own, from before the expiry: the server should have removed it (ZOOKEEPER-2985, KAFKA-7165).
			s.client.log.Warn("registration of the expired session is still there, removing it",
				zap.String("path", path), zap.Int64("session", owner))
			_, err = s.commit(ctx, "register", s.remove(path, stat.Version))
		default:
			return 0, false, fmt.Errorf("register at %s, held by session %#x: %w", path, owner, ErrBrokerIDTaken)
		}
		if err != nil && !errors.Is(err, errLost) && !errors.Is(err, ErrBadVersion) && !errors.Is(err, ErrNoNode) {
			return 0, false, err
		}
	}
}

// UpdateBroker writes new endpoints into the registration of this session; the epoch stays. ErrNoNode when there is
// none, ErrBrokerIDTaken when it belongs to another session.
func (c *Client) UpdateBroker(ctx context.Context, b Broker) error {
	s, err := c.bind()
	if err != nil {
		return err
	}
	z := newBrokerZNode(b)
	for {
		_, stat, err := s.get(ctx, z.path(), nil)
		if err != nil {
			return err
		}
		if stat.EphemeralOwner != s.identity() {
			return fmt.Errorf("update %s, held by session %#x: %w", z.path(), stat.EphemeralOwner, ErrBrokerIDTaken)
		}
		_, err = s.persist(ctx, "set", s.set(z.path(), z.encode(), stat.Version))
		if !errors.Is(err, ErrBadVersion) { // by ourselves: a first try, or another call
			return err
		}
	}
}

// Brokers lists the live brokers with their epochs, by id; n watches /brokers/ids. A registration that cannot be
// understood is logged and left out, as if the broker were dead.
func (c *Client) Brokers(ctx context.Context, n Notify) ([]Broker, error) {
	s, err := c.bind()
	if err != nil {
		return nil, err
	}
	names, err := s.children(ctx, brokerIDsPath, n)
	if err != nil {
		return nil, err
	}
	found := make([]*Broker, len(names))
	err = s.each(ctx, len(names), func(ctx context.Context, i int) error {
		id, err := strconv.ParseInt(names[i], 10, 32)
		if err != nil {
			c.log.Error("not a broker id", zap.String("path", brokerIDsPath+"/"+names[i]))
			return nil
		}
		data, stat, ok, err := s.lookup(ctx, brokerPath(int32(id)), nil)
		if err != nil || !ok {
			return err
		}
		z, err := decodeBroker(data)
		if err != nil {
			c.log.Error("broker registration not understood", zap.Int64("broker", id), zap.Error(err))
			return nil
		}
		broker := z.broker(int32(id), stat.Czxid)
		found[i] = &broker
		return nil
	})
	if err != nil {
		return nil, err
	}
	var brokers []Broker
	for _, b := range found {
		if b != nil {
			brokers = append(brokers, *b)
		}
	}
	slices.SortFunc(brokers, func(a, b Broker) int { return int(a.ID) - int(b.ID) })
	return brokers, nil
}

// Broker reads one registration; n watches its data. ErrNoNode when there is none, which n does not watch.
func (c *Client) Broker(ctx context.Context, id int32, n Notify) (Broker, error) {
	s, err := c.bind()
	if err != nil {
		return Broker{}, err
	}
	data, stat, err := s.get(ctx, brokerPath(id), n)
	if err != nil {
		return Broker{}, err
	}
	z, err := decodeBroker(data)
	if err != nil {
		return Broker{}, fmt.Errorf("broker %d: %w", id, err)
	}
	return z.broker(id, stat.Czxid), nil
}

func (c *Client) noteRegistered(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.registered = s.identity()
}

func (c *Client) lastRegistered() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.registered
}
