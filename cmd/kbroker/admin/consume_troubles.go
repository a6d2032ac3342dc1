package admin

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// troubles tells on notes of errors that trying again mends, and which the client does.
type troubles struct {
	notes   io.Writer
	group   string
	without bool // the group: told since the last record
}

// fatal is the first error that trying again does not mend. Lost data is told, and reading goes on behind it.
func (t *troubles) fatal(fetches kgo.Fetches) error {
	if fetches.NumRecords() > 0 {
		t.without = false
	}
	for _, e := range fetches.Errors() {
		var lost *kgo.ErrDataLoss
		var session *kgo.ErrGroupSession
		switch {
		case errors.Is(e.Err, context.DeadlineExceeded), errors.Is(e.Err, context.Canceled):
		case errors.As(e.Err, &lost):
			fmt.Fprintln(t.notes, e.Err)
		case errors.As(e.Err, &session) && joinsAgain(session.Err):
			if !t.without {
				fmt.Fprintf(t.notes, "lost group %s, joining it again: %s\n", t.group, inWords(session.Err))
			}
			t.without = true
		case errors.As(e.Err, &session):
			return failure("be a member of group "+t.group, session.Err)
		case e.Topic == "":
			return e.Err
		default:
			return failure(fmt.Sprintf("%s-%d", e.Topic, e.Partition), e.Err)
		}
	}
	return nil
}

// joinsAgain says whether a member that was thrown out of its group, or did not get in, may get in by trying again. It may when
// its coordinator died, or moved, or forgot it; not when it was refused.
func joinsAgain(err error) bool {
	var kafkas *kerr.Error
	if !errors.As(err, &kafkas) {
		return !isUnsupported(err)
	}
	switch kafkas {
	case kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.MemberIDRequired:
		return true
	}
	return kafkas.Retriable
}
