package zkmeta

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"
)

// Config reads a config znode; absent gives nil, nil.
func (c *Client) Config(ctx context.Context, e Entity) (map[string]string, error) {
	s, err := c.bind()
	if err != nil {
		return nil, err
	}
	data, _, ok, err := s.lookup(ctx, e.path(), nil)
	if err != nil || !ok {
		return nil, err
	}
	return decodeConfig(data)
}

// Configs reads all entities of a type, pipelined, by name; of users, their clients too.
func (c *Client) Configs(ctx context.Context, entityType string) (map[string]map[string]string, error) {
	s, err := c.bind()
	if err != nil {
		return nil, err
	}
	parent := configPath + "/" + entityType
	names, err := s.childrenIfAny(ctx, parent)
	if err != nil {
		return nil, err
	}
	if entityType == "users" {
		clients := make([][]string, len(names))
		err := s.each(ctx, len(names), func(ctx context.Context, i int) error {
			below, err := s.childrenIfAny(ctx, parent+"/"+names[i]+"/clients")
			for _, client := range below {
				clients[i] = append(clients[i], names[i]+"/clients/"+client)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		names = append(names, slices.Concat(clients...)...)
	}
	all, err := s.readAll(ctx, parent, names)
	if err != nil {
		return nil, err
	}
	configs := make(map[string]map[string]string, len(names))
	for i, read := range all {
		if !read.ok {
			continue
		}
		if configs[names[i]], err = decodeConfig(read.data); err != nil {
			return nil, errors.Join(errors.New(parent+"/"+names[i]), err)
		}
	}
	return configs, nil
}

// childrenIfAny lists children; a parent that does not exist has none.
func (s *session) childrenIfAny(ctx context.Context, path string) ([]string, error) {
	names, err := s.children(ctx, path, nil)
	if errors.Is(err, ErrNoNode) {
		return nil, nil
	}
	return names, err
}

// SetConfig writes a config znode and its change notification, in one transaction, in this order. An empty config of
// a client, user, ip or group deletes the znode, and the parents that hold nothing else (AdminZkClient.scala,
// tryCleanQuotaNodes). The last writer wins, as in Kafka. A *KRaftControllerError when the cluster is no longer ours.
// After a lost answer the notification may be there twice.
func (c *Client) SetConfig(ctx context.Context, e Entity, config map[string]string) error {
	s, err := c.bind()
	if err != nil {
		return err
	}
	for {
		ops, err := s.configOps(ctx, e, config)
		if err != nil {
			return err
		}
		change := configChangeZNode(e)
		ops = append(ops, s.create(change.path(), change.encode(), zk.FlagSequence))
		_, err = s.commit(ctx, "set config", ops...)
		switch {
		case errors.Is(err, errLost), errors.Is(err, ErrBadVersion), errors.Is(err, ErrNodeExists), errors.Is(err, errNotEmpty):
			// What the operations were chosen by has changed: choose again.
		case errors.Is(err, ErrNoNode):
			if err := c.ensurePaths(ctx, configChangesPath); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// configOps chooses the operations that bring a config about: by what exists, and on condition that no KRaft
// controller takes over meanwhile.
func (s *session) configOps(ctx context.Context, e Entity, config map[string]string) (ops []any, err error) {
	_, controller, ok, err := s.controller(ctx, nil)
	if err != nil {
		return nil, err
	}
	if ok {
		ops = append(ops, s.check(controllerPath, controller.Version))
	}
	if len(config) == 0 && e.vanishes() {
		removable, deletes, err := s.quotaDeletes(ctx, e)
		if err != nil || removable {
			return append(ops, deletes...), err
		}
	}
	data := configZNode(config).encode()
	all := withParents([]string{e.path()})
	missing, err := s.missing(ctx, all)
	if err != nil {
		return nil, err
	}
	if len(missing) == 0 {
		return append(ops, s.set(e.path(), data, anyVersion)), nil
	}
	for _, parent := range missing[:len(missing)-1] {
		ops = append(ops, s.create(parent, nil, 0))
	}
	return append(ops, s.create(e.path(), data, 0)), nil
}

// vanishes tells whether an entity without settings has no znode either.
func (e Entity) vanishes() bool {
	return e.Type == "clients" || e.Type == "users" || e.Type == "ips" || e.Type == "groups"
}

// quotaDeletes chooses what goes with an entity whose config becomes empty. Not removable: others depend on it.
func (s *session) quotaDeletes(ctx context.Context, e Entity) (removable bool, ops []any, err error) {
	found, err := s.exists(ctx, e.path(), nil)
	if err != nil || !found {
		return true, nil, err
	}
	below, err := s.childrenIfAny(ctx, e.path())
	if err != nil || len(below) > 0 {
		return false, nil, err
	}
	ops = append(ops, s.remove(e.path(), anyVersion))
	user, client, nested := strings.Cut(e.Name, "/clients/")
	if !nested {
		return true, ops, nil
	}
	userPath := Entity{e.Type, user}.path()
	siblings, err := s.childrenIfAny(ctx, userPath+"/clients")
	if err != nil || !slices.Equal(siblings, []string{client}) {
		return true, ops, err
	}
	ops = append(ops, s.remove(userPath+"/clients", anyVersion))

	data, stat, ok, err := s.lookup(ctx, userPath, nil)
	if err != nil || !ok {
		return true, ops, err
	}
	config, err := decodeConfig(data)
	if err != nil || len(config) > 0 || stat.NumChildren != 1 {
		return true, ops, nil //nolint:nilerr // a user's config that we cannot read is not ours to delete
	}
	return true, append(ops, s.remove(userPath, stat.Version)), nil
}
