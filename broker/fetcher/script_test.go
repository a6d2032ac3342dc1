package fetcher

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
)

// scripted is a leader, broker 1, that answers as a test says. A nil answer closes the connection.
type scripted struct {
	t      *testing.T
	answer func(n int, q *kmsg.FetchRequest) *kmsg.FetchResponse // to the nth fetch of its kind
	list   func(q *kmsg.ListOffsetsRequest) *kmsg.ListOffsetsResponse

	mu       sync.Mutex
	fetches  []*kmsg.FetchRequest // over the session
	aside    []*kmsg.FetchRequest // without one
	clientID string
}

// followAs follows with settings: keys, each with its value after it.
func (s *scripted) followAs(t *testing.T, settings []string, topics ...string) *broker {
	n := &network{}
	l, port := n.listen(t)
	s.t = t
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	b := newBroker(t, n, 2, settings...)
	b.metadata.Apply(metadata.Update{Brokers: []metadata.Broker{
		{ID: 1, Endpoints: []metadata.Endpoint{{Listener: "PLAINTEXT", Host: "h", Port: port}}}, {ID: 2},
	}})
	b.follow(1, topics...)
	return b
}

// follow makes the broker a follower of broker 1 in an epoch.
func (b *broker) follow(epoch int32, topics ...string) {
	var states []replica.State
	for _, name := range topics {
		states = append(states, replica.State{
			Topic: name, TopicID: topicID(name), ControllerEpoch: 1, Leader: 1, LeaderEpoch: epoch, PartitionEpoch: epoch,
			ISR: []int32{1, 2}, Replicas: []int32{1, 2}, IsNew: true,
		})
	}
	for _, err := range b.replicas.Apply(context.Background(), 1, 1, states) {
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

func (s *scripted) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, frame); err != nil {
			return
		}
		idSize := int(binary.BigEndian.Uint16(frame[8:]))
		q := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(frame)))
		q.SetVersion(int16(binary.BigEndian.Uint16(frame[2:])))
		if err := q.ReadFrom(frame[10+idSize+1:]); err != nil {
			s.t.Errorf("request does not decode: %v", err)
			return
		}
		r := s.handle(q, string(frame[10:10+idSize]))
		if r == nil {
			return
		}
		r.SetVersion(q.GetVersion())
		out := append([]byte{0, 0, 0, 0}, frame[4:8]...)
		out = r.AppendTo(append(out, 0))
		binary.BigEndian.PutUint32(out, uint32(len(out)-4))
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

func (s *scripted) handle(q kmsg.Request, clientID string) kmsg.Response {
	if q, ok := q.(*kmsg.ListOffsetsRequest); ok {
		return s.list(q)
	}
	fetch := q.(*kmsg.FetchRequest)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clientID = clientID
	kind := &s.fetches
	if fetch.SessionEpoch == -1 {
		kind = &s.aside
	}
	*kind = append(*kind, fetch)
	r := s.answer(len(*kind)-1, fetch)
	if r == nil {
		return nil
	}
	if count := countPartitions(r); count == 0 && r.ErrorCode == protocol.None {
		s.mu.Unlock()
		time.Sleep(time.Duration(fetch.MaxWaitMillis) * time.Millisecond)
		s.mu.Lock()
	}
	return r
}

func (s *scripted) requests() []*kmsg.FetchRequest {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*kmsg.FetchRequest(nil), s.fetches...)
}

// inSession is an answer in a session that has no news.
func inSession(id int32) *kmsg.FetchResponse {
	r := kmsg.NewPtrFetchResponse()
	r.SessionID = id
	return r
}

// full answers for everything that a fetch names.
func full(id int32, q *kmsg.FetchRequest, partition func(topic [16]byte, p *kmsg.FetchResponseTopicPartition)) *kmsg.FetchResponse {
	r := inSession(id)
	for _, t := range q.Topics {
		rt := kmsg.NewFetchResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewFetchResponseTopicPartition()
			rp.Partition = p.Partition
			partition(t.TopicID, &rp)
			rt.Partitions = append(rt.Partitions, rp)
		}
		r.Topics = append(r.Topics, rt)
	}
	return r
}

func nothing([16]byte, *kmsg.FetchResponseTopicPartition) {}

// batchAt is a batch of one record as a leader stores it.
func batchAt(t *testing.T, offset int64, epoch int32, value string) []byte {
	t.Helper()
	n := record.NewBuilder(record.BatchOptions{})
	n.Append(1, []byte("k"), []byte(value))
	b, err := n.Build()
	if err != nil {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint64(b, uint64(offset)) // neither is under the checksum
	binary.BigEndian.PutUint32(b[12:], uint32(epoch))
	return b
}

func named(q *kmsg.FetchRequest) (names []string) {
	for _, t := range q.Topics {
		names = append(names, string(t.TopicID[6:len("id of x")]))
	}
	return names
}

// The first fetch names all, as a follower of Kafka 3.9 does; the next only what changed.
func TestFetchesAsKafkaSendsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(scripted)
		s.answer = func(n int, q *kmsg.FetchRequest) *kmsg.FetchResponse {
			if n > 0 {
				return inSession(7)
			}
			return full(7, q, func(topic [16]byte, p *kmsg.FetchResponseTopicPartition) {
				if topic == topicID("a") {
					p.RecordBatches, p.HighWatermark = batchAt(t, 0, 1, "x"), 1
				}
			})
		}
		b := s.follow(t, "a", "b")
		time.Sleep(600 * time.Millisecond)
		all := s.requests()
		q := all[0]
		switch {
		case q.Version != 17, q.ReplicaID != -1, q.ReplicaState.ID != 2, q.ReplicaState.Epoch != 1002,
			q.MaxWaitMillis != 500, q.MinBytes != 1, q.MaxBytes != 10<<20, q.IsolationLevel != 0,
			q.SessionID != 0, q.SessionEpoch != 0, q.ClusterID != nil, q.Rack != "", s.clientID != "broker-2-fetcher-0":
			t.Errorf("client %q sent %+v", s.clientID, q)
		case len(q.Topics) != 2 || len(q.Topics[0].Partitions) != 1:
			t.Errorf("fetch names %+v", q.Topics)
		default:
			p := q.Topics[0].Partitions[0]
			if p.FetchOffset != 0 || p.CurrentLeaderEpoch != 1 || p.LastFetchedEpoch != -1 || p.LogStartOffset != 0 || p.PartitionMaxBytes != 1<<20 {
				t.Errorf("partition %+v", p)
			}
		}
		q = all[1]
		if q.SessionID != 7 || q.SessionEpoch != 1 || len(q.Topics) != 1 || q.Topics[0].TopicID != topicID("a") {
			t.Fatalf("after records of one partition: %+v", q)
		}
		if p := q.Topics[0].Partitions[0]; p.FetchOffset != 1 || p.LastFetchedEpoch != 1 {
			t.Errorf("partition %+v", p)
		}
		if q = all[2]; q.SessionEpoch != 2 || len(q.Topics) != 0 || len(q.ForgottenTopics) != 0 {
			t.Errorf("an idle fetch: %+v", q)
		}
		if got := b.partition("a", 0).HighWatermark(); got != 1 {
			t.Errorf("high watermark %d", got)
		}
	})
}

func TestSessionsThatTheLeaderLoses(t *testing.T) {
	for _, test := range []struct {
		name  string
		lose  func() *kmsg.FetchResponse
		id    int32         // in the fetch after
		after time.Duration // how much later at most
	}{
		{"not found", func() *kmsg.FetchResponse { r := inSession(0); r.ErrorCode = protocol.FetchSessionIDNotFound; return r }, 0, 0},
		{"other epoch", func() *kmsg.FetchResponse {
			r := inSession(0)
			r.ErrorCode = protocol.InvalidFetchSessionEpoch
			return r
		}, 7, 0},
		{"ended", func() *kmsg.FetchResponse { return inSession(0) }, 0, 500 * time.Millisecond},
		{"connection lost", func() *kmsg.FetchResponse { return nil }, 7, firstBackoff},
		{"refused", func() *kmsg.FetchResponse { r := inSession(0); r.ErrorCode = protocol.UnknownServerError; return r }, 7, firstBackoff},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(scripted)
				var lost, again time.Time
				s.answer = func(n int, q *kmsg.FetchRequest) *kmsg.FetchResponse {
					switch n {
					case 0:
						return full(7, q, nothing)
					case 1:
						lost = time.Now()
						return test.lose()
					case 2:
						again = time.Now()
						return full(8, q, nothing)
					default:
						return inSession(8)
					}
				}
				s.follow(t, "a", "b")
				time.Sleep(2 * time.Second)
				all := s.requests()
				if q := all[2]; q.SessionID != test.id || q.SessionEpoch != 0 || len(q.Topics) != 2 {
					t.Errorf("the next fetch: %+v", q)
				}
				if took := again.Sub(lost); took > test.after {
					t.Errorf("%v later", took)
				}
				if q := all[3]; q.SessionID != 8 || q.SessionEpoch != 1 || len(q.Topics) != 0 {
					t.Errorf("the fetch after: %+v", q)
				}
			})
		})
	}
}

// A leader without room for sessions is asked for everything each time, and who comes first changes.
func TestFetchesWithoutSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(scripted)
		s.answer = func(_ int, q *kmsg.FetchRequest) *kmsg.FetchResponse {
			s.mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			s.mu.Lock()
			return full(0, q, nothing)
		}
		s.follow(t, "a", "b", "c")
		time.Sleep(450 * time.Millisecond)
		first := map[string]bool{}
		for _, q := range s.requests() {
			if q.SessionID != 0 || q.SessionEpoch != 0 || len(q.Topics) != 3 {
				t.Errorf("%+v", q)
			}
			first[named(q)[0]] = true
		}
		if len(first) != 3 {
			t.Errorf("first were %v", first)
		}
	})
}

// A partition that the leader refuses leaves the session and is asked for again later and later; the other is not held up.
func TestRefusedPartitionBacksOffAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(scripted)
		var asked []time.Time
		count := 0
		s.answer = func(n int, q *kmsg.FetchRequest) *kmsg.FetchResponse {
			return full(max(q.SessionID, int32(7)*(1+q.SessionEpoch>>31)), q, func(topic [16]byte, p *kmsg.FetchResponseTopicPartition) {
				if topic == topicID("a") {
					asked = append(asked, time.Now())
					p.ErrorCode = protocol.UnknownTopicID
				} else if q.SessionEpoch != -1 && count < 100 {
					p.RecordBatches, p.HighWatermark = batchAt(t, int64(count), 1, "x"), int64(count)
					count++
				}
			})
		}
		b := s.follow(t, "a", "b")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if values, _ := b.log("b", 0); len(values) != 100 {
			t.Errorf("%d records of the other", len(values))
		}
		if len(asked) < 12 || len(asked) > 20 {
			t.Fatalf("asked %d times: %v", len(asked), asked)
		}
		for i := 1; i < len(asked); i++ {
			// A fetch that is under way may come between.
			if pause := asked[i].Sub(asked[i-1]); pause < min(firstBackoff<<(i-1), time.Second) || pause > 1200*time.Millisecond {
				t.Errorf("pause %d is %v", i, pause)
			}
		}
		forgotten := false
		for _, q := range s.requests() {
			forgotten = forgotten || len(q.ForgottenTopics) == 1 && q.ForgottenTopics[0].TopicID == topicID("a")
		}
		if !forgotten {
			t.Error("the refused partition stayed in the session")
		}
	})
}

// Records that are broken on their way are fetched again.
func TestCorruptRecordsAreFetchedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(scripted)
		s.answer = func(n int, q *kmsg.FetchRequest) *kmsg.FetchResponse {
			return full(0, q, func(_ [16]byte, p *kmsg.FetchResponseTopicPartition) {
				if q.Topics[0].Partitions[0].FetchOffset > 0 {
					return
				}
				p.RecordBatches = batchAt(t, 0, 1, "value")
				if n == 0 {
					p.RecordBatches[len(p.RecordBatches)-2] ^= 1
				}
			})
		}
		s.answer = slow(s, s.answer)
		b := s.follow(t, "a")
		time.Sleep(time.Second)
		if values, _ := b.log("a", 0); len(values) != 1 || values[0] != "value" {
			t.Errorf("log is %q", values)
		}
	})
}

// slow has answers take ten milliseconds.
func slow(s *scripted, answer func(int, *kmsg.FetchRequest) *kmsg.FetchResponse) func(int, *kmsg.FetchRequest) *kmsg.FetchResponse {
	return func(n int, q *kmsg.FetchRequest) *kmsg.FetchResponse {
		s.mu.Unlock()
		defer s.mu.Lock()
		time.Sleep(10 * time.Millisecond)
		return answer(n, q)
	}
}

// What is neither the leader's nor the network's fault ends the following of that partition, until it is told anew.
func TestBrokenPartitionIsFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(scripted)
		s.answer = slow(s, func(n int, q *kmsg.FetchRequest) *kmsg.FetchResponse {
			return full(0, q, func(topic [16]byte, p *kmsg.FetchResponseTopicPartition) {
				if topic == topicID("a") {
					p.RecordBatches = batchAt(t, 77, 1, "from elsewhere")
				}
			})
		})
		b := s.follow(t, "a", "b")
		time.Sleep(time.Second)
		if failed := b.metric("kbroker_replication_failed_partitions"); failed != 1 {
			t.Errorf("%v partitions failed", failed)
		}
		all := s.requests()
		if last := all[len(all)-1]; len(last.Topics) != 1 || last.Topics[0].TopicID != topicID("b") {
			t.Errorf("still asks for %+v", last.Topics)
		}
		b.follow(2, "a")
		if failed := b.metric("kbroker_replication_failed_partitions"); failed != 0 {
			t.Errorf("%v partitions failed", failed)
		}
	})
}

// Out of range: the end of the leader's log is asked for, and then its start, both in the follower's name.
func TestOutOfRangeAsksForOffsets(t *testing.T) {
	for _, test := range []struct {
		name       string
		start, end int64 // of the leader's log, where the follower has three records
		want       int64 // where the follower goes on
	}{
		{"ends below the leader's start", 40, 90, 40},
		{"is longer than the leader", 0, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var timestamps []int64
				s := new(scripted)
				s.list = func(q *kmsg.ListOffsetsRequest) *kmsg.ListOffsetsResponse {
					p := q.Topics[0].Partitions[0]
					timestamps = append(timestamps, p.Timestamp)
					if q.Version != 9 || q.ReplicaID != 2 || q.IsolationLevel != 0 || p.CurrentLeaderEpoch != 1 || q.Topics[0].Topic != "a" {
						t.Errorf("%+v", q)
					}
					r := kmsg.NewPtrListOffsetsResponse()
					rt := kmsg.NewListOffsetsResponseTopic()
					rp := kmsg.NewListOffsetsResponseTopicPartition()
					rt.Topic, rp.Offset = "a", map[int64]int64{-1: test.end, -2: test.start}[p.Timestamp]
					rt.Partitions = append(rt.Partitions, rp)
					r.Topics = append(r.Topics, rt)
					return r
				}
				s.answer = slow(s, func(n int, q *kmsg.FetchRequest) *kmsg.FetchResponse {
					return full(0, q, func(_ [16]byte, p *kmsg.FetchResponseTopicPartition) {
						switch offset := q.Topics[0].Partitions[0].FetchOffset; {
						case n < 3:
							p.RecordBatches = batchAt(t, offset, 1, "x")
						case offset == 3:
							p.ErrorCode = protocol.OffsetOutOfRange
						}
					})
				})
				b := s.follow(t, "a")
				time.Sleep(time.Second)
				synctest.Wait()
				if len(timestamps) != 2 || timestamps[0] != -1 || timestamps[1] != -2 {
					t.Errorf("asked for %v", timestamps)
				}
				if got := b.partition("a", 0); got.LogStartOffset() != min(test.start, test.want) {
					t.Errorf("starts at %d", got.LogStartOffset())
				}
				if position, err := b.partition("a", 0).Position(1); err != nil || position.Offset != test.want {
					t.Errorf("goes on at %+v: %v", position, err)
				}
			})
		})
	}
}

// The main lane takes over a partition that the side lane's fetch, which is under way, asks for too. What comes second
// is not done again.
func TestBothLanesAskForAPartition(t *testing.T) {
	for _, test := range []struct {
		name   string
		second func(p *kmsg.FetchResponseTopicPartition) // what the side lane's answer says of it
		taken  bool                                      // the main lane's answer had the record
	}{
		{"the same records twice", func(p *kmsg.FetchResponseTopicPartition) { p.RecordBatches = batchAt(t, 0, 2, "x") }, true},
		{"an error of an offset that is past", func(p *kmsg.FetchResponseTopicPartition) { p.ErrorCode = protocol.OffsetOutOfRange }, true},
		{"an error, after which it is back soon", func(p *kmsg.FetchResponseTopicPartition) { p.ErrorCode = protocol.UnknownLeaderEpoch }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(scripted)
				s.answer = func(n int, q *kmsg.FetchRequest) *kmsg.FetchResponse {
					switch {
					case q.SessionEpoch == -1 && n == 0:
						s.mu.Unlock()
						time.Sleep(500 * time.Millisecond) // until the main lane has taken it
						s.mu.Lock()
						return full(0, q, func(_ [16]byte, p *kmsg.FetchResponseTopicPartition) { test.second(p) })
					case q.SessionEpoch == -1:
						return inSession(0)
					case n == 0:
						return full(7, q, nothing)
					case len(q.Topics) > 0 && q.Topics[0].Partitions[0].FetchOffset == 0 && test.taken:
						return full(7, q, func(_ [16]byte, p *kmsg.FetchResponseTopicPartition) {
							p.RecordBatches = batchAt(t, 0, 2, "x")
						})
					}
					return inSession(7)
				}
				b := s.follow(t, "a")
				time.Sleep(200 * time.Millisecond)
				b.follow(2, "b")
				time.Sleep(2 * time.Second)
				if failed := b.metric("kbroker_replication_failed_partitions"); failed != 0 {
					t.Errorf("%v partitions failed", failed)
				}
				for _, q := range s.requests() {
					if len(q.ForgottenTopics) > 0 {
						t.Errorf("forgotten: %+v", q.ForgottenTopics)
					}
				}
				if values, _ := b.log("b", 0); test.taken && len(values) != 1 {
					t.Errorf("log is %q", values)
				}
			})
		})
	}
}

// A partition that is unfollowed is forgotten by the session, and not when it is followed again at once.
func TestUnfollowForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(scripted)
		s.answer = func(n int, q *kmsg.FetchRequest) *kmsg.FetchResponse {
			if q.SessionEpoch == 0 {
				return full(7, q, nothing)
			}
			return inSession(7 * min(1, 1+q.SessionEpoch))
		}
		b := s.follow(t, "a", "b")
		time.Sleep(10 * time.Millisecond)
		p := b.partition("a", 0)
		b.fetchers.Unfollow([]*replica.Partition{p})
		b.follow(2, "a")
		time.Sleep(600 * time.Millisecond)
		if q := s.requests()[2]; len(q.ForgottenTopics) != 0 || len(q.Topics) != 1 || q.Topics[0].Partitions[0].CurrentLeaderEpoch != 2 {
			t.Errorf("followed again: %+v", q)
		}
		b.fetchers.Unfollow([]*replica.Partition{p})
		time.Sleep(500 * time.Millisecond)
		if q := s.requests()[3]; len(q.ForgottenTopics) != 1 || q.ForgottenTopics[0].TopicID != topicID("a") || len(q.Topics) != 0 {
			t.Errorf("unfollowed: %+v", q)
		}
	})
}

// A leader that is out of reach is tried again later and later, and at once when the follower is told of it.
func TestLeaderOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{answer: func(int, *kmsg.FetchRequest) *kmsg.FetchResponse { return inSession(1) }}
		b := s.follow(t, "a")
		var dials []time.Time
		b.fetchers.Unfollow([]*replica.Partition{b.partition("a", 0)})
		synctest.Wait()
		b.fetchers.options.Dial = func(context.Context, string) (net.Conn, error) {
			dials = append(dials, time.Now())
			return nil, errors.New("connection refused")
		}
		b.follow(2, "a")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(dials) < 9 || len(dials) > 11 {
			t.Fatalf("dialled %d times in five seconds", len(dials))
		}
		if pause := dials[len(dials)-1].Sub(dials[len(dials)-2]); pause != time.Second {
			t.Errorf("the last pause is %v", pause)
		}
		before := len(dials)
		b.follow(3, "a")
		synctest.Wait()
		if len(dials) != before+1 {
			t.Errorf("dialled %d times when told", len(dials)-before)
		}
	})
}

// The ids were computed apart, from Java's definition of String.hashCode.
func TestFetcherIDsAreKafkas(t *testing.T) {
	for _, test := range []struct {
		topic                  string
		partition, count, want int32
	}{
		{"topic", 0, 7, 6},
		{"topic", 1, 7, 5},
		{"__consumer_offsets", 49, 5, 3},
		{"zzzzzzzzzzzzzzzz", 3, 11, 0},
		{"", 0, 3, 0},
		{"", math.MinInt32, 3, 0}, // has no absolute value
	} {
		if got := fetcherID(test.topic, test.partition, test.count); got != test.want {
			t.Errorf("%s-%d of %d goes to %d, want %d", test.topic, test.partition, test.count, got, test.want)
		}
	}
}
