package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Of the scenarios in which many members join a group. The delay is what an empty group waits for more members;
// it passes twice, as members arrive during the first.
const (
	groupMembers      = 1000
	groupPartitions   = 1000
	initialDelay      = time.Second
	consumerHeartbeat = 500 * time.Millisecond
)

// groupOverrides configure the brokers for the scenarios with groups.
func groupOverrides() []string {
	return []string{fmt.Sprintf("group.initial.rebalance.delay.ms=%d", initialDelay.Milliseconds())}
}

// consumerOverrides are those that only brokers with the new group protocol know.
func consumerOverrides() []string {
	return []string{
		fmt.Sprintf("group.consumer.min.heartbeat.interval.ms=%d", consumerHeartbeat.Milliseconds()),
		fmt.Sprintf("group.consumer.heartbeat.interval.ms=%d", consumerHeartbeat.Milliseconds()),
	}
}

// classicMember is a member of a group of the classic protocol.
type classicMember struct {
	w          *wire
	group      string
	topic      string
	id         string
	generation int32
	assigned   time.Time // when SyncGroup was answered last
	joined     time.Time // when JoinGroup was answered last
}

// join joins until SyncGroup gives an assignment.
func (m *classicMember) join() error {
	for {
		r := kmsg.NewPtrJoinGroupRequest()
		r.Version, r.Group, r.MemberID = 7, m.group, m.id
		r.SessionTimeoutMillis, r.RebalanceTimeoutMillis, r.ProtocolType = 60_000, 60_000, "consumer"
		subscription := kmsg.NewConsumerMemberMetadata()
		subscription.Topics = []string{m.topic}
		protocol := kmsg.NewJoinGroupRequestProtocol()
		protocol.Name, protocol.Metadata = "range", subscription.AppendTo(nil)
		r.Protocols = append(r.Protocols, protocol)
		answer, err := m.w.call(r)
		if err != nil {
			return err
		}
		joined := answer.(*kmsg.JoinGroupResponse)
		m.id, m.joined = joined.MemberID, time.Now()
		switch err := kerr.ErrorForCode(joined.ErrorCode); {
		case errors.Is(err, kerr.MemberIDRequired), errors.Is(err, kerr.RebalanceInProgress):
			continue
		case err != nil:
			return fmt.Errorf("join: %w", err)
		}
		switch err := m.sync(joined); {
		case err == nil:
			return nil
		case !errors.Is(err, kerr.RebalanceInProgress):
			return fmt.Errorf("sync: %w", err)
		}
	}
}

// sync fetches the assignment, and as leader makes it: a partition for each.
func (m *classicMember) sync(joined *kmsg.JoinGroupResponse) error {
	m.generation = joined.Generation
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.MemberID, r.Generation = 4, m.group, m.id, m.generation
	if joined.LeaderID == m.id {
		for i, member := range joined.Members {
			assignment, topic := kmsg.NewConsumerMemberAssignment(), kmsg.NewConsumerMemberAssignmentTopic()
			topic.Topic, topic.Partitions = m.topic, []int32{int32(i)}
			assignment.Topics = append(assignment.Topics, topic)
			given := kmsg.NewSyncGroupRequestGroupAssignment()
			given.MemberID, given.MemberAssignment = member.MemberID, assignment.AppendTo(nil)
			r.GroupAssignment = append(r.GroupAssignment, given)
		}
	}
	answer, err := m.w.call(r)
	if err != nil {
		return err
	}
	m.assigned = time.Now()
	return kerr.ErrorForCode(answer.(*kmsg.SyncGroupResponse).ErrorCode)
}

// heartbeat tells whether the group is being rebalanced.
func (m *classicMember) heartbeat() (rebalancing bool, err error) {
	r := kmsg.NewPtrHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.Generation = 3, m.group, m.id, m.generation
	answer, err := m.w.call(r)
	if err != nil {
		return false, err
	}
	err = kerr.ErrorForCode(answer.(*kmsg.HeartbeatResponse).ErrorCode)
	if errors.Is(err, kerr.RebalanceInProgress) {
		return true, nil
	}
	return false, err
}

// joinClassic measures until a thousand members that begin at once are in one generation with a partition each.
func joinClassic(ctx context.Context, s *subject, topic string) (figures, error) {
	if err := errors.Join(s.createTopic(ctx, topic, groupPartitions), awaitCoordinator(ctx, s, topic)); err != nil {
		return nil, err
	}
	members := make([]*classicMember, groupMembers)
	for i := range members {
		w, err := dialWire(ctx, s.address)
		if err != nil {
			return nil, err
		}
		defer w.close()
		members[i] = &classicMember{w: w, group: topic, topic: topic}
	}
	meter, err := startMeter(s)
	if err != nil {
		return nil, err
	}
	if err := together(groupMembers, func(i int) error { return members[i].join() }); err != nil {
		return nil, err
	}
	elapsed, cpu, err := meter.read()
	first, last := members[0].joined, members[0].assigned
	for _, m := range members {
		if m.generation != members[0].generation {
			return nil, fmt.Errorf("members are in generations %d and %d", m.generation, members[0].generation)
		}
		if m.joined.Before(first) {
			first = m.joined
		}
		if m.assigned.After(last) {
			last = m.assigned
		}
	}
	return figures{
		"ms past the initial delay":                                       elapsed*1000 - 2*milliseconds(initialDelay),
		"ms from the first JoinGroup answer to the last SyncGroup answer": milliseconds(last.Sub(first)), "CPU ms": cpu * 1000,
	}, err
}

// consumerMember is a member of a group of the new protocol.
type consumerMember struct {
	w        *wire
	group    string
	topic    string
	id       string
	epoch    int32
	owned    []kmsg.ConsumerGroupHeartbeatRequestTopic
	count    int // partitions owned
	interval time.Duration
	leave    chan struct{} // closed to have the member leave
}

// beat sends a heartbeat, and reports whether it brought another assignment. To join it says all of the membership, upon
// which the assignment is in the answer in any case; and once what it owns after a change.
func (m *consumerMember) beat(owned bool) (changed bool, err error) {
	r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.MemberEpoch, r.RebalanceTimeoutMillis = 1, m.group, m.id, m.epoch, -1
	if m.epoch == 0 {
		r.RebalanceTimeoutMillis, r.SubscribedTopicNames = 60_000, []string{m.topic}
	}
	if owned {
		r.Topics = m.owned
	}
	answer, err := m.w.call(r)
	if err != nil {
		return false, err
	}
	a := answer.(*kmsg.ConsumerGroupHeartbeatResponse)
	if err := kerr.ErrorForCode(a.ErrorCode); err != nil {
		return false, err
	}
	m.epoch, m.interval = a.MemberEpoch, time.Duration(a.HeartbeatIntervalMillis)*time.Millisecond
	if a.Assignment == nil {
		return false, nil
	}
	m.owned, m.count = []kmsg.ConsumerGroupHeartbeatRequestTopic{}, 0
	for _, t := range a.Assignment.Topics {
		m.owned = append(m.owned, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: t.TopicID, Partitions: t.Partitions})
		m.count += len(t.Partitions)
	}
	return true, nil
}

// membership runs members of the new protocol until they are stopped.
type membership struct {
	members []*consumerMember
	stop    chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex
	owned   map[int]int // members by the partitions that they own; guarded by mu
	changes int         // assignments that members got; guarded by mu
	changed chan struct{}
	err     error // guarded by mu
}

func (g *membership) run(m *consumerMember) {
	m.epoch, m.owned = 0, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for say := true; ; {
		before := m.count
		changed, err := m.beat(say)
		g.mu.Lock()
		if err != nil {
			g.err = errors.Join(g.err, err)
		}
		g.owned[before]--
		g.owned[m.count]++
		if changed {
			g.changes++
		}
		g.mu.Unlock()
		g.tell()
		if err != nil {
			return
		}
		if say = changed; say { // what was taken away has to be acknowledged
			continue
		}
		select {
		case <-g.stop:
			return
		case <-m.leave:
			m.epoch = -1
			_, err := m.beat(false)
			g.mu.Lock()
			g.owned[m.count]--
			g.err = errors.Join(g.err, err)
			g.mu.Unlock()
			g.tell()
			return
		case <-time.After(m.interval):
		}
	}
}

func (g *membership) tell() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// spread waits until as many members as that own so many partitions.
func (g *membership) spread(ctx context.Context, want map[int]int) error {
	late := time.After(startWithin)
	for {
		g.mu.Lock()
		maps.DeleteFunc(g.owned, func(_, members int) bool { return members == 0 })
		done, err, state := maps.Equal(g.owned, want), g.err, fmt.Sprint(g.owned)
		g.mu.Unlock()
		if done || err != nil {
			return err
		}
		select {
		case <-g.changed:
		case <-late:
			return errors.New("members by partitions owned: " + state)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// joinConsumer measures the same with the new protocol, and then whom a member disturbs that leaves.
func joinConsumer(ctx context.Context, s *subject, topic string) (figures, error) {
	if err := errors.Join(s.createTopic(ctx, topic, groupPartitions), awaitCoordinator(ctx, s, topic)); err != nil {
		return nil, err
	}
	g := &membership{stop: make(chan struct{}), changed: make(chan struct{}, 1), owned: map[int]int{0: groupMembers}}
	defer g.running.Wait()
	defer close(g.stop)
	for i := range groupMembers {
		w, err := dialWire(ctx, s.address)
		if err != nil {
			return nil, err
		}
		defer w.close()
		g.members = append(g.members, &consumerMember{
			w: w, group: topic, topic: topic, id: fmt.Sprintf("member-%04d", i), leave: make(chan struct{}),
		})
	}
	meter, err := startMeter(s)
	if err != nil {
		return nil, err
	}
	for _, m := range g.members {
		g.running.Go(func() { g.run(m) })
	}
	if err := g.spread(ctx, map[int]int{1: groupMembers}); err != nil {
		return nil, err
	}
	elapsed, cpu, err := meter.read()
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	joining := g.changes
	g.mu.Unlock()
	close(g.members[0].leave)
	if err := g.spread(ctx, map[int]int{1: groupMembers - 2, 2: 1}); err != nil {
		return nil, err
	}
	g.mu.Lock()
	disturbed := g.changes - joining
	g.mu.Unlock()
	return figures{"ms to stable": elapsed * 1000, "CPU ms": cpu * 1000, "members disturbed by one that leaves": float64(disturbed)}, nil
}
