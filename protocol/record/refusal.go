package record

import (
	"fmt"
	"strings"
)

// RecordError says which record of a batch is at fault and why. Kafka answers it in
// record_errors (KIP-467).
type RecordError struct {
	Index   int32 // of the record in its batch
	Message string
}

// Reason is the class of a refusal; broker/api maps it to Kafka's error code.
type Reason int8

// Why a batch is refused.
const (
	Corrupt                Reason = iota // CORRUPT_MESSAGE
	TooLarge                             // MESSAGE_TOO_LARGE
	InvalidRecord                        // INVALID_RECORD
	InvalidTimestamp                     // INVALID_TIMESTAMP
	UnsupportedCompression               // UNSUPPORTED_COMPRESSION_TYPE
	UnsupportedFormat                    // UNSUPPORTED_FOR_MESSAGE_FORMAT
)

// Refusal is the error of a batch that breaks a rule. Kafka tells clients the Message
// only of a refusal that names records; that of the others is for the log.
type Refusal struct {
	Reason  Reason
	Message string
	// Records are the records at fault, up to maxRecordErrors; empty when the batch as a whole is.
	Records []RecordError
	// OfRequest tells that Kafka refuses this before it looks for the partition's log.
	OfRequest bool
}

func (r *Refusal) Error() string { return r.Message }

// maxRecordErrors bounds the records that a refusal names, where Kafka names all: a
// batch of some kilobytes can decompress to millions of records.
const maxRecordErrors = 10_000

func refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// faults collects the records of a batch that break a rule (LogValidator.java).
type faults struct {
	records      []RecordError
	count        int
	badTimestamp bool
}

func (f *faults) add(index int32, reason Reason, format string, args ...any) {
	f.count++
	f.badTimestamp = f.badTimestamp || reason == InvalidTimestamp
	if len(f.records) < maxRecordErrors {
		f.records = append(f.records, RecordError{index, fmt.Sprintf(format, args...)})
	}
}

// refusal sums up: one bad timestamp makes the whole an INVALID_TIMESTAMP.
func (f *faults) refusal() *Refusal {
	if f.badTimestamp {
		return &Refusal{
			Reason:  InvalidTimestamp,
			Message: "One or more records have been rejected due to invalid timestamp",
			Records: f.records,
		}
	}
	var shown []string
	for _, r := range f.records[:min(len(f.records), 3)] {
		shown = append(shown, fmt.Sprintf("RecordError(batchIndex=%d, message='%s')", r.Index, r.Message))
	}
	return &Refusal{
		Reason: InvalidRecord,
		Message: fmt.Sprintf("One or more records have been rejected due to %d record errors in total, "+
			"and only showing the first three errors at most: [%s]", f.count, strings.Join(shown, ", ")),
		Records: f.records,
	}
}
