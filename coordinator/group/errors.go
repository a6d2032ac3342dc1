package group

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
)

// codeOf is what the journal's refusal of a change to a whole group is to clients
// (CoordinatorOperationExceptionHelper.handleOperationException). The machines have codes of their own for what they write.
func codeOf(err error) *kerr.Error {
	var code *kerr.Error
	if !errors.As(err, &code) {
		return kerr.UnknownServerError
	}
	switch code {
	case kerr.UnknownTopicOrPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut:
		return kerr.CoordinatorNotAvailable
	case kerr.NotLeaderForPartition, kerr.KafkaStorageError:
		return kerr.NotCoordinator
	case kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidFetchSize:
		return kerr.UnknownServerError
	default:
		return code
	}
}
