package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/peer"
	"github.com/kbroker/kbroker/zkmeta"
)

// term is one leadership: all that the elected broker knows and all that works
// for it. Owned by Controller.Run.
type term struct {
	*machine
	c         *Controller
	senders   map[int32]*sender
	listener  string                  // where brokers take a controller's requests
	balancing *time.Timer             // the next event that balances leaders; nil: leaders are not balanced
	legacy    int64                   // the czxid of the /admin/reassign_partitions that was taken up last
	advanced  []zkmeta.TopicPartition // under reassignment, and their in-sync replicas changed
}

func (c *Controller) newTerm(lease zkmeta.Lease) *term {
	cfg := c.config.Broker()
	t := &term{c: c, senders: map[int32]*sender{}, listener: cfg.ControlPlaneListener}
	if t.listener == "" {
		t.listener = cfg.InterBrokerListener
	}
	t.machine = &machine{
		cluster:    newCluster(),
		origin:     origin{controllerID: c.id, lease: lease, interBrokerListener: cfg.InterBrokerListener},
		ledger:     c.zk,
		deliver:    t.deliver,
		unclean:    t.uncleanTopics,
		watchState: t.watchReassigned,
		deletion:   cfg.DeleteTopicEnable,
		log:        c.log.With(zap.Int32("controller_epoch", lease.Epoch)),
	}
	return t
}

// begin reads the cluster and acts upon what it finds, in the order of Kafka's
// onControllerFailover. Brokers must know each other before they are told to follow one another.
func (t *term) begin(ctx context.Context) error {
	for _, step := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"enable features", func(ctx context.Context) error { return t.c.zk.EnsureFeature(ctx, t.origin.lease) }},
		{"delete notifications", t.dropNotifications},
		{"read brokers", t.readBrokers},
		{"read topics", t.readTopics},
		{"set bounced brokers aside", func(context.Context) error { t.setBouncedAside(); return nil }},
		{"read topics to delete", t.readDeletions},
		{"send brokers", func(context.Context) error { t.sendMetadata(t.brokerIDs()); return nil }},
		{"start state machines", t.start},
		{"elect anew where leaders have bounced", t.leadAnew},
		{"resume reassignments", t.resumeReassigning},
		{"resume topic deletions", t.goOnDeleting},
		{"resume preferred elections", t.legacyElection},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	if t.c.config.Broker().AutoLeaderRebalance {
		t.balanceLater(firstBalance)
	}
	return nil
}

// end stops all that works for the term. It does not wait for it.
func (t *term) end() {
	if t.balancing != nil {
		t.balancing.Stop()
	}
	for _, s := range t.senders {
		s.stop()
	}
	t.senders = nil
	t.publishSenders()
}

// current reports whether t still is the term. Events that were posted for one
// that has ended are void.
func (t *term) current() bool { return t.c.term == t }

// dropNotifications: what former controllers were notified of is part of what
// is about to be read.
func (t *term) dropNotifications(ctx context.Context) error {
	events, _, err := t.c.zk.LogDirEvents(ctx, t.watch("log_dir_event", (*term).logDirsFailed))
	if err != nil {
		return err
	}
	if err := t.c.zk.RemoveLogDirEvents(ctx, t.origin.lease, events); err != nil {
		return err
	}
	changes, _, err := t.c.zk.ISRChanges(ctx, t.watch("isr_change", (*term).isrChanged))
	if err != nil {
		return err
	}
	return t.c.zk.RemoveISRChanges(ctx, t.origin.lease, changes)
}

func (t *term) readBrokers(ctx context.Context) error {
	brokers, err := t.c.zk.Brokers(ctx, t.watch("broker_change", (*term).brokersChanged))
	if err != nil {
		return err
	}
	for _, b := range brokers {
		t.brokers[b.ID] = b
		t.startSender(b, nil)
	}
	return t.watchBrokers(ctx, slices.Collect(maps.Keys(t.brokers)))
}

func (t *term) readTopics(ctx context.Context) error {
	topics, err := t.c.zk.Topics(ctx, t.watch("topic_change", (*term).topicsChanged))
	if err != nil {
		return err
	}
	added, err := t.readAssignments(ctx, topics)
	if err != nil {
		return err
	}
	keys := make([]zkmeta.TopicPartition, len(added))
	for i, p := range added {
		keys[i] = p.key()
	}
	states, err := t.c.zk.PartitionStates(ctx, keys, nil)
	if err != nil {
		return err
	}
	for i, p := range added {
		if state, ok := states[keys[i]]; ok {
			t.setLeadership(p, state)
		}
	}
	return nil
}

func (t *term) readDeletions(ctx context.Context) error {
	marked, err := t.c.zk.DeletionMarkers(ctx, t.watch("topic_deletion", (*term).deletionsChanged))
	if err != nil {
		return err
	}
	going, err := t.withdrawMarkers(ctx, marked)
	if err != nil {
		return err
	}
	for _, topic := range going {
		t.changeTopic(topic, func() { topic.queued = true })
		topic.ineligible = t.ineligibleAtStart(topic)
	}
	return nil
}

// readAssignments adds topics and their partitions, with ids for topics that
// have none, and returns the partitions. Topics that are gone are left out.
func (t *term) readAssignments(ctx context.Context, topics []string) ([]*partition, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	assignments, err := t.c.zk.Assignments(ctx, topics, t.watchTopic)
	if err != nil {
		return nil, err
	}
	var added []*partition
	for _, name := range slices.Sorted(maps.Keys(assignments)) {
		a := assignments[name]
		if a.ID == ([16]byte{}) {
			a.ID = newTopicID()
			err := t.c.zk.SetAssignment(ctx, t.origin.lease, a)
			if errors.Is(err, zkmeta.ErrNoNode) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("give topic %s an id: %w", name, err)
			}
		}
		added = append(added, t.addPartitions(t.addTopic(name, a.ID), a)...)
	}
	return added, nil
}

// startSender connects a broker, with requests left from an earlier sender.
func (t *term) startSender(b zkmeta.Broker, left []kmsg.Request) {
	log := t.log.With(zap.Int32("broker", b.ID), zap.Int64("broker_epoch", b.Epoch))
	e, ok := endpoint(b, t.listener)
	if !ok {
		// Without an address nothing can be sent; a changed registration brings one.
		log.Error("broker has no endpoint for the controller's requests", zap.String("listener", t.listener))
		return
	}
	cfg := t.c.config.Broker()
	first, most := cfg.ConnectWithin(cfg.ControllerSocketLimit)
	ctx, cancel := context.WithCancel(context.Background())
	s := &sender{
		connection: peer.New(peer.Options{
			Address: hostPort(e.Host, e.Port), ClientID: strconv.Itoa(int(t.c.id)), Dial: t.c.dial,
			ConnectTimeout: first, ConnectTimeoutMax: most, RequestTimeout: cfg.RequestTimeout,
		}),
		answered: func(ctx context.Context, request kmsg.Request, response kmsg.Response) {
			t.answered(ctx, b, request, response)
		},
		cancel: cancel,
		log:    log,
		queue:  left,
		wake:   make(chan struct{}, 1),
	}
	t.senders[b.ID] = s
	t.c.working.Go(func() { s.run(ctx) })
	t.publishSenders()
}

func (t *term) stopSender(broker int32) []kmsg.Request {
	s := t.senders[broker]
	if s == nil {
		return nil
	}
	delete(t.senders, broker)
	t.publishSenders()
	return s.stop()
}

// publishSenders shows the senders to the metrics.
func (t *term) publishSenders() {
	senders := maps.Clone(t.senders)
	t.c.metrics.senders.Store(&senders)
}

func (t *term) deliver(out []outgoing) {
	for _, o := range out {
		if s := t.senders[o.broker]; s != nil {
			s.send(o.request)
		}
	}
}

// uncleanTopics reads which topics allow unclean leaders, a few at a time. One
// whose configuration cannot be read does not.
func (t *term) uncleanTopics(ctx context.Context, topics []string) map[string]bool {
	allowed := make(map[string]bool, len(topics))
	var mu sync.Mutex
	concurrently(topics, func(name string) {
		overrides, err := t.c.zk.Config(ctx, zkmeta.Entity{Type: "topics", Name: name})
		if err != nil {
			t.log.Error("reading a topic's configuration for an election failed", zap.String("topic", name), zap.Error(err))
			return
		}
		mu.Lock()
		defer mu.Unlock()
		allowed[name] = t.c.config.Topic(overrides).UncleanLeaderElection
	})
	return allowed
}

// concurrently does something with every item, a few at a time: ZooKeeper
// calls that cannot be pipelined otherwise.
func concurrently[T any](items []T, do func(T)) {
	const atOnce = 16
	var wait sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, item := range items {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			do(item)
		})
	}
	wait.Wait()
}
