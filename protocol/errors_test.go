package protocol

import "testing"

func TestErrorNamesAndMessagesAreKafkas(t *testing.T) {
	for _, c := range []struct {
		code          ErrorCode
		name, message string
	}{
		{None, "NONE", ""},
		{UnknownServerError, "UNKNOWN_SERVER_ERROR", "The server experienced an unexpected error when processing the request."},
		{12345, "UNKNOWN_SERVER_ERROR", "The server experienced an unexpected error when processing the request."},
		{InvalidTopic, "INVALID_TOPIC_EXCEPTION", "The request attempted to perform an operation on an invalid topic."},
		{FencedLeaderEpoch, "FENCED_LEADER_EPOCH", "The leader epoch in the request is older than the epoch on the broker."},
		{TransactionAbortable, "TRANSACTION_ABORTABLE", "The server encountered an error with the transaction. The client can abort the transaction to continue using this transactional ID."},
	} {
		if got := ErrorName(c.code); got != c.name {
			t.Errorf("%d is called %s, want %s", c.code, got, c.name)
		}
		if got := ErrorMessage(c.code); got != c.message {
			t.Errorf("%d says %q, want %q", c.code, got, c.message)
		}
	}
	for code := ErrorCode(-1); code <= TransactionAbortable; code++ {
		if n := ErrorName(code); n == "NOT_LEADER_FOR_PARTITION" {
			t.Errorf("%d has the name of before Kafka 2.6", code)
		}
	}
}
