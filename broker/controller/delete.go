package controller

import (
	"context"
	"errors"
	"slices"

	"github.com/kbroker/kbroker/zkmeta"
)

// DeleteTopics marks topics for deletion; an error belongs to the name of the
// same place. Topics that are marked already are no error. When they are gone, the metadata of the brokers shows.
func (c *Controller) DeleteTopics(ctx context.Context, names []string) []error {
	all := func(err error) []error { return slices.Repeat([]error{err}, len(names)) }
	if !c.Active() {
		return all(ErrNotController)
	}
	errs, err := call(ctx, c, "delete_topics", func(ctx context.Context) ([]error, error) {
		if c.term == nil {
			return all(ErrNotController), nil
		}
		return c.term.deleteTopics(ctx, names)
	})
	if err != nil {
		return all(err)
	}
	return errs
}

func (t *term) deleteTopics(ctx context.Context, names []string) ([]error, error) {
	errs := make([]error, len(names))
	if !t.deletion {
		for i := range errs {
			errs[i] = refuse(ErrTopicDeletionDisabled, "Topic deletion is disabled.")
		}
		return errs, nil
	}
	existing, err := t.c.zk.Topics(ctx, nil)
	if err != nil {
		return slices.Repeat([]error{forCaller(err)}, len(names)), err
	}
	exists := make(map[string]bool, len(existing))
	for _, name := range existing {
		exists[name] = true
	}
	indexes := make([]int, len(names))
	for i := range indexes {
		indexes[i] = i
	}
	concurrently(indexes, func(i int) {
		if !exists[names[i]] {
			errs[i] = refuse(ErrUnknownTopic, "Topic `%s` to delete does not exist", names[i])
			return
		}
		if err := t.c.zk.MarkForDeletion(ctx, names[i]); err != nil && !errors.Is(err, zkmeta.ErrNodeExists) {
			errs[i] = forCaller(err)
		}
	})
	// A topic that another broker just created must be known before it can be deleted.
	for _, name := range existing {
		if t.topics[name] == nil {
			if err := t.topicsChanged(ctx); err != nil {
				return errs, err
			}
			break
		}
	}
	// The watch on /admin/delete_topics would come to the same, later.
	return errs, t.deletionsChanged(ctx)
}
