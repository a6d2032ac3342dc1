package peer

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// pipeDialer hands the server side of every connection to serve.
func pipeDialer(serve func(conn net.Conn)) Dial {
	return func(context.Context, string) (net.Conn, error) {
		client, server := net.Pipe()
		go serve(server)
		return client, nil
	}
}

// readRequest reads one frame without its size.
func readRequest(t *testing.T, conn net.Conn) []byte {
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil // the client is gone
	}
	frame := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(conn, frame); err != nil {
		t.Errorf("read request: %v", err)
		return nil
	}
	return frame
}

func writeFrame(conn net.Conn, frame []byte) {
	conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
}

// answer makes the frame of a response to a request with a header.
func answer(request []byte, response kmsg.Response, tags ...byte) []byte {
	frame := append([]byte(nil), request[4:8]...)
	frame = append(frame, tags...)
	return response.AppendTo(frame)
}

func request() *kmsg.UpdateMetadataRequest {
	r := kmsg.NewPtrUpdateMetadataRequest()
	r.SetVersion(8)
	r.ControllerEpoch = 7
	return r
}

func TestAnswersArriveOverOneConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		dial := pipeDialer(func(conn net.Conn) {
			defer conn.Close()
			for code := int16(1); ; code++ {
				frame := readRequest(t, conn)
				if frame == nil {
					return
				}
				r := kmsg.NewPtrUpdateMetadataResponse()
				r.SetVersion(8)
				r.ErrorCode = code
				// Two tagged fields in the header must be stepped over.
				writeFrame(conn, answer(frame, r, 2, 0, 1, 'a', 5, 0))
			}
		})
		c := New(Options{Address: "b:1", Dial: func(ctx context.Context, a string) (net.Conn, error) {
			dials++
			return dial(ctx, a)
		}})
		defer c.Close()
		for code := int16(1); code <= 3; code++ {
			got, err := c.Request(t.Context(), request())
			if err != nil {
				t.Fatal(err)
			}
			if got := got.(*kmsg.UpdateMetadataResponse).ErrorCode; got != code {
				t.Fatalf("answer %d has error code %d", code, got)
			}
		}
		if dials != 1 {
			t.Fatalf("dialled %d times", dials)
		}
	})
}

func TestRequestHeaders(t *testing.T) {
	for _, test := range []struct {
		name    string
		request kmsg.Request
		version int16
		want    string
	}{
		{"flexible has tags", kmsg.NewPtrUpdateMetadataRequest(), 8, "\x00\x06\x00\x08\x00\x00\x00\x05\x00\x01c\x00"},
		{"not flexible has none", kmsg.NewPtrUpdateMetadataRequest(), 5, "\x00\x06\x00\x05\x00\x00\x00\x05\x00\x01c"},
		{"controlled shutdown v0 has no client id", kmsg.NewPtrControlledShutdownRequest(), 0, "\x00\x07\x00\x00\x00\x00\x00\x05"},
		{"controlled shutdown v3 has one", kmsg.NewPtrControlledShutdownRequest(), 3, "\x00\x07\x00\x03\x00\x00\x00\x05\x00\x01c\x00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.request.SetVersion(test.version)
			got := appendRequest(nil, test.request, 5, "c")
			want := test.want + string(test.request.AppendTo(nil))
			if size := binary.BigEndian.Uint32(got); int(size) != len(got)-4 {
				t.Errorf("size says %d of %d", size, len(got)-4)
			}
			if string(got[4:]) != want {
				t.Errorf("got  %q\nwant %q", got[4:], want)
			}
		})
	}
}

// The bytes are written down from StopReplicaRequest.json, not from kmsg.
func TestStopReplicaV4HasKafkasLayout(t *testing.T) {
	r := kmsg.NewPtrStopReplicaRequest()
	r.SetVersion(4)
	r.ControllerID, r.ControllerEpoch, r.BrokerEpoch, r.IsKRaftController = 1, 2, 3, true
	topic := kmsg.NewStopReplicaRequestTopic()
	topic.Topic = "t"
	state := kmsg.NewStopReplicaRequestTopicPartitionState()
	state.Partition, state.LeaderEpoch, state.Delete = 9, -2, true
	topic.PartitionStates = append(topic.PartitionStates, state)
	r.Topics = append(r.Topics, topic)

	const want = "\x00\x00\x00\x01" + "\x01" + "\x00\x00\x00\x02" + "\x00\x00\x00\x00\x00\x00\x00\x03" +
		"\x02" + "\x02t" + "\x02" + "\x00\x00\x00\x09" + "\xff\xff\xff\xfe" + "\x01" + "\x00" + "\x00" + "\x00"
	frame := appendRequest(nil, r, 5, "c")
	body := frame[4+12:]
	if string(body) != want {
		t.Fatalf("got  %q\nwant %q", body, want)
	}
	FromKafka(5, 4, body)
	back := kmsg.NewPtrStopReplicaRequest()
	back.SetVersion(4)
	if err := back.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	if back.ControllerID != 1 || back.ControllerEpoch != 2 || back.BrokerEpoch != 3 || !back.IsKRaftController {
		t.Fatalf("decoded %+v", back)
	}
}

func TestBadAnswersCloseTheConnection(t *testing.T) {
	ok := kmsg.NewPtrUpdateMetadataResponse()
	ok.SetVersion(8)
	for _, test := range []struct {
		name string
		send func(request []byte) []byte // the bytes with the size
		want string
	}{
		{"other correlation id", func(r []byte) []byte {
			return append([]byte{0, 0, 0, 8, 0, 0, 0, 99}, 0, 0, 0, 0)
		}, "correlation id 99"},
		{"size below a header", func([]byte) []byte { return []byte{0, 0, 0, 3, 1, 2, 3} }, "outside"},
		{"negative size", func([]byte) []byte { return []byte{0xff, 0xff, 0xff, 0xff} }, "outside"},
		{"size of something else", func([]byte) []byte { return []byte("HTTP/1.1") }, "outside"},
		{"tag without its bytes", func(r []byte) []byte {
			return append([]byte{0, 0, 0, 8}, append(append([]byte(nil), r[4:8]...), 1, 0, 200, 1)...)
		}, "too short"},
		{"body cut", func(r []byte) []byte {
			return append([]byte{0, 0, 0, 6}, append(append([]byte(nil), r[4:8]...), 0, 0)...)
		}, "decode"},
		{"end in the middle", func(r []byte) []byte { return []byte{0, 0, 0, 9, 1} }, "EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bad := true
				c := New(Options{Address: "b:1", Dial: pipeDialer(func(conn net.Conn) {
					defer conn.Close()
					frame := readRequest(t, conn)
					if bad {
						bad = false
						conn.Write(test.send(frame))
						return
					}
					writeFrame(conn, answer(frame, ok, 0))
				})})
				defer c.Close()
				if _, err := c.Request(t.Context(), request()); err == nil || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("error is %v, want %q", err, test.want)
				}
				if _, err := c.Request(t.Context(), request()); err != nil {
					t.Fatalf("request over a new connection: %v", err)
				}
			})
		})
	}
}

// silent never answers.
func silent(t *testing.T) Dial {
	return pipeDialer(func(conn net.Conn) {
		for readRequest(t, conn) != nil {
		}
		conn.Close()
	})
}

func TestRequestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{Address: "b:1", Dial: silent(t), RequestTimeout: 30 * time.Second})
		defer c.Close()
		start := time.Now()
		_, err := c.Request(t.Context(), request())
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 30*time.Second {
			t.Fatalf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestConnectTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{
			Address:        "b:1",
			ConnectTimeout: 10 * time.Second,
			Dial: func(ctx context.Context, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
		})
		defer c.Close()
		start := time.Now()
		_, err := c.Request(t.Context(), request())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Fatalf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestConnectTimeoutGrowsWithFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reachable := false
		c := New(Options{
			Address: "b:1", ConnectTimeout: 10 * time.Second, ConnectTimeoutMax: 30 * time.Second,
			Dial: func(ctx context.Context, _ string) (net.Conn, error) {
				if reachable {
					conn, other := net.Pipe()
					other.Close()
					return conn, nil
				}
				<-ctx.Done()
				return nil, ctx.Err()
			},
		})
		defer c.Close()
		for _, want := range []time.Duration{10, 20, 30, 30, 0, 10} {
			reachable = want == 0
			start := time.Now()
			if _, err := c.Request(t.Context(), request()); err == nil || time.Since(start) != want*time.Second {
				t.Errorf("after %v, want %vs: %v", time.Since(start), int(want), err)
			}
		}
	})
}

func TestContextEndsARequestAndThoseThatQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{Address: "b:1", Dial: silent(t)})
		defer c.Close()
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := c.Request(ctx, request())
				results <- err
			}()
		}
		synctest.Wait()
		cancel()
		for range 2 {
			if err := <-results; !errors.Is(err, context.Canceled) {
				t.Errorf("request ended with %v", err)
			}
		}
	})
}

func TestCloseEndsEveryRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{Address: "b:1", Dial: silent(t)})
		results := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := c.Request(t.Context(), request())
				results <- err
			}()
		}
		synctest.Wait()
		c.Close()
		c.Close()
		for range 2 {
			if err := <-results; !errors.Is(err, ErrClosed) {
				t.Errorf("request ended with %v", err)
			}
		}
		if _, err := c.Request(t.Context(), request()); !errors.Is(err, ErrClosed) {
			t.Errorf("request after Close ended with %v", err)
		}
	})
}

// A large size is only believed as far as bytes follow it.
func TestLargeSizeIsNotAllocatedAtOnce(t *testing.T) {
	r := io.MultiReader(strings.NewReader("\x06\x00\x00\x00"), strings.NewReader(strings.Repeat("x", 1000)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := readFrame(r, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("error is %v", err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4*readStep {
		t.Errorf("%d bytes allocated for 1000 that came", got)
	}
}

// A buffer with room is read into as it is, and one without is replaced.
func TestAnswersAreReadIntoTheBuffer(t *testing.T) {
	const frame = "\x00\x00\x00\x06abcdef"
	room := make([]byte, 3, 6)
	got, err := readFrame(strings.NewReader(frame), room)
	if err != nil || string(got) != "abcdef" || &got[0] != &room[0] {
		t.Errorf("%q, %v: in the buffer's memory: %v", got, err, err == nil && &got[0] == &room[0])
	}
	if got, err = readFrame(strings.NewReader(frame), make([]byte, 0, 5)); err != nil || string(got) != "abcdef" {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzParseResponse(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 1, 1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, frame []byte) {
		r := kmsg.NewPtrLeaderAndISRRequest()
		r.SetVersion(7)
		parseResponse(frame, r, r.ResponseKind(), 1) // must not panic
	})
}
