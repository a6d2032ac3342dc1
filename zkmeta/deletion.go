package zkmeta

import (
	"context"
	"errors"
	"slices"
)

// MarkForDeletion asks the controller to delete a topic; ErrNodeExists when marked already.
func (c *Client) MarkForDeletion(ctx context.Context, topic string) error {
	s, err := c.bind()
	if err != nil {
		return err
	}
	unsure := false
	for {
		_, err := s.commit(ctx, "create", s.create(deleteTopicsPath+"/"+topic, nil, 0))
		if errors.Is(err, errLost) {
			unsure = true
			continue
		}
		if unsure && errors.Is(err, ErrNodeExists) {
			return nil // by us or by another: it is marked
		}
		return err
	}
}

// DeletionMarkers lists the topics marked for deletion; n watches the list.
func (c *Client) DeletionMarkers(ctx context.Context, n Notify) ([]string, error) {
	s, err := c.bind()
	if err != nil {
		return nil, err
	}
	return s.children(ctx, deleteTopicsPath, n)
}

// RemoveDeletionMarkers removes markers; those that are gone do not matter.
func (c *Client) RemoveDeletionMarkers(ctx context.Context, l Lease, topics []string) error {
	return c.removeAll(ctx, l, deleteTopicsPath, topics)
}

// RemoveTopic deletes the topic's tree, its config and its deletion marker, in this order, so that a deletion that is
// cut short is found again by its marker. Done already is done.
func (c *Client) RemoveTopic(ctx context.Context, l Lease, topic string) error {
	s, err := c.bind()
	if err != nil {
		return err
	}
	guess, err := s.topicTree(ctx, topic)
	if err == nil {
		err = s.removeTree(ctx, &l, topicPath(topic), guess)
	}
	if err != nil {
		return err
	}
	for _, path := range []string{Entity{"topics", topic}.path(), deleteTopicsPath + "/" + topic} {
		_, err := s.persistWith(ctx, &l, "delete", s.remove(path, anyVersion))
		if err != nil && !errors.Is(err, ErrNoNode) {
			return err
		}
	}
	return nil
}

// topicTree is what a topic's tree usually holds, from one read: parents before children.
func (s *session) topicTree(ctx context.Context, topic string) ([]string, error) {
	names, err := s.childrenIfAny(ctx, partitionsPath(topic))
	if err != nil || len(names) == 0 {
		return nil, err
	}
	tree := []string{topicPath(topic), partitionsPath(topic)}
	for _, name := range names {
		partition := partitionsPath(topic) + "/" + name
		tree = append(tree, partition, partition+"/state")
	}
	return tree, nil
}

// removeTree deletes path and all below it. It first takes the tree to be what guess lists, if anything: asking every
// znode for its children takes longer than the deletion.
func (s *session) removeTree(ctx context.Context, l *Lease, path string, guess []string) error {
	for tree := guess; ; {
		if len(tree) == 0 {
			var err error
			tree, err = s.tree(ctx, path)
			if err != nil || len(tree) == 0 {
				return err
			}
		}
		slices.Reverse(tree) // children before parents
		var err error
		for group := range slices.Chunk(tree, maxGroupOps) {
			var ops []any
			for _, path := range group {
				ops = append(ops, s.remove(path, anyVersion))
			}
			if _, err = s.commitWith(ctx, l, "delete", ops...); err != nil {
				break
			}
		}
		// The tree changed under us, or we do not know how much was done: look again.
		if err != nil && !errors.Is(err, ErrNoNode) && !errors.Is(err, errNotEmpty) && !errors.Is(err, errLost) {
			return err
		}
		tree = nil
	}
}

// tree lists path and all below it, parents before children; nothing when path does not exist.
func (s *session) tree(ctx context.Context, path string) ([]string, error) {
	found, err := s.exists(ctx, path, nil)
	if err != nil || !found {
		return nil, err
	}
	all := []string{path}
	for level := all; len(level) > 0; {
		below := make([][]string, len(level))
		err := s.each(ctx, len(level), func(ctx context.Context, i int) error {
			names, err := s.children(ctx, level[i], nil)
			if errors.Is(err, ErrNoNode) {
				return nil
			}
			for _, name := range names {
				below[i] = append(below[i], level[i]+"/"+name)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		level = slices.Concat(below...)
		all = append(all, level...)
	}
	return all, nil
}

// removeAll deletes children of parent by name; those that are gone do not matter.
func (c *Client) removeAll(ctx context.Context, l Lease, parent string, names []string) error {
	s, err := c.bind()
	if err != nil {
		return err
	}
	return s.removeNamed(ctx, &l, parent, names)
}

func (s *session) removeNamed(ctx context.Context, l *Lease, parent string, names []string) error {
	var tasks []*task
	for _, name := range names {
		tasks = append(tasks, &task{
			ops: []any{s.remove(parent+"/"+name, anyVersion)},
			refused: func(_ context.Context, t *task, _ int, err error, _ bool) error {
				if errors.Is(err, ErrNoNode) {
					t.done()
					return nil
				}
				return err
			},
		})
	}
	if err := s.run(ctx, l, tasks); err != nil {
		return err
	}
	for _, t := range tasks {
		if t.err != nil {
			return t.err
		}
	}
	return nil
}
