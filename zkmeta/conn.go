package zkmeta

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// anyVersion makes a write unconditional.
const anyVersion = -1

// maxPacket is the most that we put into one transaction: a stock server (jute.maxbuffer) closes the
// connection on a packet above 1 MiB, and it is told of no limit beforehand.
const maxPacket = 1<<20 - 4096

// full is path as the server names it.
func (s *session) full(path string) string {
	if s.client.chroot+path == "" {
		return "/"
	}
	return s.client.chroot + path
}

// get reads the data of a znode and, when w is not nil, watches it. ErrNoNode sets no watch.
func (s *session) get(ctx context.Context, path string, n Notify) ([]byte, zk.Stat, error) {
	w := s.client.watches.register(s.full(path), watchData, n)
	return s.getWith(ctx, path, w)
}

func (s *session) getWith(ctx context.Context, path string, w *watch) ([]byte, zk.Stat, error) {
	type answer struct {
		data []byte
		stat zk.Stat
	}
	a, err := read(ctx, s, "get", path, w, func(full string) (answer, error) {
		data, stat, err := s.conn.Get(full)
		if err != nil {
			return answer{}, err
		}
		return answer{data, *stat}, nil
	})
	return a.data, a.stat, err
}

// lookup is get for a znode that may come into being: ok tells whether it exists, and its creation fires n too.
func (s *session) lookup(ctx context.Context, path string, n Notify) (data []byte, stat zk.Stat, ok bool, err error) {
	w := s.client.watches.register(s.full(path), watchData, n)
	for {
		data, stat, err = s.getWith(ctx, path, w)
		if !errors.Is(err, ErrNoNode) {
			return data, stat, err == nil, err
		}
		if n == nil {
			return nil, zk.Stat{}, false, nil
		}
		// getWith dropped the watch, as every failed read does; take a new one before looking again.
		w = s.client.watches.register(s.full(path), watchData, n)
		exists, err := s.exists(ctx, path, w)
		if err != nil || !exists {
			return nil, zk.Stat{}, false, err
		}
	}
}

// exists looks for a znode and, when w is not nil, watches for its creation, change and deletion.
func (s *session) exists(ctx context.Context, path string, w *watch) (bool, error) {
	return read(ctx, s, "exists", path, w, func(full string) (bool, error) {
		found, _, err := s.conn.Exists(full)
		return found, err
	})
}

// children lists the names of the children of a znode and, when n is not nil, watches the list.
func (s *session) children(ctx context.Context, path string, n Notify) ([]string, error) {
	w := s.client.watches.register(s.full(path), watchChildren, n)
	return read(ctx, s, "children", path, w, func(full string) ([]string, error) {
		names, _, err := s.conn.Children(full)
		return names, err
	})
}

// read repeats a read until it has an answer, on whatever connection the session has. sessionConn puts the watch into
// the request.
func read[T any](ctx context.Context, s *session, operation, path string, w *watch, op func(full string) (T, error)) (T, error) {
	for {
		v, err := attempt(ctx, s, operation, func() (T, error) { return op(s.full(path)) })
		switch {
		case err == nil:
			s.client.watches.armed(w)
			return v, nil
		case !errors.Is(err, errLost):
			s.client.watches.drop(w)
			return v, fmt.Errorf("%s %s: %w", operation, path, err)
		}
	}
}

// commit does all of ops in one transaction or none. An error that belongs to one of them is an *opError.
// errLost: it is unknown whether they took effect. ops are what create, set, remove and check return.
func (s *session) commit(ctx context.Context, operation string, ops ...any) ([]zk.MultiResponse, error) {
	size := 0
	for _, op := range ops {
		size += opSize(op)
	}
	results, err := attempt(ctx, s, operation, func() ([]zk.MultiResponse, error) {
		results, err := s.conn.Multi(ops...)
		if err == nil && len(results) != len(ops) {
			return nil, fmt.Errorf("zookeeper answered %d of %d operations", len(results), len(ops))
		}
		for i, result := range results {
			if result.Error != nil {
				return nil, &opError{i, errorOf(result.Error)}
			}
		}
		return results, err
	})
	switch at := failedAt(err); {
	case err == nil:
		return results, nil
	case at >= 0:
		return nil, fmt.Errorf("%s %s: %w", operation, s.opPath(ops[at]), err)
	case errors.Is(err, errLost) && size > maxPacket:
		// Trying again without end would hide the likely reason.
		return nil, fmt.Errorf("%s %s: the connection broke on a packet of %d bytes; a ZooKeeper server takes no more than its jute.maxbuffer (1 MiB unless set)",
			operation, s.opPath(ops[0]), size)
	}
	return nil, fmt.Errorf("%s %s: %w", operation, s.opPath(ops[0]), err)
}

// persist is commit until the outcome is known, for writes that may be done twice.
func (s *session) persist(ctx context.Context, operation string, ops ...any) ([]zk.MultiResponse, error) {
	for {
		results, err := s.commit(ctx, operation, ops...)
		if !errors.Is(err, errLost) {
			return results, err
		}
	}
}

func (s *session) create(path string, data []byte, flags int32) any {
	return &zk.CreateRequest{Path: s.full(path), Data: data, Acl: world(), Flags: flags}
}

func (s *session) set(path string, data []byte, version int32) any {
	return &zk.SetDataRequest{Path: s.full(path), Data: data, Version: version}
}

func (s *session) remove(path string, version int32) any {
	return &zk.DeleteRequest{Path: s.full(path), Version: version}
}

func (s *session) check(path string, version int32) any {
	return &zk.CheckVersionRequest{Path: s.full(path), Version: version}
}

// opPath names an operation in an error, as the package names paths.
func (s *session) opPath(op any) string {
	var path string
	switch op := op.(type) {
	case *zk.CreateRequest:
		path = op.Path
	case *zk.SetDataRequest:
		path = op.Path
	case *zk.DeleteRequest:
		path = op.Path
	case *zk.CheckVersionRequest:
		path = op.Path
	}
	return strings.TrimPrefix(path, s.client.chroot)
}

// opSize is about what an operation takes of a packet.
func opSize(op any) int {
	const overhead = 64 // headers, ACL, lengths
	switch op := op.(type) {
	case *zk.CreateRequest:
		return overhead + len(op.Path) + len(op.Data)
	case *zk.SetDataRequest:
		return overhead + len(op.Path) + len(op.Data)
	case *zk.DeleteRequest:
		return overhead + len(op.Path)
	}
	return overhead + 32
}

// attempt makes one request when the session is connected. It returns when ctx or the session ends, whatever
// became of the request; op goes on by itself then, and must not touch what the caller goes on using.
func attempt[T any](ctx context.Context, s *session, operation string, op func() (T, error)) (T, error) {
	var none T
	if err := s.pass(ctx); err != nil {
		return none, err
	}
	type outcome struct {
		v   T
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		defer s.running.Done()
		start := time.Now()
		v, err := op()
		<-s.client.slots
		if errors.Is(err, zk.ErrSessionExpired) || errors.Is(err, zk.ErrSessionMoved) {
			// The library takes this for an answer like any other. It learns what became of its session when
			// it connects again.
			s.dialer.hangUp()
		}
		if observe := s.client.options.Observe; observe != nil {
			observe(operation, time.Since(start))
		}
		done <- outcome{v, errorOf(err)}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return none, o.err
		}
		return o.v, nil
	case <-ctx.Done():
		return none, context.Cause(ctx)
	case <-s.alive.Done():
		return none, context.Cause(s.alive)
	}
}

// pass waits until the session is connected and a request may be in flight, and takes its place: the caller
// must call s.running.Done and free the slot.
func (s *session) pass(ctx context.Context) error {
	for {
		s.mu.Lock()
		gate := s.gate
		s.mu.Unlock()
		select {
		case <-gate:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.alive.Done():
			return context.Cause(s.alive)
		}
		select {
		case s.client.slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.alive.Done():
			return context.Cause(s.alive)
		}
		s.mu.Lock()
		ready := s.open && !s.ended
		if ready {
			s.running.Add(1)
		}
		s.mu.Unlock()
		if ready {
			return nil
		}
		<-s.client.slots
	}
}

// errorOf turns an error of the library into ours.
func errorOf(err error) error {
	var network net.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, zk.ErrNoNode):
		return ErrNoNode
	case errors.Is(err, zk.ErrNodeExists):
		return ErrNodeExists
	case errors.Is(err, zk.ErrBadVersion):
		return ErrBadVersion
	case errors.Is(err, zk.ErrNotEmpty):
		return errNotEmpty
	case errors.Is(err, zk.ErrConnectionClosed), errors.Is(err, zk.ErrNoServer), errors.Is(err, zk.ErrClosing),
		errors.Is(err, zk.ErrSessionMoved):
		return errLost
	case errors.Is(err, zk.ErrSessionExpired):
		// Not ours to say: when the library learns of it, the session ends for all its calls.
		return errLost
	case errors.As(err, &network), errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
		return errLost
	}
	return err
}
