package journal

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestMailboxRunsOneAfterTheOtherInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const posters, each = 8, 500
		var m Mailbox
		var last [posters]int // no lock: the mailbox is one
		ran := 0
		var wg sync.WaitGroup
		for p := range posters {
			wg.Go(func() {
				for i := 1; i <= each; i++ {
					m.Post(func() {
						if last[p] != i-1 {
							t.Errorf("poster %d: %d ran after %d", p, i, last[p])
						}
						last[p] = i
						ran++
					})
				}
			})
		}
		wg.Wait()
		synctest.Wait() // until the mailbox's goroutine is gone
		if ran != posters*each {
			t.Errorf("%d ran, want %d", ran, posters*each)
		}
	})
}

// TestMailboxLent: goroutines that lend themselves and those of Post take turns, in order, and none is left behind.
func TestMailboxLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lenders, each = 8, 500
		var m Mailbox
		var last [lenders]int
		ran := 0
		var wg sync.WaitGroup
		for p := range lenders {
			wg.Go(func() {
				for i := 1; i <= each; i++ {
					f := func() {
						if last[p] != i-1 {
							t.Errorf("lender %d: %d ran after %d", p, i, last[p])
						}
						last[p] = i
						ran++
					}
					switch {
					case i%3 == 0:
						m.Post(f)
					case i%3 == 1 && m.Claim():
						m.LendTo(f)
					case m.Queue(f):
						m.Lend()
					}
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if ran != lenders*each {
			t.Errorf("%d ran, want %d", ran, lenders*each)
		}
	})
}

func TestMailboxLentRunsAtOnce(t *testing.T) {
	var m Mailbox
	ran := false
	if !m.Queue(func() { ran = true }) {
		t.Fatal("an idle mailbox has somebody to run it")
	}
	m.Lend()
	if !ran {
		t.Error("Lend returned before the function had run")
	}
}

// A claim holds the mailbox: what comes after it waits for the function that it was made for, and a second one is refused.
func TestMailboxClaimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Mailbox
		var order []int
		if !m.Claim() {
			t.Fatal("an idle mailbox has somebody to run it")
		}
		m.Post(func() { order = append(order, 2) })
		synctest.Wait()
		if m.Claim() {
			t.Error("two claims at once")
		}
		m.LendTo(func() { order = append(order, 1) })
		synctest.Wait()
		if len(order) != 2 || order[0] != 1 {
			t.Errorf("ran in order %v", order)
		}
		if !m.Claim() {
			t.Error("the loan did not end")
		}
	})
}

func TestMailboxTakesPostsOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Mailbox
		var order []int
		m.Post(func() {
			m.Post(func() { order = append(order, 2) })
			m.Post(func() { order = append(order, 3) })
			order = append(order, 1)
		})
		synctest.Wait()
		if len(order) != 3 || order[0] != 1 || order[1] != 2 || order[2] != 3 {
			t.Errorf("ran in order %v", order)
		}
	})
}

// While one function waits, the clock of the bubble moves on and more are posted.
func TestMailboxNeverRunsTwoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Mailbox
		var ran sync.WaitGroup
		running := 0
		for range 100 {
			ran.Add(1)
			m.Post(func() {
				defer ran.Done()
				running++
				<-time.After(time.Millisecond)
				if running != 1 {
					t.Errorf("%d run at once", running)
				}
				running--
			})
			<-time.After(time.Millisecond / 2)
		}
		ran.Wait()
	})
}

func TestMailboxIdleKeepsNoLargeQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Mailbox
		release := make(chan struct{})
		m.Post(func() { <-release })
		for range 10 * keepQueued {
			m.Post(func() {})
		}
		close(release)
		synctest.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.running || cap(m.queue) > keepQueued || cap(m.spare) > keepQueued {
			t.Errorf("running %v, queue of %d, spare of %d", m.running, cap(m.queue), cap(m.spare))
		}
	})
}

func BenchmarkMailbox(b *testing.B) {
	var m Mailbox
	var wg sync.WaitGroup
	done := func() { wg.Done() }
	b.ReportAllocs()
	for b.Loop() {
		wg.Add(1)
		m.Post(done)
		wg.Wait()
	}
}
