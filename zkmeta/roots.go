package zkmeta

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

// EnsureRoots creates the znodes that Kafka expects to be there, with null data. On a cluster that has them it
// costs a round of parallel reads, on an empty one a single transaction more.
func (c *Client) EnsureRoots(ctx context.Context) error {
	return c.ensurePaths(ctx, rootPaths()...)
}

// ensurePaths creates those of paths, and of their parents, that are missing.
func (c *Client) ensurePaths(ctx context.Context, paths ...string) error {
	s, err := c.bind()
	if err != nil {
		return err
	}
	all := withParents(paths)
	for {
		missing, err := s.missing(ctx, all)
		if err != nil || len(missing) == 0 {
			return err
		}
		var ops []any
		for _, path := range missing {
			ops = append(ops, s.create(path, nil, 0))
		}
		_, err = s.persist(ctx, "create", ops...)
		// NodeExists: another broker starts at the same time, or we did it before the connection broke.
		// NoNode: someone deletes. Look again.
		if !errors.Is(err, ErrNodeExists) && !errors.Is(err, ErrNoNode) {
			return err
		}
	}
}

// missing returns those of paths that do not exist, in their order.
func (s *session) missing(ctx context.Context, paths []string) ([]string, error) {
	absent := make([]bool, len(paths))
	err := s.each(ctx, len(paths), func(ctx context.Context, i int) error {
		found, err := s.exists(ctx, paths[i], nil)
		absent[i] = !found
		return err
	})
	if err != nil {
		return nil, err
	}
	var missing []string
	for i, path := range paths {
		if absent[i] {
			missing = append(missing, path)
		}
	}
	return missing, nil
}

// withParents lists paths and all above them, parents first, each once.
func withParents(paths []string) []string {
	var all []string
	seen := make(map[string]bool)
	add := func(path string) {
		if !seen[path] {
			seen[path] = true
			all = append(all, path)
		}
	}
	for _, path := range paths {
		for i := 1; i < len(path); i++ {
			if path[i] == '/' {
				add(path[:i])
			}
		}
		add(path)
	}
	return all
}

// parentOf is the path above path, which is not a root.
func parentOf(path string) string { return path[:strings.LastIndexByte(path, '/')] }

// ClusterID returns the id of the cluster and creates a random one when there is none.
func (c *Client) ClusterID(ctx context.Context) (string, error) {
	s, err := c.bind()
	if err != nil {
		return "", err
	}
	var random [16]byte
	rand.Read(random[:])
	proposed := clusterZNode{ID: encodeUUID(random)}
	for {
		data, _, ok, err := s.lookup(ctx, proposed.path(), nil)
		if err != nil {
			return "", err
		}
		if ok {
			stored, err := decodeCluster(data)
			return stored.ID, err
		}
		if err := c.ensurePaths(ctx, parentOf(proposed.path())); err != nil {
			return "", err
		}
		// Whoever was first, and whether we learned of our own success, the next read tells.
		_, err = s.commit(ctx, "create", s.create(proposed.path(), proposed.encode(), 0))
		if err != nil && !errors.Is(err, ErrNodeExists) && !errors.Is(err, errLost) {
			return "", err
		}
	}
}

// GenerateBrokerID returns an id above reservedMax (reserved.broker.max.id) that no broker got before. An
// answer lost on the way costs an id.
func (c *Client) GenerateBrokerID(ctx context.Context, reservedMax int32) (int32, error) {
	s, err := c.bind()
	if err != nil {
		return 0, err
	}
	for {
		results, err := s.persist(ctx, "set", s.set(brokerSequencePath, []byte{}, anyVersion))
		if err == nil {
			id := int64(results[0].Stat.Version) + int64(reservedMax)
			if id > 1<<31-1 {
				return 0, fmt.Errorf("generate a broker id: %d is beyond the largest id", id)
			}
			return int32(id), nil
		}
		if !errors.Is(err, ErrNoNode) {
			return 0, err
		}
		if err := c.ensurePaths(ctx, brokerSequencePath); err != nil {
			return 0, err
		}
	}
}
