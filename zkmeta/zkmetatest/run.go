package zkmetatest

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/kbroker/kbroker/zkmeta"
)

// patience is how long a test waits for what must come; only a failing test waits that long.
const patience = 20 * time.Second

// Run tests zkmeta on the ZooKeeper server at connect (host:port, no chroot). It leaves its znodes there, each test
// below a chroot of its own.
func Run(t *testing.T, connect string) {
	for _, test := range []struct {
		name string
		run  func(*env)
	}{
		{"TheTreeIsKafkas", testTree},
		{"RootsAreMadeByManyAtOnce", testRoots},
		{"ClusterIDIsOne", testClusterID},
		{"BrokerIDsAreNotGivenTwice", testBrokerIDs},
		{"ABrokerIDIsTakenThenFreed", testBrokerIDTaken},
		{"AnUnknownOutcomeIsFoundOut", testOutcomes},
		{"OneOfTwoIsElected", testElection},
		{"ADeposedControllerWritesNothing", testDeposed},
		{"AKRaftControllerIsRefused", testKRaft},
		{"TheControllerIsWatchedFromCreationOn", testControllerWatch},
		{"ADisconnectKeepsTheSession", testDisconnect},
		{"ExpiryBeginsAnewSession", testExpiry},
		{"ACallEndsWithItsContext", testContext},
		{"ClosingEndsAllCalls", testClose},
		{"WatchesFireOnce", testWatchesFireOnce},
		{"AWatchStorm", testWatchStorm},
		{"TopicsComeAndGo", testTopics},
		{"TenThousandPartitions", testManyPartitions},
		{"PartitionStatesOfABatchStandAlone", testMixedBatch},
		{"ATooLargeTopicIsAnError", testTooLarge},
		{"Configs", testConfigs},
		{"OffsetsOfOldConsumers", testConsumerOffsets},
		{"GroupConfigsComeAndGo", testGroupConfigs},
		{"EmptyQuotasLeaveNothing", testQuotaCleanup},
		{"ConfigChangesAreFollowed", testConfigChanges},
		{"FeatureIsEnabled", testFeature},
		{"ProducerIDs", testProducerIDs},
		{"Notifications", testNotifications},
		{"LegacyAdmin", testLegacyAdmin},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
			t.Cleanup(cancel)
			test.run(&env{T: t, ctx: ctx, server: connect, chroot: "/zkmeta-test/" + strings.ToLower(rand.Text())})
		})
	}
}

// env is one test and its part of the tree.
type env struct {
	*testing.T
	ctx    context.Context
	server string
	chroot string
	direct *zk.Conn // made by raw
}

// client connects through a proxy of its own.
func (e *env) client() (*zkmeta.Client, *Proxy) {
	e.Helper()
	p := NewProxy(e.T, e.server)
	c, err := zkmeta.Connect(e.ctx, zkmeta.Options{Connect: p.Addr() + e.chroot, SessionTimeout: 10 * time.Second})
	e.must(err)
	e.Cleanup(c.Close)
	return c, p
}

// started is a client on a tree with roots.
func (e *env) started() (*zkmeta.Client, *Proxy) {
	e.Helper()
	c, p := e.client()
	e.must(c.EnsureRoots(e.ctx))
	return c, p
}

// controller is a client that won the election.
func (e *env) controller() (*zkmeta.Client, *Proxy, zkmeta.Lease) {
	e.Helper()
	c, p := e.started()
	l, err := c.Elect(e.ctx, 1)
	e.must(err)
	return c, p, l
}

// raw is a connection of the library without anything of ours between.
func (e *env) raw() *zk.Conn {
	e.Helper()
	if e.direct == nil {
		conn, _, err := zk.Connect([]string{e.server}, 10*time.Second, zk.WithLogInfo(false))
		e.must(err)
		e.Cleanup(conn.Close)
		e.direct = conn
	}
	return e.direct
}

// put creates a znode as someone else would.
func (e *env) put(path, data string, flags int32) {
	e.Helper()
	_, err := e.raw().Create(e.chroot+path, []byte(data), flags, zk.WorldACL(zk.PermAll))
	e.must(err)
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

func (e *env) mustBe(err, want error) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Fatalf("error %v, want %v", err, want)
	}
}

func equal[T comparable](e *env, what string, got, want T) {
	e.Helper()
	if got != want {
		e.Fatalf("%s: %v, want %v", what, got, want)
	}
}

func equalList[T comparable](e *env, what string, got, want []T) {
	e.Helper()
	if !slices.Equal(got, want) {
		e.Fatalf("%s: %v, want %v", what, got, want)
	}
}

// signal is a Notify that can be waited for.
type signal struct {
	e     *env
	calls chan struct{}
}

func (e *env) signal() *signal { return &signal{e: e, calls: make(chan struct{}, 16)} }

func (s *signal) notify() { s.calls <- struct{}{} }

func (s *signal) await(what string) {
	s.e.Helper()
	select {
	case <-s.calls:
	case <-time.After(patience):
		s.e.Fatalf("not notified: %s", what)
	}
}

// silent checks that nothing came, after everything that could cause it has passed the same client.
func (s *signal) silent(what string) {
	s.e.Helper()
	select {
	case <-s.calls:
		s.e.Fatalf("notified: %s", what)
	default:
	}
}

// states records what a client publishes.
func (e *env) states(c *zkmeta.Client) chan zkmeta.SessionState {
	states := make(chan zkmeta.SessionState, 64)
	e.Cleanup(c.Subscribe(func(s zkmeta.SessionState) { states <- s }))
	return states
}

func (e *env) awaitState(states chan zkmeta.SessionState, want zkmeta.SessionState) {
	e.Helper()
	select {
	case got := <-states:
		equal(e, "session state", got, want)
	case <-time.After(patience):
		e.Fatalf("the session does not become %v", want)
	}
}

// topic is an assignment of n partitions to brokers 1, 2 and 3.
func topic(name string, n int32) zkmeta.TopicAssignment {
	a := zkmeta.TopicAssignment{Topic: name, Partitions: make(map[int32][]int32, n)}
	rand.Read(a.ID[:])
	for p := range n {
		a.Partitions[p] = []int32{1, 2, 3}
	}
	return a
}

// firstStates are the states of a new topic.
func firstStates(a zkmeta.TopicAssignment, l zkmeta.Lease) map[zkmeta.TopicPartition]zkmeta.PartitionState {
	states := make(map[zkmeta.TopicPartition]zkmeta.PartitionState)
	for p, replicas := range a.Partitions {
		states[zkmeta.TopicPartition{Topic: a.Topic, Partition: p}] = zkmeta.PartitionState{
			Leader: replicas[0], ISR: replicas, ControllerEpoch: l.Epoch,
		}
	}
	return states
}

// withTopic creates a topic and its partitions.
func (e *env) withTopic(c *zkmeta.Client, l zkmeta.Lease, name string, n int32) zkmeta.TopicAssignment {
	e.Helper()
	a := topic(name, n)
	e.must(c.CreateTopic(e.ctx, &l, a, nil))
	outcomes, err := c.CreatePartitionStates(e.ctx, l, firstStates(a, l))
	e.must(err)
	for tp, o := range outcomes {
		if o.Err != nil {
			e.Fatalf("%v: %v", tp, o.Err)
		}
	}
	return a
}
