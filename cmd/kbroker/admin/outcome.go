package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/urfave/cli/v2"
)

// ErrNo is the error of a command that did its work and whose answer is no: the cluster is not healthy, the reassignment is not
// complete. It is told apart from failure by its exit code.
var ErrNo = errors.New("no")

// verdict is a reason that is ErrNo.
type verdict string

func (v verdict) Error() string        { return string(v) }
func (v verdict) Is(target error) bool { return target == ErrNo }

// outcome is what became of one thing that was asked for.
type outcome struct {
	Name   string `json:"name"`
	Result string `json:"result,omitempty"` // what was done, where that is not plain
	Error  string `json:"error,omitempty"`
}

// showOutcomes prints what was done to each thing, and fails if one of them failed.
func showOutcomes(c *cli.Context, title string, outcomes []outcome) error {
	err := show(c, outcomes, func(w io.Writer) {
		fmt.Fprintf(w, "%s\tRESULT\n", title)
		for _, o := range outcomes {
			result := o.Error
			if result == "" {
				result = o.Result
			}
			if result == "" {
				result = "done"
			}
			fmt.Fprintf(w, "%s\t%s\n", o.Name, result)
		}
	})
	failed := 0
	for _, o := range outcomes {
		if o.Error != "" {
			failed++
		}
	}
	if failed > 0 {
		return errors.Join(err, fmt.Errorf("%d of %d failed", failed, len(outcomes)))
	}
	return err
}

// remedies are what to do about errors, in place of what Kafka says of them.
var remedies = []struct {
	err  *kerr.Error
	text string
}{
	{kerr.NonEmptyGroup, "it has members; stop them first"},
	{kerr.UnknownMemberID, "it has members; stop them first"}, // from a commit without membership
	{kerr.GroupIDNotFound, "there is no such group"},
	{kerr.GroupSubscribedToTopic, "a member consumes the topic; stop it first"},
	{kerr.UnknownTopicOrPartition, "there is no such topic or partition"},
	{kerr.TopicAlreadyExists, "there is a topic of this name; --if-not-exists passes over it"},
	{kerr.TopicDeletionDisabled, "the brokers refuse to delete topics; set delete.topic.enable=true there"},
	{kerr.NoReassignmentInProgress, "it is not being reassigned"},
	{kerr.ElectionNotNeeded, "the leader is the right one already"},
	{kerr.PreferredLeaderNotAvailable, "its preferred replica is not alive and in sync"},
	{kerr.EligibleLeadersNotAvailable, "no replica is alive that could lead"},
	{kerr.LeaderNotAvailable, "a partition has no leader; kbroker topics describe --unavailable lists such"},
	{kerr.MessageTooLarge, "it is larger than --max-message-bytes, or than the topic's max.message.bytes"},
	{kerr.NotController, "the controller has moved; try again"},
	{kerr.CoordinatorNotAvailable, "the group's coordinator is not available; try again"},
}

// inWords adds the remedy to the errors that have one.
func inWords(err error) string {
	if err == nil {
		return ""
	}
	if shards := (*kadm.ShardErrors)(nil); errors.As(err, &shards) && len(shards.Errs) > 0 { // a request to several brokers
		return inWords(shards.Errs[0].Err)
	}
	for _, r := range remedies {
		if errors.Is(err, r.err) {
			return r.text + " (" + r.err.Message + ")"
		}
	}
	if isUnsupported(err) {
		return "the cluster does not have this request (" + kerr.UnsupportedVersion.Message + ")"
	}
	return err.Error()
}

// coordinatorRetry is the wait between two requests to a coordinator that is not there yet.
const coordinatorRetry = 200 * time.Millisecond

// awaitCoordinator asks again while there is no coordinator: in a new cluster asking for one makes brokers create its topic.
func awaitCoordinator(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if !errors.Is(err, kerr.CoordinatorNotAvailable) && !errors.Is(err, kerr.CoordinatorLoadInProgress) || !pause(ctx, coordinatorRetry) {
			return err
		}
	}
}

// isUnsupported says whether brokers do not know a request. The client does not export the errors by which it says so.
func isUnsupported(err error) bool {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error(), "broker is too old") || strings.Contains(e.Error(), "request key is unknown") {
			return true
		}
	}
	return errors.Is(err, kerr.UnsupportedVersion)
}

// answered is inWords for an answer with a message of the broker's own, which knows more than the code, if less than a remedy.
func answered(err error, message string) string {
	var kafkas *kerr.Error
	if err == nil || message == "" || !errors.As(err, &kafkas) {
		return inWords(err)
	}
	for _, r := range remedies {
		if errors.Is(err, r.err) {
			return inWords(err)
		}
	}
	return kafkas.Message + ": " + message
}

// failure is an answered error as an error, or nil.
func failure(what string, err error) error {
	if err == nil {
		return nil
	}
	return &told{what + ": " + failureText(err), err}
}

func failureText(err error) string {
	var spoken *kadm.ErrAndMessage
	if errors.As(err, &spoken) {
		return answered(spoken.Err, spoken.ErrMessage)
	}
	return inWords(err)
}

// told is an error in words of ours.
type told struct {
	text string
	err  error
}

func (t *told) Error() string { return t.text }
func (t *told) Unwrap() error { return t.err }
