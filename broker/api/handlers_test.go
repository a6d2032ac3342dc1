package api

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
)

func TestTableHasEachKeyOnceAndInOrder(t *testing.T) {
	last := int16(-1)
	for _, r := range table() {
		if _, ok := protocol.Lookup(r.key); !ok {
			t.Errorf("key %d is in no version table", r.key)
		}
		if r.key <= last {
			t.Errorf("key %d stands after %d", r.key, last)
		}
		last = r.key
	}
}

// body makes a call of a request.
func call(r kmsg.Request) *server.Call {
	return &server.Call{
		Conn:   &server.Conn{Listener: "PLAINTEXT", RemoteHost: "127.0.0.1"},
		Header: protocol.RequestHeader{Key: r.Key(), Version: r.GetVersion(), CorrelationID: 1, ClientID: "test"},
		Body:   r.AppendTo(nil), Arrived: time.Now(),
	}
}

// sent returns the bytes that a response sends.
func sent(r server.Response) []byte {
	var b []byte
	for _, c := range r.Chunks {
		b = append(b, c.Bytes...)
	}
	return b
}

func apiVersionsRequest(version int16) *kmsg.ApiVersionsRequest {
	r := kmsg.NewPtrApiVersionsRequest()
	r.Version = version
	r.ClientSoftwareName, r.ClientSoftwareVersion = "kgo", "1.0"
	return r
}

func TestApiVersionsListsWhatIsHandled(t *testing.T) {
	h := New(Options{Logger: zap.NewNop()})
	for v := int16(0); v <= 4; v++ {
		c := call(apiVersionsRequest(v))
		reply := h.Handle(t.Context(), c)
		r := kmsg.NewPtrApiVersionsResponse()
		r.Version = v
		if err := r.ReadFrom(sent(reply.Response)); err != nil || r.ErrorCode != 0 {
			t.Fatalf("v%d: code %d, %v", v, r.ErrorCode, err)
		}
		if len(r.ApiKeys) != len(table()) {
			t.Errorf("v%d: %d keys are advertised, %d handled", v, len(r.ApiKeys), len(table()))
		}
		for _, k := range r.ApiKeys {
			a, _ := protocol.Lookup(k.ApiKey)
			if h.rows[k.ApiKey] == nil || k.MinVersion != a.Min || k.MaxVersion != a.Max {
				t.Errorf("v%d: %+v is advertised", v, k)
			}
		}
		if name, _ := c.Conn.Software(); v >= 3 && name != "kgo" {
			t.Errorf("v%d: software %q", v, name)
		}
		reply.Response.Done()
	}
}

func TestApiVersionsOfTheFutureIsAnsweredInVersion0(t *testing.T) {
	h := New(Options{Logger: zap.NewNop()})
	for _, v := range []int16{5, 99, -1} {
		c := call(apiVersionsRequest(0))
		c.Header.Version, c.Body = v, []byte("what nobody knows yet")
		r := kmsg.NewPtrApiVersionsResponse()
		if err := r.ReadFrom(sent(h.Handle(t.Context(), c).Response)); err != nil {
			t.Fatal(err)
		}
		if r.ErrorCode != protocol.UnsupportedVersion || len(r.ApiKeys) != 1 || r.ApiKeys[0].ApiKey != 18 || r.ApiKeys[0].MaxVersion != 4 {
			t.Errorf("v%d: %+v", v, r)
		}
	}
}

func TestApiVersionsRefusesOddSoftwareNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"apache-kafka-java": true, "a": true, "3.9.0": true, "": false, "-a": false, "a.": false, "a b": false, "ä": false,
	} {
		if softwareName(name) != ok {
			t.Errorf("%q: %t", name, !ok)
		}
	}
	h := New(Options{Logger: zap.NewNop()})
	q := apiVersionsRequest(3)
	q.ClientSoftwareName = "no good"
	r := kmsg.NewPtrApiVersionsResponse()
	r.Version = 3
	if err := r.ReadFrom(sent(h.Handle(t.Context(), call(q)).Response)); err != nil || r.ErrorCode != protocol.InvalidRequest {
		t.Errorf("code %d, %v", r.ErrorCode, err)
	}
}

func TestMalformedAndUnhandledCallsCloseTheConnection(t *testing.T) {
	h := New(Options{Logger: zap.NewNop()})
	c := call(apiVersionsRequest(3))
	c.Body = bytes.Repeat([]byte{0xff}, 9)
	for _, c := range []*server.Call{c, {Conn: c.Conn, Header: protocol.RequestHeader{Key: 58}}} {
		r := h.Handle(t.Context(), c).Response
		if !r.Silent || !r.Close || r.Reason == "" {
			t.Errorf("key %d: %+v", c.Header.Key, r)
		}
	}
}

func TestCodeOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want protocol.ErrorCode
	}{
		{nil, protocol.None},
		{fmt.Errorf("read: %w", replica.ErrOffsetOutOfRange), protocol.OffsetOutOfRange},
		{&record.Refusal{Reason: record.TooLarge}, protocol.MessageTooLarge},
		{fmt.Errorf("append: %w", &record.Refusal{Reason: record.Corrupt}), protocol.CorruptMessage},
		{errors.New("something else"), protocol.UnknownServerError},
	} {
		if got := codeOf(c.err); got != c.want {
			t.Errorf("%v became %s, want %s", c.err, protocol.ErrorName(got), protocol.ErrorName(c.want))
		}
	}
}
