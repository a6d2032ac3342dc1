package protocol

import "io"

// ErrorCode is Kafka's error code (Kafka: Errors.java). Constants in errors.go: None, OffsetOutOfRange, NotLeaderOrFollower, ...
type ErrorCode = int16

// ErrorName gives Kafka's name, as NOT_LEADER_OR_FOLLOWER. ErrorMessage gives Kafka's default text of a code
// (what AdminClient users see in error_message when a broker sends Errors.message()).
func ErrorName(code ErrorCode) string    { panic("unwritten") }
func ErrorMessage(code ErrorCode) string { panic("unwritten") }

// RequestHeader is the head of every request.
type RequestHeader struct {
	Key           int16
	Version       int16
	CorrelationID int32
	ClientID      string // empty when null
}

// API is a row of the version table: what Kafka 3.9 in ZooKeeper mode advertises, and what kbroker adds.
type API struct {
	Key      int16
	Name     string
	Min, Max int16
	Flexible int16 // the first flexible version
}

// APIs is the table, by key.
func APIs() []API                  { panic("unwritten") }
func Lookup(key int16) (API, bool) { panic("unwritten") }

// ParseHeader reads the header of a frame (without its size) and returns the body. Unknown keys and versions are
// errors, but ApiVersions of any version is not (its answer tells the client).
func ParseHeader(frame []byte) (h RequestHeader, body []byte, err error) { panic("unwritten") }

// AppendResponseHeader appends the response header (not the size) of the call.
func AppendResponseHeader(dst []byte, h RequestHeader) []byte { panic("unwritten") }

// ReadFrame reads a frame's size and then the frame into a buffer taken from pool after the size was
// checked against max. Errors name the size (and look like TLS, HTTP or other protocols when they do).
func ReadFrame(r io.Reader, max int32, pool *Buffers) ([]byte, error) { panic("unwritten") }

// Buffers is a pool of frames in classes of size.
type Buffers struct{}

func (b *Buffers) Take(size int) []byte { panic("unwritten") }
func (b *Buffers) Give(buf []byte)      { panic("unwritten") }
