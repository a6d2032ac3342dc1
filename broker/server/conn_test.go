package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kbroker/kbroker/protocol"
)

func TestAnswersCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := start(t, handler{handle: echo}, nil)
		c := l.dial(t)
		for i := range int32(3) {
			c.send(i, "hello")
			c.want(i, "hello")
		}
		c.Close()
		synctest.Wait()
		if got := s.metrics.byAPI[0].requests(); got != 3 {
			t.Errorf("counted %v requests", got)
		}
		if got := s.metrics.byAPI[0].out.Load(); got != 3*(4+4+5) {
			t.Errorf("counted %v bytes of answers", got)
		}
		noPanics(t, s)
	})
}

// Kafka takes the next request of a connection only when the one before is answered.
func TestCallWaitsForTheAnswerBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		handled := make(chan string, 10)
		_, l := start(t, handler{handle: func(_ context.Context, c *Call) Reply {
			body := string(c.Body)
			handled <- body
			if body != "slow" {
				return Reply{Response: text(body)}
			}
			return Reply{Await: func(context.Context) Response { <-release; return text(body) }}
		}}, nil)
		c := l.dial(t)
		c.send(1, "slow")
		c.send(2, "quick")
		synctest.Wait()
		if len(handled) != 1 {
			t.Errorf("%d calls were handled before the first was answered", len(handled))
		}
		close(release)
		c.want(1, "slow")
		c.want(2, "quick")
	})
}

func TestPipelinedAnswersLeaveInTheOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handled := 0
		release := make(chan struct{})
		_, l := start(t, handler{
			handle: func(_ context.Context, c *Call) Reply {
				handled++
				body := string(c.Body)
				if body == "ready" {
					return Reply{Response: text(body)}
				}
				return Reply{Await: func(context.Context) Response { <-release; return text(body) }}
			},
			pipelines: func(protocol.RequestHeader) bool { return true },
		}, nil)
		c := l.dial(t)
		c.send(1, "waits")
		c.send(2, "ready") // must not overtake
		c.send(3, "waits too")
		synctest.Wait()
		if handled != 3 {
			t.Errorf("%d calls in flight, want 3", handled)
		}
		close(release)
		c.want(1, "waits")
		c.want(2, "ready")
		c.want(3, "waits too")
	})
}

// A call that may not be pipelined waits for those that may, and holds up those behind it.
func TestPipeliningEndsAtACallThatMayNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled []int32
		release := make(chan struct{})
		_, l := start(t, handler{
			handle: func(_ context.Context, c *Call) Reply {
				handled = append(handled, c.Header.CorrelationID)
				return Reply{Await: func(context.Context) Response { <-release; return text("") }}
			},
			pipelines: func(h protocol.RequestHeader) bool { return h.CorrelationID != 2 },
		}, nil)
		c := l.dial(t)
		c.send(1, "")
		c.send(2, "")
		synctest.Wait()
		if fmt.Sprint(handled) != "[1]" {
			t.Errorf("handled %v while 1 is unanswered", handled)
		}
		release <- struct{}{}
		c.want(1, "")
		c.send(3, "")
		synctest.Wait()
		if fmt.Sprint(handled) != "[1 2]" {
			t.Errorf("handled %v while 2 is unanswered", handled)
		}
		close(release)
		c.want(2, "")
		c.want(3, "")
	})
}

func TestBackPressure(t *testing.T) {
	for name, limit := range map[string]func(*Limits){
		"number": func(l *Limits) { l.MaxPending = 3 },
		"bytes":  func(l *Limits) { l.MaxPendingBytes = 3 * int64(len(frame(0, "12345678"))-4) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				handled := 0
				release := make(chan struct{})
				_, l := start(t, handler{
					handle: func(_ context.Context, c *Call) Reply {
						handled++
						c.Release()
						return Reply{Await: func(context.Context) Response { <-release; return text("") }}
					},
					pipelines: func(protocol.RequestHeader) bool { return true },
				}, limit)
				c := l.dial(t)
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					for i := range int32(400) {
						c.send(i, "12345678")
					}
				}()
				synctest.Wait()
				if handled != 3 {
					t.Errorf("%d calls in flight, want 3", handled)
				}
				select {
				case <-sent:
					t.Error("the connection was read on without an end")
				default:
				}
				close(release)
				for i := range int32(400) {
					c.want(i, "")
				}
				<-sent
			})
		})
	}
}

func TestHangUpEndsTheContextOfAWaitingCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, done := false, false
		piece := &blob{data: "x"}
		s, l := start(t, handler{handle: func(context.Context, *Call) Reply {
			return Reply{Await: func(ctx context.Context) Response {
				<-ctx.Done()
				ended = true
				return Response{Chunks: []Chunk{{Piece: piece}}, Done: func() { done = true }}
			}}
		}}, nil)
		c := l.dial(t)
		c.send(1, "")
		synctest.Wait()
		c.Close()
		synctest.Wait()
		if !ended || !done || piece.released != 1 || piece.sent != 0 {
			t.Errorf("ended %t, done %t, piece released %d times and sent %d times", ended, done, piece.released, piece.sent)
		}
		noPanics(t, s)
	})
}

func TestBytesThatAreNoRequestCloseTheConnection(t *testing.T) {
	for name, c := range map[string]struct {
		bytes  string
		reason string
	}{
		"too large":           {"\x7f\x00\x00\x00", refusedSize},
		"negative":            {"\xff\xff\xff\xff", refusedSize},
		"HTTP":                {"GET / HTTP/1.1\r\n\r\n", refusedSize},
		"empty frame":         {"\x00\x00\x00\x00", refusedHeader},
		"unknown api":         {"\x00\x00\x00\x0a\x00\x34\x00\x00\x00\x00\x00\x01\xff\xff", refusedAPI},
		"unsupported version": {"\x00\x00\x00\x0a\x00\x01\x00\x63\x00\x00\x00\x01\xff\xff", refusedVersion},
		"half a size":         {"\x00\x00", ""},
		"half a frame":        {"\x00\x00\x00\x0a\x00\x01", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, l := start(t, handler{handle: echo}, nil)
				conn := l.dial(t)
				go func() {
					_, _ = io.WriteString(conn, c.bytes)
					if c.reason == "" {
						conn.Close()
					}
				}()
				conn.wantClosed()
				synctest.Wait()
				if c.reason != "" && testutil.ToFloat64(s.metrics.refused.WithLabelValues(c.reason)) != 1 {
					t.Errorf("not counted as %s", c.reason)
				}
				noPanics(t, s)
			})
		})
	}
}

// What came before the bad bytes was a request like any other.
func TestCallsBeforeBadBytesAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := start(t, handler{handle: func(_ context.Context, c *Call) Reply {
			body := string(c.Body)
			return Reply{Await: func(ctx context.Context) Response {
				select {
				case <-time.After(time.Second):
					return text(body)
				case <-ctx.Done():
					return text("cut short")
				}
			}}
		}}, nil)
		c := l.dial(t)
		go func() {
			c.send(1, "good")
			_, _ = io.WriteString(c, "\xff\xff\xff\xff")
		}()
		c.want(1, "good")
		c.wantClosed()
	})
}

func TestPanicCostsOneConnection(t *testing.T) {
	for name, boom := range map[string]func() Reply{
		"in Handle":  func() Reply { panic("boom") },
		"in Await":   func() Reply { return Reply{Await: func(context.Context) Response { panic("boom") }} },
		"in a piece": func() Reply { return Reply{Response: Response{Chunks: []Chunk{{Piece: bad{}}}}} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, l := start(t, handler{handle: func(ctx context.Context, c *Call) Reply {
					if string(c.Body) == "boom" {
						return boom()
					}
					return echo(ctx, c)
				}}, nil)
				victim, other := l.dial(t), l.dial(t)
				victim.send(1, "boom")
				_, _ = io.Copy(io.Discard, victim) // ends when the connection is closed
				other.send(2, "fine")
				other.want(2, "fine")
				if n := testutil.ToFloat64(s.metrics.panics); n != 1 {
					t.Errorf("%v panics counted", n)
				}
			})
		})
	}
}

type bad struct{}

func (bad) SendTo(net.Conn) error { panic("boom") }
func (bad) Len() int64            { return 1 }
func (bad) Release()              {}

func TestSilentAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := start(t, handler{handle: func(_ context.Context, c *Call) Reply {
			switch body := string(c.Body); body {
			case "silent":
				return Reply{Response: Response{Silent: true}}
			case "close":
				return Reply{Response: Response{Silent: true, Close: true, Reason: "asked"}}
			default:
				r := text(body)
				r.Close = body == "answer and close"
				return Reply{Response: r}
			}
		}}, nil)
		c := l.dial(t)
		c.send(1, "silent")
		c.send(2, "answer")
		c.want(2, "answer")
		c.send(3, "close")
		c.wantClosed()

		c = l.dial(t)
		c.send(1, "answer and close")
		c.want(1, "answer and close")
		c.wantClosed()
	})
}

func TestThrottleMutesAfterTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := start(t, handler{handle: func(_ context.Context, c *Call) Reply {
			r := text(string(c.Body))
			r.Throttle = 3 * time.Second
			return Reply{Response: r}
		}}, nil)
		c := l.dial(t)
		begin := time.Now()
		c.send(1, "a")
		c.want(1, "a")
		if d := time.Since(begin); d != 0 {
			t.Errorf("the answer itself came after %s", d)
		}
		c.send(2, "b")
		c.want(2, "b")
		if d := time.Since(begin); d != 3*time.Second {
			t.Errorf("the next answer came after %s", d)
		}
	})
}

func TestIdleConnectionIsClosedAndAWaitingOneIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := start(t, handler{handle: func(_ context.Context, c *Call) Reply {
			return Reply{Await: func(ctx context.Context) Response {
				select {
				case <-time.After(time.Hour):
				case <-ctx.Done():
				}
				return text("late")
			}}
		}}, func(l *Limits) { l.MaxIdle = time.Minute })
		idle, waiting, half := l.dial(t), l.dial(t), l.dial(t)
		begin := time.Now()
		waiting.send(1, "")
		_, _ = half.Write([]byte{0, 0, 1})
		idle.wantClosed()
		if d := time.Since(begin); d < time.Minute || d > 70*time.Second {
			t.Errorf("idle connection was closed after %s", d)
		}
		half.wantClosed()
		waiting.want(1, "late")
		if d := time.Since(begin); d != time.Hour {
			t.Errorf("answer after %s", d)
		}
		waiting.wantClosed()
	})
}

// A peer that does not take its answer is idle, whatever it is owed.
func TestPeerThatDoesNotReadIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := start(t, handler{handle: echo}, func(l *Limits) { l.MaxIdle = time.Minute })
		c := l.dial(t)
		c.send(1, "nobody reads the answer")
		time.Sleep(2 * time.Minute) // the bubble's clock
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.conns) != 0 {
			t.Error("the connection is still open")
		}
	})
}

func TestQueuedBytesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled atomic.Int32
		release := make(chan struct{})
		_, l := start(t, handler{handle: func(ctx context.Context, c *Call) Reply {
			handled.Add(1)
			return Reply{Await: func(context.Context) Response { <-release; return text("") }}
		}}, func(l *Limits) { l.QueuedMaxBytes = 100 })
		var clients []*client
		for range 4 {
			c := l.dial(t)
			clients = append(clients, c)
			go c.send(1, strings.Repeat("x", 60))
		}
		synctest.Wait()
		// The second begins because some of the bound is left; the third has to wait.
		if n := handled.Load(); n != 2 {
			t.Errorf("%d frames were read, want 2", n)
		}
		close(release)
		var reading sync.WaitGroup
		for _, c := range clients {
			reading.Go(func() { c.want(1, "") }) // a frame is held until its answer is taken
		}
		reading.Wait()
		if n := handled.Load(); n != 4 {
			t.Errorf("%d frames were read in the end, want 4", n)
		}
	})
}

func TestShutdownAnswersWhatWasStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := start(t, handler{handle: func(_ context.Context, c *Call) Reply {
			body := string(c.Body)
			return Reply{Await: func(ctx context.Context) Response {
				select {
				case <-time.After(time.Second):
					return text(body)
				case <-ctx.Done():
					return text("cut short")
				}
			}}
		}}, nil)
		busy, idle := l.dial(t), l.dial(t)
		busy.send(1, "started")
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(t.Context()) }()
		idle.wantClosed()
		busy.want(1, "started")
		busy.wantClosed()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestShutdownEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := start(t, handler{handle: func(context.Context, *Call) Reply {
			return Reply{Await: func(ctx context.Context) Response { <-ctx.Done(); return Response{} }}
		}}, nil)
		c := l.dial(t)
		c.send(1, "")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v", err)
		}
		c.wantClosed()
	})
}

func TestAnswerIsPutTogetherFromChunks(t *testing.T) {
	long := strings.Repeat("0123456789", 10_000)
	for name, parts := range map[string][]string{
		"small":           {"a", "b", "c"},
		"empty":           {},
		"large bytes":     {"a", long, "b"},
		"many":            strings.Split(strings.Repeat(strings.Repeat("x", 5_000)+"|", 40), "|"),
		"just the buffer": {strings.Repeat("y", sendBuffer-8), "z"},
		"medium":          {long[:20_000], long[:30_000], long[:20_000], long[:32_000]},
	} {
		for _, pieces := range []bool{false, true} {
			t.Run(fmt.Sprint(name, pieces), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var r Response
					for i, p := range parts {
						if pieces && i%2 == 1 {
							r.Chunks = append(r.Chunks, Chunk{Piece: &blob{data: p}})
						} else {
							r.Chunks = append(r.Chunks, Chunk{Bytes: []byte(p)})
						}
					}
					_, l := start(t, handler{handle: func(context.Context, *Call) Reply { return Reply{Response: r} }}, nil)
					c := l.dial(t)
					c.send(5, "")
					c.want(5, strings.Join(parts, ""))
					synctest.Wait()
					for _, chunk := range r.Chunks {
						if b, ok := chunk.Piece.(*blob); ok && (b.sent != 1 || b.released != 1) {
							t.Errorf("piece sent %d times, released %d times", b.sent, b.released)
						}
					}
				})
			})
		}
	}
}

func TestSizeIsThatOfHeaderAndChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := start(t, handler{handle: echo}, nil)
		c := l.dial(t)
		// Produce v9 is flexible: the header has a byte of tags on both sides.
		b := []byte("\x00\x00\x00\x0d\x00\x00\x00\x09\x00\x00\x00\x01\xff\xff\x00hi")
		go func() { _, _ = c.Write(b) }()
		got := make([]byte, 4+4+1+2)
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
		if n := binary.BigEndian.Uint32(got); n != 7 || string(got[4:]) != "\x00\x00\x00\x01\x00hi" {
			t.Errorf("size %d, then %q", n, got[4:])
		}
	})
}
