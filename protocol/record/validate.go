package record

// Rules say what a leader demands of the batches it appends: the topic's
// configuration as far as it is about records.
type Rules struct {
	MaxMessageBytes    int           // max.message.bytes
	Compacted          bool          // cleanup.policy has compact: every record needs a key
	TimestampType      TimestampType // message.timestamp.type
	TimestampBeforeMax int64         // message.timestamp.before.max.ms
	TimestampAfterMax  int64         // message.timestamp.after.max.ms
	// Recompress is false for compression.type=producer. When true, a batch of
	// another codec than Target is rewritten.
	Recompress bool
	Target     Codec
	Level      int // of Target; meaningful for gzip, lz4 and zstd
}

// Checked is a batch that passed Validate, ready to be given an offset.
type Checked struct {
	Batch Batch // the bytes to append: those of the request, or new ones when converted
	// AppendTime is the log append time in milliseconds for the answer, or
	// NoTimestamp with CreateTime.
	AppendTime int64
}

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

// Refusal is the error of a batch that breaks a rule.
type Refusal struct {
	Reason  Reason
	Message string
	Records []RecordError // empty when the batch as a whole is at fault
}

func (r *Refusal) Error() string { return r.Message }

// Validate checks the records of one partition of a produce request of the given
// version as Kafka's LogValidator does, at time now in milliseconds, and converts them
// where the rules ask for it. The error is a *Refusal. The result may alias b,
// whose bytes it may patch.
func Validate(b []byte, rules Rules, produceVersion int16, now int64) (Checked, error) {
	panic("unwritten")
}
