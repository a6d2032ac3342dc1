package zkmeta

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrInvalidName is wrapped when a name cannot be part of a path. A server ends the connection of who asks for such a
// path in a transaction, so it is not asked.
var ErrInvalidName = errors.New("no znode can have this name")

// consumerOffsetPath is where consumers of long ago keep an offset. The group's name stands as it is, as in Kafka: a slash
// makes two znodes of it.
func consumerOffsetPath(group, topic string, partition int32) (string, error) {
	for part := range strings.SplitSeq(group, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsFunc(part, notInPath) {
			return "", fmt.Errorf("group %q: %w", group, ErrInvalidName)
		}
	}
	return fmt.Sprintf("%s/%s/offsets/%s/%d", consumersPath, group, topic, partition), nil
}

// notInPath tells characters that ZooKeeper refuses (PathUtils.java).
func notInPath(r rune) bool {
	return r <= 0x1f || r >= 0x7f && r <= 0x9f || r >= 0xd800 && r <= 0xf8ff || r >= 0xfff0 && r <= 0xffff
}

// ConsumerOffset reads the offset that a group keeps in ZooKeeper (OffsetFetch v0); ErrNoNode when there is none.
func (c *Client) ConsumerOffset(ctx context.Context, group, topic string, partition int32) (int64, error) {
	s, err := c.bind()
	if err != nil {
		return 0, err
	}
	path, err := consumerOffsetPath(group, topic, partition)
	if err != nil {
		return 0, err
	}
	data, _, err := s.get(ctx, path, nil)
	if err != nil {
		return 0, err
	}
	offset, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("decode the offset in %s: %w", path, err)
	}
	return offset, nil
}

// SetConsumerOffset writes the offset that a group keeps in ZooKeeper (OffsetCommit v0). The last writer wins.
func (c *Client) SetConsumerOffset(ctx context.Context, group, topic string, partition int32, offset int64) error {
	s, err := c.bind()
	if err != nil {
		return err
	}
	path, err := consumerOffsetPath(group, topic, partition)
	if err != nil {
		return err
	}
	data := strconv.AppendInt(nil, offset, 10)
	for {
		_, err := s.persist(ctx, "set", s.set(path, data, anyVersion))
		if !errors.Is(err, ErrNoNode) {
			return err
		}
		all := withParents([]string{path})
		missing, err := s.missing(ctx, all)
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			continue // another made it meanwhile
		}
		var ops []any
		for _, parent := range missing[:len(missing)-1] {
			ops = append(ops, s.create(parent, nil, 0))
		}
		_, err = s.persist(ctx, "create", append(ops, s.create(path, data, 0))...)
		if !errors.Is(err, ErrNodeExists) && !errors.Is(err, ErrNoNode) {
			return err
		}
	}
}
