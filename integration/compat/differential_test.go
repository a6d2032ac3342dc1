//go:build compat

package compat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
)

// question is a request that both brokers are asked, in each of its versions.
type question struct {
	name     string
	from, to int16
	ask      func(s *side) kmsg.Request
}

// side is one of the two brokers that are compared.
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
	members    []string // all that were ever given an id
}

// chapters are the questions, in an order in which earlier ones prepare later ones.
var chapters = []struct {
	name      string
	questions func() []question
}{
	{"ApiVersions", askAPIVersions},
	{"CreateTopics", askCreateTopics},
	{"Metadata", askMetadata},
	{"CreatePartitions", askCreatePartitions},
	{"Reassignments", askReassignments},
	{"Elections", askElections},
	{"LogDirMoves", askLogDirMoves},
	{"Brokers", askBrokers},
	{"Features", askFeatures},
	{"DescribeConfigs", askDescribeConfigs},
	{"AlterConfigs", askAlterConfigs},
	{"InitProducerId", askInitProducerID},
	{"Produce", askProduce},
	{"ListOffsets", askListOffsets},
	{"Fetch", askFetch},
	{"Records", askRecords},
	{"Cluster", askCluster},
	{"FindCoordinator", askFindCoordinator},
	{"Memberships", askMemberships},
	{"StaticMembers", askStatics},
	{"Groups", askWrongGroups},
	{"NewGroupProtocol", askNewProtocol},
	{"DeleteTopics", askDeleteTopics},
}

// TestSameAnswers asks kbroker and Apache Kafka the same and compares the answers.
func TestSameAnswers(t *testing.T) {
	zookeeper := harness.StartZooKeeper(t)
	config := map[string]string{
		"auto.create.topics.enable": "false", "log.cleaner.enable": "false",
		"producer.id.expiration.ms": "86400000", "group.initial.rebalance.delay.ms": "0", "transaction.state.log.min.isr": "1",
	}
	b := harness.StartBroker(t, harness.Options{ZooKeeper: zookeeper.Address() + "/kbroker", Config: config})
	k := harness.NewKafka(t, peers, zookeeper.Address()+"/kafka", filepath.Join(t.TempDir(), "log"), 0, config)
	k.Launch(t)
	ours, theirs := newSide(t, b.Address()), newSide(t, k.Address())
	ours.dir, theirs.dir = b.Dir, k.Dir
	ours.zookeeper, theirs.zookeeper = zookeeper.Address()+"/kbroker", zookeeper.Address()+"/kafka"
	used := map[string]bool{}
	for _, s := range []*side{ours, theirs} {
		s.learn(t)
		s.warm(t)
	}
	for _, c := range chapters {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "FindCoordinator" {
				ours.warmGroups(t)
				theirs.warmGroups(t)
			}
			for _, q := range c.questions() {
				compareAnswers(t, q, ours, theirs, used)
			}
			// A topic that timed out is created all the same, on each side in its own time.
			harness.Eventually(t, 10*time.Second, func() error {
				if a, b := ours.learn(t), theirs.learn(t); !slices.Equal(a, b) {
					return fmt.Errorf("kbroker has the topics %q, Kafka %q", a, b)
				}
				return nil
			})
		})
	}
	for place := range knownDifferences {
		if !used[place] {
			t.Errorf("no answer differs at %s any more: take it out of knownDifferences", place)
		}
	}
}

// knownDifferences are lines of answers that differ, by question and field, with the reason.
// docs/compatibility.md tells them.
var knownDifferences = map[string]string{
	"CreateTopics, bad assignments @.ErrorMessage":                   "the text prints a Scala collection",
	"CreateTopics, impossible assignments @":                         "Kafka creates partitions without a replica, or on broker -1",
	"Metadata by no id @.ErrorCode":                                  "Kafka meets a null pointer",
	"DescribeConfigs of a topic @.IsDefault":                         "Kafka 3.9 answers version 0 without it",
	"DescribeConfigs of the broker @.IsDefault":                      "the same",
	"DescribeConfigs, @.IsDefault":                                   "the same",
	"DescribeConfigs of an unknown type @.ErrorMessage":              "Kafka tells only its log",
	"DescribeConfigs of client metrics @.ErrorMessage":               "the same",
	"DescribeConfigs of a group @":                                   "Kafka has no settings of groups with ZooKeeper",
	"IncrementalAlterConfigs of others @[g].ErrorCode":               "the same",
	"IncrementalAlterConfigs of others @[g].ErrorMessage":            "the same",
	"DescribeConfigs @[group.coordinator.rebalance.protocols].Value": "Kafka has only the classic protocol with ZooKeeper",
	"OffsetCommit of an unknown group with a generation @.ErrorCode": "version 9 is told GROUP_ID_NOT_FOUND, as by Kafka 4.x",
	"AlterConfigs, resources twice @":                                "Kafka's request thread fails and never answers",
	"IncrementalAlterConfigs refused: two retention.ms 9 1 @":        "Kafka answers UNKNOWN_SERVER_ERROR to an unknown operation",
	"IncrementalAlterConfigs refused: two no.such.key 2 1 @":         "the same to an append to an unknown key",
	"IncrementalAlterConfigs refused: 1 no.such.key 2 1 @":           "the same",
	"IncrementalAlterConfigs refused:  no.such.key 2 1 @":            "the same",
	"Produce, null records @":                                        "Kafka's request thread fails and never answers",
	"Produce, unknown magic @.ErrorMessage":                          "Kafka fails the request as a whole",
	"Produce, unknown codec @.ErrorCode":                             "Kafka answers UNKNOWN_SERVER_ERROR, upon which producers retry",
	"ListOffsets of 0 @.OldStyleOffsets":                             "version 0 goes by the time of the records, Kafka by that of the segment files",
	"ListOffsets 0 ms after @.OldStyleOffsets":                       "the same",
	"ListOffsets 1 ms after @.OldStyleOffsets":                       "the same",
	"ListOffsets 10 ms after @.OldStyleOffsets":                      "the same",
	"Fetch, unknown isolation @":                                     "it is taken for read_uncommitted, Kafka answers UNKNOWN_SERVER_ERROR",
	"Fetch of a partition twice @":                                   "it is answered twice",
	"ConsumerGroupHeartbeat @":                                       "Kafka 3.9 refuses the new group protocol with ZooKeeper",
	"ConsumerGroupDescribe @":                                        "the same",
	"DeleteTopics, by no id @.ErrorCode":                             "Kafka answers TOPIC_AUTHORIZATION_FAILED",
}

// compareAnswers asks all versions and reports those that differ in the same way together.
func compareAnswers(t *testing.T, q question, ours, theirs *side, used map[string]bool) {
	t.Helper()
	versions := map[string][]int16{}
	for v := q.from; v <= q.to; v++ {
		differ := differences(t, q, v, ours, theirs, used)
		// What was changed is seen a moment later; to ask again changes nothing.
		for late := time.Now().Add(settleWithin); differ != "" && strings.HasPrefix(q.name, "DescribeConfigs") && time.Now().Before(late); {
			time.Sleep(100 * time.Millisecond) // a poll with a deadline, against other processes
			differ = differences(t, q, v, ours, theirs, used)
		}
		if differ != "" {
			versions[differ] = append(versions[differ], v)
		}
	}
	for text, v := range versions {
		t.Errorf("%s, versions %d:\n%.2000s", q.name, v, text)
	}
}

// settleWithin is how long a broker may take to apply a change of its configuration.
const settleWithin = 10 * time.Second

// differences asks both sides once, and tells how they differ beyond what is known.
func differences(t *testing.T, q question, version int16, ours, theirs *side, used map[string]bool) string {
	t.Helper()
	got, want := ours.answer(t, q, version), theirs.answer(t, q, version)
	var differ []string
	for _, line := range missing(got, want) {
		if !excused(q.name, line, used) {
			differ = append(differ, "  kbroker "+line)
		}
	}
	for _, line := range missing(want, got) {
		if !excused(q.name, line, used) {
			differ = append(differ, "  Kafka   "+line)
		}
	}
	return strings.Join(differ, "\n")
}

// missing are the lines that other lacks.
func missing(lines, other []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(other, line) })
}

// excused tells whether a line is at the place of a known difference: "question @end of the field's name".
func excused(name, line string, used map[string]bool) bool {
	field, _, _ := strings.Cut(line, ": ")
	for place := range knownDifferences {
		question, suffix, _ := strings.Cut(place, " @")
		if strings.HasPrefix(name, question) && strings.HasSuffix(field, suffix) {
			used[place] = true
			return true
		}
	}
	return false
}

func newSide(t *testing.T, address string) *side {
	s := &side{address: address, ids: map[string][16]byte{}}
	t.Cleanup(func() {
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
func (s *side) answer(t *testing.T, q question, version int16) []string {
	t.Helper()
	request := q.ask(s)
	request.SetVersion(version)
	response, err := s.ask(request)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return []string{"the connection is closed"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return []string{"no answer comes"}
	case errors.Is(err, errUnread):
		return []string{err.Error()}
	case err != nil:
		t.Fatalf("%s v%d of %s: %v", q.name, version, s.address, err)
	}
	switch r := response.(type) {
	case *kmsg.FetchResponse:
		s.session = r.SessionID
	case *kmsg.CreateTopicsResponse, *kmsg.MetadataResponse:
		s.learn(t)
	case *kmsg.JoinGroupResponse:
		s.joined(r)
	case *kmsg.ApiVersionsResponse:
		s.comparable(r)
	}
	return s.lines(response)
}

// comparable leaves of the APIs those that both can have: kbroker has not all of Kafka's, and of
// KRaft's it has two.
func (s *side) comparable(r *kmsg.ApiVersionsResponse) {
	r.ApiKeys = slices.DeleteFunc(r.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool {
		return !slices.Contains(handled, k.ApiKey)
	})
}

// handled are the APIs of a broker on ZooKeeper that are compared.
var handled = []int16{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 32, 33, 34, 35, 37, 42, 43, 44, 45, 46, 47, 56, 57, 60, 61, 67}

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
	if s.conn == nil {
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			return nil, err
		}
		s.conn = c
	}
	fail := func(err error) (kmsg.Response, error) {
		s.conn.Close()
		s.conn = nil
		return nil, err
	}
	if p, ok := request.(*kmsg.ProduceRequest); ok && p.Acks == 0 {
		// It has no answer, unless the broker closes the connection; the next one tells.
		_, err := s.conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, request, 7))
		if err != nil {
			return fail(err)
		}
		request = kmsg.NewPtrApiVersionsRequest()
	}
	deadline := 5 * time.Second
	if err := s.conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		return fail(err)
	}
	if _, err := s.conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("differ")).AppendRequest(nil, request, 7)); err != nil {
		return fail(io.EOF)
	}
	var size [4]byte
	if _, err := io.ReadFull(s.conn, size[:]); err != nil {
		if errors.Is(err, syscall.ECONNRESET) {
			err = io.EOF
		}
		return fail(err)
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(s.conn, body); err != nil {
		return fail(err)
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
