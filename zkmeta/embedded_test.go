package zkmeta

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kbroker/kbroker/zkmeta/zkserver"
	"github.com/kbroker/kbroker/zkmeta/zkserver/zktest"
)

// wire is a network in memory with a server on it.
type wire struct {
	*zktest.Network
	server *zkserver.Server
	down   atomic.Bool // nobody can connect
	mute   atomic.Bool // what clients send is lost
}

func (w *wire) Dial(network, address string, timeout time.Duration) (net.Conn, error) {
	if w.down.Load() {
		return nil, errors.New("the network is down")
	}
	conn, err := w.Network.Dial(network, address, timeout)
	return muteConn{conn, w}, err
}

type muteConn struct {
	net.Conn
	wire *wire
}

func (c muteConn) Write(p []byte) (int, error) {
	if c.wire.mute.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// inMemory runs f with a server in memory, where time passes when nothing else does.
func inMemory(t *testing.T, f func(t *testing.T, w *wire, connect func() *Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{Network: zktest.NewNetwork()}
		server, err := zkserver.New(zkserver.Options{Listener: w.Network})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		w.server = server
		var clients []*Client
		defer func() {
			for _, c := range clients {
				c.Close()
			}
		}()
		f(t, w, func() *Client {
			t.Helper()
			c, err := Connect(t.Context(), Options{Connect: "memory:1/kafka", Dial: w.Dial})
			if err == nil {
				err = c.EnsureRoots(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			clients = append(clients, c)
			return c
		})
	})
}

// TestOldConfigChangesArePurged: and who was away longer than they live is told to read everything.
func TestOldConfigChangesArePurged(t *testing.T) {
	inMemory(t, func(t *testing.T, _ *wire, connect func() *Client) {
		ctx := t.Context()
		writer, watcher, late := connect(), connect(), connect()
		var mu sync.Mutex
		told := make(map[*Client][]string)
		take := func(c *Client) []string {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			names := told[c]
			told[c] = nil
			return names
		}
		watch := func(c *Client) *configWatch {
			return &configWatch{client: c, last: -1, seen: map[string]int64{}, dirty: make(chan struct{}, 1), f: func(e Entity) {
				mu.Lock()
				defer mu.Unlock()
				told[c] = append(told[c], e.Name)
			}}
		}
		set := func(name string) {
			if err := writer.SetConfig(ctx, Entity{"topics", name}, nil); err != nil {
				t.Fatal(err)
			}
		}
		set("a")
		if err := watcher.WatchConfigs(ctx, watch(watcher).f); err != nil {
			t.Fatal(err)
		}
		away := watch(late)
		if err := away.scan(ctx, true); err != nil {
			t.Fatal(err)
		}
		set("b")
		time.Sleep(configChangeLife - time.Minute)
		set("c")
		if got := take(watcher); !slices.Equal(got, []string{"b", "c"}) {
			t.Fatalf("told of %q", got)
		}
		time.Sleep(2 * time.Minute)
		set("d")
		if got := take(watcher); !slices.Equal(got, []string{"d"}) {
			t.Fatalf("told of %q", got)
		}
		s, err := writer.bind()
		if err != nil {
			t.Fatal(err)
		}
		left, err := s.children(ctx, configChangesPath, nil)
		if err != nil || len(left) != 2 { // c and d
			t.Fatalf("%q are left, %v", left, err)
		}
		if err := away.scan(ctx, false); err != nil {
			t.Fatal(err)
		}
		if got := take(late); !slices.Equal(got, []string{"", "c", "d"}) {
			t.Fatalf("who was away is told of %q", got)
		}
	})
}

// TestARegistrationOutlivingItsSessionIsReplaced: ZOOKEEPER-2985, where the server keeps an ephemeral znode of the
// session that expired.
func TestARegistrationOutlivingItsSessionIsReplaced(t *testing.T) {
	inMemory(t, func(t *testing.T, _ *wire, connect func() *Client) {
		ctx := t.Context()
		before, now := connect(), connect()
		old, err := before.RegisterBroker(ctx, Broker{ID: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := now.RegisterBroker(ctx, Broker{ID: 1}); !errors.Is(err, ErrBrokerIDTaken) {
			t.Fatalf("error %v", err)
		}
		// As if the other had been our own session, before it expired.
		session, _ := before.Session()
		now.registered = session
		epoch, err := now.RegisterBroker(ctx, Broker{ID: 1})
		if err != nil || epoch <= old {
			t.Fatalf("epoch %d after %d, %v", epoch, old, err)
		}
	})
}

// TestALongOutageEndsTheSession: the network is away for longer than the session lives; the client learns of it when it
// is back.
func TestALongOutageEndsTheSession(t *testing.T) {
	inMemory(t, func(t *testing.T, w *wire, connect func() *Client) {
		c := connect()
		var mu sync.Mutex
		var states []SessionState
		defer c.Subscribe(func(s SessionState) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, s)
		})()
		old, _ := c.Session()
		w.down.Store(true)
		w.server.DropConnections()
		ended := make(chan error, 1)
		go func() {
			_, err := c.Topics(t.Context(), nil)
			ended <- err
		}()
		time.Sleep(2 * time.Minute)
		if _, state := c.Session(); state != Disconnected {
			t.Errorf("the session is %v before ZooKeeper says so", state)
		}
		w.down.Store(false)
		if err := <-ended; !errors.Is(err, ErrSessionExpired) {
			t.Errorf("a call made before the expiry was known: %v", err)
		}
		if _, err := c.Topics(t.Context(), nil); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if want := []SessionState{Disconnected, Expired, Connected}; !slices.Equal(states, want) {
			t.Errorf("states %v, want %v", states, want)
		}
		if id, state := c.Session(); id == old || state != Connected {
			t.Errorf("session %#x is %v, after %#x", id, state, old)
		}
	})
}

// TestNoRequestOfAnExpiredSessionReachesTheNext: an ephemeral znode asked for by the old session must not appear in the
// new one, whose owner knows nothing of it.
func TestNoRequestOfAnExpiredSessionReachesTheNext(t *testing.T) {
	inMemory(t, func(t *testing.T, w *wire, connect func() *Client) {
		c := connect()
		id, _ := c.Session()
		w.mute.Store(true)
		var calls sync.WaitGroup
		for i := range 60 { // more than the library and we let wait
			calls.Go(func() {
				_, err := c.RegisterBroker(t.Context(), Broker{ID: int32(i)})
				if !errors.Is(err, ErrSessionExpired) {
					t.Errorf("broker %d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		w.mute.Store(false)
		w.server.ExpireSession(id)
		calls.Wait()
		time.Sleep(time.Minute)
		brokers, err := c.Brokers(t.Context(), nil)
		if err != nil || len(brokers) > 0 {
			t.Errorf("%d brokers are registered, %v", len(brokers), err)
		}
	})
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		address := listen(b)
		b.StartTimer()
		c, err := Connect(b.Context(), Options{Connect: address})
		if err == nil {
			err = c.EnsureRoots(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		c.Close()
		b.StartTimer()
	}
}

// BenchmarkPartitionStates creates, updates and reads 10,000 states; the figure is for all three.
func BenchmarkPartitionStates(b *testing.B) {
	c, err := Connect(b.Context(), Options{Connect: listen(b)})
	if err == nil {
		err = c.EnsureRoots(b.Context())
	}
	var l Lease
	if err == nil {
		l, err = c.Elect(b.Context(), 1)
	}
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for i := 0; b.Loop(); i++ {
		a := TopicAssignment{Topic: fmt.Sprint("t", i), Partitions: map[int32][]int32{}}
		states := map[TopicPartition]PartitionState{}
		var tps []TopicPartition
		for p := range int32(10000) {
			tps = append(tps, TopicPartition{a.Topic, p})
			states[tps[p]] = PartitionState{Leader: 1, ISR: []int32{1, 2, 3}, ControllerEpoch: 1}
		}
		if err := c.CreateTopic(b.Context(), &l, a, nil); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if _, err := c.CreatePartitionStates(b.Context(), l, states); err != nil {
			b.Fatal(err)
		}
		created := time.Now()
		if _, err := c.UpdatePartitionStates(b.Context(), l, states); err != nil {
			b.Fatal(err)
		}
		updated := time.Now()
		if _, err := c.PartitionStates(b.Context(), tps, nil); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(created.Sub(start).Milliseconds()), "ms/create")
		b.ReportMetric(float64(updated.Sub(created).Milliseconds()), "ms/update")
		b.ReportMetric(float64(time.Since(updated).Milliseconds()), "ms/read")
	}
}

func listen(b *testing.B) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server, err := zkserver.New(zkserver.Options{Listener: listener})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Close() })
	return listener.Addr().String()
}
