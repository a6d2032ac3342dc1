package zkmeta

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"
	"go.uber.org/zap"
)

// ISRChanges lists the notifications of leaders before Kafka 2.7 and the partitions they name; n watches the list.
// A notification that cannot be understood is logged and is in names only.
func (c *Client) ISRChanges(ctx context.Context, n Notify) (names []string, tps []TopicPartition, err error) {
	seen := make(map[TopicPartition]bool)
	names, err = c.notifications(ctx, isrChangesPath, isrChangePrefix, n, func(data []byte) error {
		z, err := decodeISRChange(data)
		for _, tp := range z {
			if !seen[tp] {
				seen[tp] = true
				tps = append(tps, tp)
			}
		}
		return err
	})
	return names, tps, err
}

// RemoveISRChanges deletes notifications.
func (c *Client) RemoveISRChanges(ctx context.Context, l Lease, names []string) error {
	return c.removeAll(ctx, l, isrChangesPath, names)
}

// LogDirEvents lists the notifications of failed log directories and the brokers they name; n watches the list. A
// notification that cannot be understood is logged and is in names only.
func (c *Client) LogDirEvents(ctx context.Context, n Notify) (names []string, brokers []int32, err error) {
	names, err = c.notifications(ctx, logDirEventsPath, logDirEventPrefix, n, func(data []byte) error {
		z, err := decodeLogDirEvent(data)
		if err == nil && !slices.Contains(brokers, z.BrokerID) {
			brokers = append(brokers, z.BrokerID)
		}
		return err
	})
	return names, brokers, err
}

// RemoveLogDirEvents deletes notifications.
func (c *Client) RemoveLogDirEvents(ctx context.Context, l Lease, names []string) error {
	return c.removeAll(ctx, l, logDirEventsPath, names)
}

// ReportLogDirFailure tells the controller that a broker lost a log directory. After a lost answer it is told twice,
// which does no harm.
func (c *Client) ReportLogDirFailure(ctx context.Context, brokerID int32) error {
	s, err := c.bind()
	if err != nil {
		return err
	}
	z := logDirEventZNode{brokerID}
	_, err = s.persist(ctx, "create", s.create(z.path(), z.encode(), zk.FlagSequence))
	return err
}

// notifications lists the sequential children of path, oldest first, and gives the data of each to take, in order.
func (c *Client) notifications(ctx context.Context, path, prefix string, n Notify, take func(data []byte) error) ([]string, error) {
	s, err := c.bind()
	if err != nil {
		return nil, err
	}
	names, err := s.children(ctx, path, n)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, prefix) })
	slices.Sort(names)
	all, err := s.readAll(ctx, path, names)
	if err != nil {
		return nil, err
	}
	for i, read := range all {
		if !read.ok {
			continue
		}
		if err := take(read.data); err != nil {
			c.log.Error("notification not understood", zap.String("path", path+"/"+names[i]), zap.Error(err))
		}
	}
	return names, nil
}

// znodeRead is the content of a znode, not ok when it does not exist.
type znodeRead struct {
	data []byte
	stat zk.Stat
	ok   bool
}

// readAll reads children of parent, pipelined.
func (s *session) readAll(ctx context.Context, parent string, names []string) ([]znodeRead, error) {
	all := make([]znodeRead, len(names))
	err := s.each(ctx, len(names), func(ctx context.Context, i int) error {
		data, stat, err := s.get(ctx, parent+"/"+names[i], nil)
		if errors.Is(err, ErrNoNode) {
			return nil
		}
		all[i] = znodeRead{data, stat, err == nil}
		return err
	})
	return all, err
}
