package protocol

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func request(key, version int16, clientID string, tags bool) []byte {
	b := []byte{byte(key >> 8), byte(key), byte(version >> 8), byte(version), 0, 0, 0, 7}
	b = append(b, byte(len(clientID)>>8), byte(len(clientID)))
	b = append(b, clientID...)
	if tags {
		b = append(b, 0)
	}
	return b
}

func TestParseHeader(t *testing.T) {
	for name, c := range map[string]struct {
		frame []byte
		want  RequestHeader
		body  string
		err   error
	}{
		"v1":                         {append(request(0, 8, "me", false), "body"...), RequestHeader{0, 8, 7, "me"}, "body", nil},
		"v2":                         {append(request(0, 9, "me", true), "body"...), RequestHeader{0, 9, 7, "me"}, "body", nil},
		"v2 with tags":               {append(request(0, 9, "me", false), "\x02\x00\x01x\x07\x00body"...), RequestHeader{0, 9, 7, "me"}, "body", nil},
		"null client id":             {[]byte("\x00\x03\x00\x01\x00\x00\x00\x07\xff\xffbody"), RequestHeader{3, 1, 7, ""}, "body", nil},
		"ControlledShutdown v0":      {[]byte("\x00\x07\x00\x00\x00\x00\x00\x07body"), RequestHeader{7, 0, 7, ""}, "body", nil},
		"ControlledShutdown v1":      {append(request(7, 1, "c", false), "body"...), RequestHeader{7, 1, 7, "c"}, "body", nil},
		"ApiVersions of the future":  {append(request(18, 99, "new", true), "body"...), RequestHeader{18, 99, 7, "new"}, "body", nil},
		"unknown key":                {request(52, 0, "me", false), RequestHeader{52, 0, 7, ""}, "", ErrUnknownAPI},
		"version too new":            {request(1, 18, "me", true), RequestHeader{1, 18, 7, "me"}, "", ErrUnsupportedVersion},
		"negative version":           {request(1, -1, "me", true), RequestHeader{1, -1, 7, "me"}, "", ErrUnsupportedVersion},
		"empty":                      {nil, RequestHeader{}, "", ErrHeaderTooShort},
		"client id longer than that": {[]byte("\x00\x03\x00\x01\x00\x00\x00\x07\x00\x09me"), RequestHeader{3, 1, 7, ""}, "", ErrHeaderTooShort},
		"tag longer than the frame":  {append(request(0, 9, "", false), 1, 0, 200), RequestHeader{0, 9, 7, ""}, "", ErrHeaderTooShort},
		"tags without an end":        {append(request(0, 9, "", false), bytes.Repeat([]byte{255}, 30)...), RequestHeader{0, 9, 7, ""}, "", ErrHeaderTooShort},
	} {
		h, body, err := ParseHeader(c.frame)
		if h != c.want || string(body) != c.body || !errors.Is(err, c.err) {
			t.Errorf("%s: got %+v, %q, %v; want %+v, %q, %v", name, h, body, err, c.want, c.body, c.err)
		}
	}
}

func TestParseKeepsTheClientID(t *testing.T) {
	frame := append(request(0, 8, "a client id of some length", false), "body"...)
	var h RequestHeader
	if n := testing.AllocsPerRun(100, func() {
		if _, err := h.Parse(frame); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per header, want none", n)
	}
}

func TestHeadersOfEveryVersionAgreeWithAClient(t *testing.T) {
	id := "kgo"
	for _, a := range APIs() {
		for v := a.Min; v <= a.Max; v++ {
			if a.Key == KeyControlledShutdown && v == 0 {
				continue // the client library has no header v0
			}
			r := kmsg.RequestForKey(a.Key)
			r.SetVersion(v)
			frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID(id)).AppendRequest(nil, r, 42)
			h, body, err := ParseHeader(frame[SizeBytes:])
			if err != nil || h != (RequestHeader{a.Key, v, 42, id}) {
				t.Errorf("%s v%d: %+v, %v", a.Name, v, h, err)
			}
			if want := r.AppendTo(nil); !bytes.Equal(body, want) {
				t.Errorf("%s v%d: body %x, want %x", a.Name, v, body, want)
			}
		}
	}
}

func TestAppendResponseHeader(t *testing.T) {
	for _, c := range []struct {
		key, version int16
		want         string
	}{
		{0, 8, "\x00\x00\x00\x07"},
		{0, 9, "\x00\x00\x00\x07\x00"},
		{18, 0, "\x00\x00\x00\x07"},
		{18, 3, "\x00\x00\x00\x07"}, // never flexible
		{18, 99, "\x00\x00\x00\x07"},
		{7, 0, "\x00\x00\x00\x07"},
		{7, 3, "\x00\x00\x00\x07\x00"},
	} {
		got := AppendResponseHeader(nil, RequestHeader{Key: c.key, Version: c.version, CorrelationID: 7})
		if string(got) != c.want {
			t.Errorf("key %d v%d: %x, want %x", c.key, c.version, got, c.want)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add(request(0, 9, "me", true))
	f.Add(request(18, 99, "", true))
	f.Add([]byte("\x00\x07\x00\x00\x00\x00\x00\x07"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, body, err := ParseHeader(frame)
		if err != nil {
			return
		}
		if len(body)+8 > len(frame) || len(h.ClientID) > len(frame) {
			t.Errorf("%d bytes of body and %d of client id out of %d", len(body), len(h.ClientID), len(frame))
		}
		AppendResponseHeader(nil, h)
	})
}
