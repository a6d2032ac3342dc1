package admin

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestNoServerAnswers wants to be told of every server what it did: one hangs, as its kernel accepts and nobody reads, one is dead.
func TestNoServerAnswers(t *testing.T) {
	hung, dead := listen(t).Addr().String(), listen(t)
	dead.Close()
	const within = 300 * time.Millisecond
	_, err := firstToAnswer(t.Context(), []string{hung, dead.Addr().String()}, within, nil)
	if err == nil {
		t.Fatal("one of them answers")
	}
	for _, want := range []string{
		fmt.Sprintf("no broker answers at %s: does not answer within %s; %s: ", hung, within, dead.Addr()), "connection refused",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it says %q, not %q", err, want)
		}
	}
}
