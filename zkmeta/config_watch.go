package zkmeta

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

const (
	// configChangeLife is how long a notification stays: longer than any broker is away without expiring.
	configChangeLife = 15 * time.Minute
	// scanRetry is the pause after a scan that failed while ZooKeeper was reachable.
	scanRetry = time.Second
)

// WatchConfigs calls f for every changed entity, in order, until ctx or the client ends: it follows /config/changes
// level-triggered (also after expiry), purges notifications older than 15 minutes, and returns after the first scan so
// that the caller then reads all configs. f is called from one goroutine; an entity that changed several times between
// two looks is reported once. f reads the config itself: the newest is what counts.
//
// The zero Entity says that notifications were purged before they were seen: read all configs again.
func (c *Client) WatchConfigs(ctx context.Context, f func(Entity)) error {
	w := &configWatch{client: c, f: f, last: -1, seen: make(map[string]int64), dirty: make(chan struct{}, 1)}
	if err := w.scan(ctx, true); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.running.Go(func() { w.follow(ctx) })
	return nil
}

// configWatch follows /config/changes for one caller.
type configWatch struct {
	client *Client
	f      func(Entity)
	last   int64            // number of the newest notification seen
	seen   map[string]int64 // notifications that exist and were read: when they were created, in ms
	dirty  chan struct{}    // capacity 1
}

func (w *configWatch) follow(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.client.alive, cancel)()
	for {
		select {
		case <-w.dirty:
		case <-ctx.Done():
			return
		}
		err := w.scan(ctx, false)
		switch {
		case err == nil:
		case ctx.Err() != nil || errors.Is(err, ErrClosed):
			return
		default:
			if !errors.Is(err, ErrSessionExpired) {
				w.client.log.Warn("config changes could not be read, trying again", zap.Error(err))
				pause(ctx, scanRetry)
			}
			w.mark()
		}
	}
}

// mark is the Notify of the list of notifications.
func (w *configWatch) mark() {
	select {
	case w.dirty <- struct{}{}:
	default:
	}
}

// scan reads the notifications that are new, tells of them, and purges old ones. The first scan tells nothing: the
// caller reads all configs after it.
func (w *configWatch) scan(ctx context.Context, first bool) error {
	s, err := w.client.bind()
	if err != nil {
		return err
	}
	names, err := s.children(ctx, configChangesPath, w.mark)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return configChangeNumber(name) < 0 })
	slices.SortFunc(names, func(a, b string) int { return int(configChangeNumber(a) - configChangeNumber(b)) })

	fresh := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return configChangeNumber(name) <= w.last })
	all, err := s.readAll(ctx, configChangesPath, fresh)
	if err != nil {
		return err
	}
	told := make(map[Entity]bool)
	for i, read := range all {
		// Numbers follow each other without gaps; one that is missing was purged before we looked.
		number := configChangeNumber(fresh[i])
		missed := !read.ok || w.last >= 0 && number != w.last+1
		w.last = number
		if read.ok {
			w.seen[fresh[i]] = read.stat.Ctime
		}
		if first {
			continue
		}
		if missed {
			w.tell(Entity{}, told)
		}
		if !read.ok {
			continue
		}
		z, err := decodeConfigChange(read.data)
		if err != nil {
			w.client.log.Error("config change not understood", zap.String("path", configChangesPath+"/"+fresh[i]), zap.Error(err))
			continue
		}
		w.tell(Entity(z), told)
	}
	return w.purge(ctx, s, names)
}

func (w *configWatch) tell(e Entity, told map[Entity]bool) {
	if !told[e] {
		told[e] = true
		w.f(e)
	}
}

// purge deletes notifications past their time. Every broker does; who comes second finds nothing.
func (w *configWatch) purge(ctx context.Context, s *session, names []string) error {
	oldest := time.Now().Add(-configChangeLife).UnixMilli()
	kept := make(map[string]int64, len(names))
	var old []string
	for _, name := range names {
		created, known := w.seen[name]
		switch {
		case !known:
		case created < oldest:
			old = append(old, name)
		default:
			kept[name] = created
		}
	}
	if err := s.removeNamed(ctx, nil, configChangesPath, old); err != nil {
		return err
	}
	w.seen = kept
	return nil
}

// configChangeNumber is the number in a notification's name, -1 when it is none.
func configChangeNumber(name string) int64 {
	digits, ok := strings.CutPrefix(name, configChangePrefix)
	number, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || number < 0 {
		return -1
	}
	return number
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
