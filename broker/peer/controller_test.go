package peer

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
)

// office is the brokers that may be controller, by address.
type office struct {
	t       *testing.T
	brokers map[string]func(key, version int16) kmsg.Response // nil: closes the connection
	asked   []string

	mu         sync.Mutex
	controller string
	changed    chan struct{}
}

func (o *office) moveTo(address string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.controller = address
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *office) dial(_ context.Context, address string) (net.Conn, error) {
	serve, ok := o.brokers[address]
	if !ok {
		return nil, errors.New("connection refused")
	}
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		for {
			frame := readRequest(o.t, server)
			if frame == nil {
				return
			}
			key, version := int16(binary.BigEndian.Uint16(frame)), int16(binary.BigEndian.Uint16(frame[2:]))
			o.asked = append(o.asked, address+" "+kmsg.NameForKey(key))
			response := serve(key, version)
			if response == nil {
				return
			}
			response.SetVersion(version)
			if response.IsFlexible() && key != keyAPIVersions {
				writeFrame(server, answer(frame, response, 0))
			} else {
				writeFrame(server, answer(frame, response))
			}
		}
	}()
	return client, nil
}

func (o *office) channel() *ToController {
	return NewToController(ControllerOptions{
		Options: Options{ClientID: "1", Dial: o.dial, RequestTimeout: time.Minute},
		Find: func() (string, bool, <-chan struct{}) {
			o.mu.Lock()
			defer o.mu.Unlock()
			return o.controller, o.controller != "", o.changed
		},
		Logger: zap.NewNop(),
	})
}

// broker answers ApiVersions with AlterPartition up to newest, and AlterPartition with a code.
func broker(newest int16, code int16, versions *[]int16) func(key, version int16) kmsg.Response {
	return func(key, version int16) kmsg.Response {
		if key == keyAPIVersions {
			r := kmsg.NewPtrApiVersionsResponse()
			r.ApiKeys = []kmsg.ApiVersionsResponseApiKey{{ApiKey: 56, MinVersion: 0, MaxVersion: newest}}
			return r
		}
		*versions = append(*versions, version)
		r := kmsg.NewPtrAlterPartitionResponse()
		r.ErrorCode = code
		return r
	}
}

func alterPartition() *kmsg.AlterPartitionRequest {
	r := kmsg.NewPtrAlterPartitionRequest()
	r.SetVersion(3)
	return r
}

func TestTheControllerIsFoundAgainWhenItMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var old, now []int16
		o := &office{t: t, changed: make(chan struct{}), controller: "a", brokers: map[string]func(key, version int16) kmsg.Response{
			"a": broker(3, 41, &old),
			"b": broker(1, 0, &now),
		}}
		c := o.channel()
		defer c.Close()
		start := time.Now()
		go func() {
			time.Sleep(250 * time.Millisecond)
			o.moveTo("b")
		}()
		response, err := c.Request(t.Context(), alterPartition())
		if err != nil || response.(*kmsg.AlterPartitionResponse).ErrorCode != 0 {
			t.Fatalf("answer %+v, error %v", response, err)
		}
		if took := time.Since(start); took != 250*time.Millisecond {
			t.Errorf("answered after %v, want the moment at which the controller became known", took)
		}
		if len(old) != 3 || old[0] != 3 {
			t.Errorf("the former controller was asked in versions %v, want 3 every 100 ms", old)
		}
		if len(now) != 1 || now[0] != 1 {
			t.Errorf("the controller was asked in versions %v, want the newest that it takes, once", now)
		}
		c.Close()
		synctest.Wait()
	})
}

func TestALostConnectionIsMadeAgainAndVersionsAskedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var versions []int16
		serve, calls := broker(2, 0, &versions), 0
		o := &office{t: t, changed: make(chan struct{}), controller: "a", brokers: map[string]func(key, version int16) kmsg.Response{
			"a": func(key, version int16) kmsg.Response {
				if calls++; calls == 4 {
					return nil
				}
				return serve(key, version)
			},
		}}
		c := o.channel()
		for range 3 {
			if _, err := c.Request(t.Context(), alterPartition()); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{"a ApiVersions", "a AlterPartition", "a AlterPartition", "a AlterPartition", "a ApiVersions", "a AlterPartition"}
		if len(o.asked) != len(want) {
			t.Fatalf("asked %q, want %q", o.asked, want)
		}
		for i := range want {
			if o.asked[i] != want[i] {
				t.Fatalf("asked %q, want %q", o.asked, want)
			}
		}
		c.Close()
		synctest.Wait()
	})
}

func TestCloseEndsTheSearchForAController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{t: t, changed: make(chan struct{})}
		c := o.channel()
		ended := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := c.Request(context.Background(), alterPartition())
				ended <- err
			}()
		}
		time.Sleep(time.Hour)
		c.Close()
		for range 2 {
			if err := <-ended; !errors.Is(err, ErrClosed) {
				t.Errorf("error %v, want ErrClosed", err)
			}
		}
	})
}
