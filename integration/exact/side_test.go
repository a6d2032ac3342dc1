package exact

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/api"
	"github.com/kbroker/kbroker/integration/harness"
	"github.com/kbroker/kbroker/protocol"
)

// side is a broker that is asked.
type side struct {
	address   string
	dir       string
	zookeeper string
	conn      net.Conn
	ids       map[string][16]byte // topic ids by name
	session   int32               // of the last Fetch
	ghost     *zk.Conn            // holds the registration of a broker that is not there

	member     string // the last that joined a group, and its generation
	generation int32
	members    map[string]string     // names by the ids that the broker gave
	joins      map[string]membership // of classic groups, by names of the test
	producer   [2]int64              // id and epoch of the last InitProducerId
	seats      map[string]*side      // connections of requests that wait
	consumers  map[string]consumer   // members of the new protocol, by names of the test
	speaks     string                // the one that sent the last heartbeat
	begins     map[string]int32      // of groups of the new protocol: their first epoch
	sizes      map[string]int        // of groups: members that were ever given an id
}

func newSide(t *testing.T, address string) *side {
	s := &side{address: address, ids: map[string][16]byte{}, members: map[string]string{}, sizes: map[string]int{}, consumers: map[string]consumer{}, begins: map[string]int32{}, joins: map[string]membership{}, seats: map[string]*side{}}
	t.Cleanup(func() {
		for _, connected := range s.seats {
			if connected.conn != nil {
				connected.conn.Close()
			}
		}
		if s.conn != nil {
			s.conn.Close()
		}
		if s.ghost != nil {
			s.ghost.Close()
		}
	})
	return s
}

// answer asks one version and returns the answer as lines. A connection that the broker closes is an answer.
func (s *side) answer(t *testing.T, q question, version int16) (called string, lines []string) {
	t.Helper()
	request := q.ask(s)
	request.SetVersion(version)
	called = nameOf(request.Key())
	if p, is := request.(posted); is {
		if err := s.posts(p).send(p.Request); err != nil {
			t.Fatalf("%s v%d of %s: %v", q.name, version, s.address, err)
		}
		return called, []string{"it waits"}
	}
	var response kmsg.Response
	var err error
	if p, is := request.(collected); is {
		request = p.Request
		response, err = s.posts(posted(p)).receive(request)
	} else {
		response, err = s.ask(request)
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return called, []string{"the connection is closed"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return called, []string{"no answer comes"}
	case errors.Is(err, errUnread):
		return called, []string{err.Error()}
	case err != nil:
		t.Fatalf("%s v%d of %s: %v", q.name, version, s.address, err)
	}
	switch r := response.(type) {
	case *kmsg.FetchResponse:
		s.session = r.SessionID
	case *kmsg.CreateTopicsResponse, *kmsg.MetadataResponse:
		s.learn(t)
	case *kmsg.JoinGroupResponse:
		if q, is := request.(*kmsg.JoinGroupRequest); is {
			s.joined(q.Group, r)
		}
	case *kmsg.InitProducerIDResponse:
		s.producer = [2]int64{r.ProducerID, int64(r.ProducerEpoch)}
	case *kmsg.ConsumerGroupHeartbeatResponse:
		if q, is := request.(*kmsg.ConsumerGroupHeartbeatRequest); is {
			s.beaten(q.Group, r)
			s.sinceBegin(q.Group, &r.MemberEpoch)
		}
	case *kmsg.ConsumerGroupDescribeResponse:
		for i := range r.Groups {
			g := &r.Groups[i]
			s.sinceBegin(g.Group, &g.Epoch, &g.AssignmentEpoch)
			for j := range g.Members {
				s.sinceBegin(g.Group, &g.Members[j].MemberEpoch)
			}
		}
	case *kmsg.ApiVersionsResponse:
		s.comparable(r)
	}
	return called, s.lines(response)
}

// nameOf is what Kafka calls an API.
func nameOf(key int16) string {
	if api, known := protocol.Lookup(key); known {
		return api.Name
	}
	return fmt.Sprintf("key-%d", key)
}

// comparable leaves of the APIs those that kbroker has, without Kafka's KRaft.
func (s *side) comparable(r *kmsg.ApiVersionsResponse) {
	handled := api.Handled()
	r.ApiKeys = slices.DeleteFunc(r.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool {
		return !slices.Contains(handled, k.ApiKey) || slices.Contains(raftOnly, nameOf(k.ApiKey))
	})
}

// warm asks for a producer id until there is one: Kafka brings its first ids when asked for the first.
func (s *side) warm(t *testing.T) {
	t.Helper()
	harness.Eventually(t, 30*time.Second, func() error {
		r := kmsg.NewPtrInitProducerIDRequest()
		r.SetVersion(4)
		response, err := s.ask(r)
		if err == nil {
			if code := response.(*kmsg.InitProducerIDResponse).ErrorCode; code != 0 {
				err = fmt.Errorf("error %d", code)
			}
		}
		return err
	})
}

var errUnread = errors.New("no answer came")

// ask sends a request as it is and reads the answer.
func (s *side) ask(request kmsg.Request) (kmsg.Response, error) {
	if p, ok := request.(*kmsg.ProduceRequest); ok && p.Acks == 0 {
		// It has no answer, unless the broker closes the connection; the next one tells.
		if err := s.send(request); err != nil {
			return nil, err
		}
		request = kmsg.NewPtrApiVersionsRequest()
	}
	if err := s.send(request); err != nil {
		return nil, err
	}
	return s.receive(request)
}

// send writes a request; after an error the connection is gone.
func (s *side) send(request kmsg.Request) error {
	if s.conn == nil {
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			return err
		}
		s.conn = c
	}
	if err := s.conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return s.fail(err)
	}
	if _, err := s.conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("differ")).AppendRequest(nil, request, 7)); err != nil {
		return s.fail(io.EOF)
	}
	return nil
}

// fail ends the connection for a reason.
func (s *side) fail(err error) error {
	s.conn.Close()
	s.conn = nil
	return err
}

// receive reads the answer to a request.
func (s *side) receive(request kmsg.Request) (kmsg.Response, error) {
	if s.conn == nil {
		return nil, io.EOF
	}
	var size [4]byte
	if _, err := io.ReadFull(s.conn, size[:]); err != nil {
		if errors.Is(err, syscall.ECONNRESET) {
			err = io.EOF
		}
		return nil, s.fail(err)
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(s.conn, body); err != nil {
		return nil, s.fail(err)
	}
	body = body[4:] // the correlation id
	response := request.ResponseKind()
	if request.Key() == 18 {
		// The answer to an unknown version is one of version 0.
		if code := binary.BigEndian.Uint16(body); code == 35 {
			response.SetVersion(0)
		}
	} else if response.IsFlexible() {
		body = body[1:] // no tags in the header
	}
	if err := response.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("%w that can be read: %v", errUnread, err)
	}
	return response, nil
}

// posted is a request that is sent on a connection of its own, whose answer is not waited for: collected reads it.
type posted struct {
	kmsg.Request
	seat string
}

// collected is the answer to what was posted.
type collected posted

// posts is the other end of a seat's connection.
func (s *side) posts(p posted) *side {
	if s.seats[p.seat] == nil {
		s.seats[p.seat] = &side{address: s.address}
	}
	return s.seats[p.seat]
}

// learn reads the ids of all topics, and returns their names.
func (s *side) learn(t *testing.T) (names []string) {
	t.Helper()
	m := kmsg.NewPtrMetadataRequest()
	m.SetVersion(12)
	response, err := s.ask(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range response.(*kmsg.MetadataResponse).Topics {
		s.ids[*topic.Topic] = topic.TopicID
		names = append(names, *topic.Topic)
	}
	slices.Sort(names)
	return names
}

// disguised is a request that is sent as another: of another key, or with a body that is not quite what it would be.
type disguised struct {
	kmsg.Request
	key    *int16
	change func(body []byte) []byte
}

// Key is what the header says.
func (d disguised) Key() int16 {
	if d.key != nil {
		return *d.key
	}
	return d.Request.Key()
}

// AppendTo writes the body.
func (d disguised) AppendTo(to []byte) []byte {
	if d.change == nil {
		return d.Request.AppendTo(to)
	}
	return append(to, d.change(d.Request.AppendTo(nil))...)
}
