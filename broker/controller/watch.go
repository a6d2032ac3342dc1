package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// The handlers of what may have changed in ZooKeeper. Each reads again, which
// sets the next watch, compares and acts; what has not changed costs a read.

// watch makes the Notify of something: it marks that it is to be read again.
// Watches outlive the term that set them; they then mark for the next.
func (t *term) watch(kind string, handle func(t *term, ctx context.Context) error) zkmeta.Notify {
	c := t.c
	return func() { c.change(mark{kind: kind}, handle) }
}

// watchTopic collects the topics, which one handler then reads together: after a
// lost connection all watches report at once.
func (t *term) watchTopic(topic string) zkmeta.Notify {
	c := t.c
	return func() {
		c.modified.add(topic)
		c.change(mark{kind: "partition_modification"}, func(t *term, ctx context.Context) error {
			return t.topicsModified(ctx, c.modified.take())
		})
	}
}

// nameSet collects names from several goroutines until somebody takes them.
type nameSet struct {
	mu    sync.Mutex
	names map[string]bool
}

func (s *nameSet) add(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.names == nil {
		s.names = map[string]bool{}
	}
	s.names[name] = true
}

func (s *nameSet) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Sorted(maps.Keys(s.names))
	s.names = nil
	return names
}

func (t *term) watchBroker(id int32) zkmeta.Notify {
	c := t.c
	return func() {
		c.change(mark{kind: "broker_modification", number: id}, func(t *term, ctx context.Context) error {
			return t.brokerModified(ctx, id)
		})
	}
}

// change queues a handler of the term that then is, if there is one.
func (c *Controller) change(m mark, handle func(t *term, ctx context.Context) error) {
	c.mail.change(event{name: m.kind, mark: m, handle: func(ctx context.Context) error {
		if c.term == nil {
			return nil
		}
		return handle(c.term, ctx)
	}})
}

// brokersChanged compares who is registered with who was. A broker that comes
// back between two reads is told by its epoch: its process, or at least its session, is another.
func (t *term) brokersChanged(ctx context.Context) error {
	brokers, err := t.c.zk.Brokers(ctx, t.watch("broker_change", (*term).brokersChanged))
	if err != nil {
		return fmt.Errorf("read brokers: %w", err)
	}
	now := make(map[int32]zkmeta.Broker, len(brokers))
	var started, bounced, failed []int32
	for _, b := range brokers {
		now[b.ID] = b
		if old, ok := t.brokers[b.ID]; !ok {
			started = append(started, b.ID)
		} else if b.Epoch > old.Epoch {
			bounced = append(bounced, b.ID)
		}
	}
	for id := range t.brokers {
		if _, ok := now[id]; !ok {
			failed = append(failed, id)
		}
	}
	slices.Sort(started)
	slices.Sort(bounced)
	slices.Sort(failed)

	for _, id := range slices.Concat(bounced, failed) {
		t.stopSender(id)
	}
	for _, id := range slices.Concat(started, bounced) {
		t.startSender(now[id], nil)
	}
	if err := t.brokersCame(ctx, started, now); err != nil {
		return err
	}
	if err := t.brokersWent(ctx, bounced); err != nil {
		return err
	}
	if err := t.brokersCame(ctx, bounced, now); err != nil {
		return err
	}
	return t.brokersWent(ctx, failed)
}

func (t *term) brokersCame(ctx context.Context, ids []int32, now map[int32]zkmeta.Broker) error {
	if len(ids) == 0 {
		return nil
	}
	for _, id := range ids {
		t.brokers[id] = now[id]
	}
	if err := t.brokersStarted(ctx, ids); err != nil {
		return err
	}
	return t.watchBrokers(ctx, ids)
}

func (t *term) brokersWent(ctx context.Context, ids []int32) error {
	if len(ids) == 0 {
		return nil
	}
	for _, id := range ids {
		delete(t.brokers, id)
	}
	return t.brokersFailed(ctx, ids)
}

// watchBrokers sets the watch on brokers' registrations and takes over what
// changed before it was set.
func (t *term) watchBrokers(ctx context.Context, ids []int32) error {
	for _, id := range ids {
		if err := t.brokerModified(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// brokerModified tells the others when a broker changed its endpoints. When it
// is gone or registered anew, brokersChanged will act.
func (t *term) brokerModified(ctx context.Context, id int32) error {
	now, err := t.c.zk.Broker(ctx, id, t.watchBroker(id))
	if errors.Is(err, zkmeta.ErrNoNode) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read broker %d: %w", id, err)
	}
	old, ok := t.brokers[id]
	if !ok || now.Epoch != old.Epoch || reflect.DeepEqual(now, old) {
		return nil
	}
	t.log.Info("broker changed its registration", zap.Int32("broker", id))
	t.brokers[id] = now
	was, had := endpoint(old, t.listener)
	if is, has := endpoint(now, t.listener); is != was || has != had {
		t.startSender(now, t.stopSender(id))
		if !had {
			return t.brokersStarted(ctx, []int32{id}) // nothing could be sent to it so far
		}
	}
	t.sendMetadata(t.brokerIDs())
	return nil
}

// topicsChanged takes up new topics, and drops those that somebody else
// deleted from ZooKeeper.
func (t *term) topicsChanged(ctx context.Context) error {
	listed, err := t.c.zk.Topics(ctx, t.watch("topic_change", (*term).topicsChanged))
	if err != nil {
		return fmt.Errorf("read topics: %w", err)
	}
	exists := make(map[string]bool, len(listed))
	var added []string
	for _, name := range listed {
		exists[name] = true
		if t.topics[name] == nil {
			added = append(added, name)
		}
	}
	for _, topic := range t.sortedTopics() {
		if !exists[topic.name] {
			t.log.Warn("topic vanished from zookeeper", zap.String("topic", topic.name))
			t.removeTopic(topic)
		}
	}
	partitions, err := t.readAssignments(ctx, added)
	if err != nil {
		return fmt.Errorf("read new topics: %w", err)
	}
	if len(partitions) == 0 {
		return nil
	}
	t.log.Info("new topics", zap.Strings("topics", added), zap.Int("partitions", len(partitions)))
	return t.createPartitions(ctx, partitions)
}

// topicsModified takes up partitions that were added to topics. Those added to
// a topic that is being deleted are taken away again.
func (t *term) topicsModified(ctx context.Context, names []string) error {
	known := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return t.topics[name] == nil })
	if len(known) < len(names) {
		// Deleted; or it could not be understood so far, and somebody mended it.
		if err := t.topicsChanged(ctx); err != nil {
			return err
		}
	}
	if len(known) == 0 {
		return nil
	}
	assignments, err := t.c.zk.Assignments(ctx, known, t.watchTopic)
	if err != nil {
		return fmt.Errorf("read changed topics: %w", err)
	}
	var added []*partition
	for _, name := range known {
		topic, a := t.topics[name], assignments[name]
		if topic == nil {
			continue // topicsChanged has just found it gone
		}
		grown := slices.ContainsFunc(slices.Collect(maps.Keys(a.Partitions)), func(index int32) bool { return topic.partition(index) == nil })
		switch {
		case !grown:
		case topic.queued:
			t.log.Warn("topic that is to be deleted got partitions, which are taken away", zap.String("topic", name))
			err := t.c.zk.SetAssignment(ctx, t.origin.lease, topic.written())
			if err != nil && !errors.Is(err, zkmeta.ErrNoNode) {
				return fmt.Errorf("restore topic %s: %w", name, err)
			}
		default:
			grown := t.addPartitions(topic, a)
			t.log.Info("topic has new partitions", zap.String("topic", name), zap.Int("count", len(grown)))
			added = append(added, grown...)
		}
	}
	return t.createPartitions(ctx, added)
}

// deletionsChanged queues the topics that are marked for deletion.
func (t *term) deletionsChanged(ctx context.Context) error {
	marked, err := t.c.zk.DeletionMarkers(ctx, t.watch("topic_deletion", (*term).deletionsChanged))
	if err != nil {
		return fmt.Errorf("read topics to delete: %w", err)
	}
	going, err := t.withdrawMarkers(ctx, marked)
	if err != nil || len(going) == 0 {
		return err
	}
	return t.queueDeletion(ctx, going)
}

// withdrawMarkers removes the deletion markers that lead to nothing, of topics that do not
// exist or (if deletion is disabled) of all, and returns the topics of the others.
func (t *term) withdrawMarkers(ctx context.Context, marked []string) ([]*topic, error) {
	var void []string
	var going []*topic
	for _, name := range marked {
		if topic := t.topics[name]; topic != nil && t.deletion {
			going = append(going, topic)
		} else {
			void = append(void, name)
		}
	}
	if len(void) == 0 {
		return going, nil
	}
	t.log.Warn("topics marked for deletion do not exist, or deletion is disabled", zap.Strings("topics", void))
	if err := t.c.zk.RemoveDeletionMarkers(ctx, t.origin.lease, void); err != nil {
		return nil, fmt.Errorf("remove deletion markers: %w", err)
	}
	return going, nil
}

// isrChanged tells all brokers about partitions whose leaders changed their
// in-sync replicas in ZooKeeper (inter.broker.protocol.version below 2.7).
func (t *term) isrChanged(ctx context.Context) error {
	names, tps, err := t.c.zk.ISRChanges(ctx, t.watch("isr_change", (*term).isrChanged))
	if err != nil {
		return fmt.Errorf("read isr changes: %w", err)
	}
	states, err := t.c.zk.PartitionStates(ctx, tps, nil)
	if err != nil {
		return fmt.Errorf("read changed partition states: %w", err)
	}
	var changed []*partition
	for _, tp := range tps {
		if p := t.partition(tp); p != nil {
			if state, ok := states[tp]; ok {
				t.setLeadership(p, state)
			}
			changed = append(changed, p)
		}
	}
	if len(changed) > 0 {
		t.sendMetadata(t.brokerIDs(), changed...)
	}
	if err := t.c.zk.RemoveISRChanges(ctx, t.origin.lease, names); err != nil {
		return fmt.Errorf("remove isr changes: %w", err)
	}
	return nil
}

// logDirsFailed asks brokers that lost a log directory for what they lost.
func (t *term) logDirsFailed(ctx context.Context) error {
	names, brokers, err := t.c.zk.LogDirEvents(ctx, t.watch("log_dir_event", (*term).logDirsFailed))
	if err != nil {
		return fmt.Errorf("read log dir events: %w", err)
	}
	if len(brokers) > 0 {
		slices.Sort(brokers)
		if err := t.askForDirs(ctx, slices.Compact(brokers)); err != nil {
			return err
		}
	}
	if err := t.c.zk.RemoveLogDirEvents(ctx, t.origin.lease, names); err != nil {
		return fmt.Errorf("remove log dir events: %w", err)
	}
	return nil
}

// ElectUnclean tries to elect leaders where none is, after unclean leaders
// were allowed for a topic or (with "") by default. It does not wait, and does nothing on other brokers.
func (c *Controller) ElectUnclean(topic string) {
	c.change(mark{kind: "unclean_election", topic: topic}, func(t *term, ctx context.Context) error {
		_, err := t.electWhereNeeded(ctx, topic)
		return err
	})
}
