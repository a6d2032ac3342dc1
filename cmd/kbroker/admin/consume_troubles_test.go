package admin

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestGroupSessionErrors(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for _, tt := range []struct {
		err   error
		fatal bool
	}{
		{refused, false},
		{io.EOF, false},
		{kerr.NotCoordinator, false},
		{kerr.CoordinatorNotAvailable, false},
		{kerr.UnknownMemberID, false},
		{kerr.IllegalGeneration, false},
		{kerr.GroupAuthorizationFailed, true},
		{kerr.TopicAuthorizationFailed, true},
		{kerr.SaslAuthenticationFailed, true},
		{kerr.InvalidGroupID, true},
		{kerr.InconsistentGroupProtocol, true},
		{kerr.UnsupportedVersion, true},
		{kerr.GroupMaxSizeReached, true},
	} {
		var notes bytes.Buffer
		heard := troubles{notes: &notes, group: "g"}
		for range 2 {
			err := heard.fatal(kgo.NewErrFetch(&kgo.ErrGroupSession{Err: tt.err}))
			if (err != nil) != tt.fatal || tt.fatal && !errors.Is(err, tt.err) {
				t.Errorf("%v: consuming ends with %v; want an end: %t", tt.err, err, tt.fatal)
			}
		}
		if told := strings.Count(notes.String(), "lost group g"); !tt.fatal && told != 1 || tt.fatal && told != 0 {
			t.Errorf("%v is told %d times", tt.err, told)
		}
	}
}
