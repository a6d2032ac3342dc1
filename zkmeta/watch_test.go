package zkmeta

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/go-zookeeper/zk"
)

// calls records the names of the watches that fired.
type calls []string

func (c *calls) notify(name string) Notify { return func() { *c = append(*c, name) } }

func (c *calls) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	slices.Sort(*c)
	if !slices.Equal(*c, want) {
		t.Fatalf("fired %v, want %v", *c, want)
	}
	*c = nil
}

func TestEventsFireWhatTheyConcern(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDispatcher()
		defer d.close()
		var fired calls
		for _, test := range []struct {
			event zk.EventType
			want  []string
		}{
			{zk.EventNodeCreated, []string{"/a data"}},
			{zk.EventNodeDataChanged, []string{"/a data"}},
			{zk.EventNodeChildrenChanged, []string{"/a children"}},
			{zk.EventNodeDeleted, []string{"/a children", "/a data"}},
			{zk.EventNotWatching, nil},
		} {
			d.register("/a", watchData, fired.notify("/a data"))
			d.register("/a", watchChildren, fired.notify("/a children"))
			d.register("/b", watchData, fired.notify("/b data"))
			d.fire("/a", test.event)
			fired.expect(t, test.want...)
			d.fire("/a", test.event)
			fired.expect(t)
			d.fireAll()
			synctest.Wait()
			fired = nil
		}
	})
}

// TestAWatchIsSetOncePerFiring: the server is asked for a watch until it is known to hold one, and again after it fired,
// also when it fired while the answer was on its way.
func TestAWatchIsSetOncePerFiring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDispatcher()
		defer d.close()
		var fired calls
		wanted := func(want bool) {
			t.Helper()
			if got := d.wanted("/a", watchData); got != want {
				t.Fatalf("the server is asked: %v, want %v", got, want)
			}
		}
		wanted(false)
		first := d.register("/a", watchData, fired.notify("first"))
		wanted(true)
		d.fire("/a", zk.EventNodeDataChanged) // before the answer is seen
		d.armed(first)
		fired.expect(t, "first")
		wanted(false)

		second := d.register("/a", watchData, fired.notify("second"))
		wanted(true)
		d.armed(second)
		d.register("/a", watchData, fired.notify("third"))
		wanted(false)
		d.drop(second)
		d.fire("/a", zk.EventNodeDataChanged)
		fired.expect(t, "third")

		failed := d.register("/a", watchData, fired.notify("failed"))
		d.drop(failed)
		d.drop(failed)
		d.drop(nil)
		if len(d.entries) != 0 {
			t.Fatalf("%d entries are left", len(d.entries))
		}
		d.fireAll()
		fired.expect(t)
	})
}

func TestWatchableRequests(t *testing.T) {
	for _, test := range []struct {
		name  string
		frame string
		kind  watchKind
		ok    bool
	}{
		{"exists", "....\x00\x00\x00\x07\x00\x00\x00\x03\x00\x00\x00\x02/a\x00", watchData, true},
		{"get", "....\x00\x00\x00\x07\x00\x00\x00\x04\x00\x00\x00\x02/a\x00", watchData, true},
		{"children", "....\x00\x00\x00\x07\x00\x00\x00\x0c\x00\x00\x00\x02/a\x00", watchChildren, true},
		{"delete", "....\x00\x00\x00\x07\x00\x00\x00\x02\x00\x00\x00\x02/a\x00\x00\x00\x00", 0, false},
		{"short", "....\x00\x00\x00\x07\x00\x00\x00\x04", 0, false},
		{"wrong size", "....\x00\x00\x00\x07\x00\x00\x00\x04\xff\xff\xff\xff/a\x00", 0, false},
	} {
		path, kind, ok := watchable([]byte(test.frame))
		if ok != test.ok || kind != test.kind && ok || ok && path != "/a" {
			t.Errorf("%s: %q %v %v", test.name, path, kind, ok)
		}
	}
}

func TestNoCallAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDispatcher()
		var fired calls
		for i := range 10 {
			d.register(fmt.Sprint("/", i), watchData, fired.notify("late"))
		}
		d.close()
		d.fireAll()
		d.post(fired.notify("later"))
		fired.expect(t)
	})
}
