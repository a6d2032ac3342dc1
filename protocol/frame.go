package protocol

import (
	"encoding/binary"
	"fmt"
	"io"
)

// SizeBytes is the size of the field that precedes every frame.
const SizeBytes = 4

// Memory for a frame grows with what comes of it: a peer that announces a giant and sends nothing must not cost a giant.
// Producers' batches are 1 MiB at most unless configured otherwise; theirs is not copied.
const (
	oneStep     = 1 << 20  // size up to which a frame gets all its memory at once
	firstBytes  = 64 << 10 // of a larger one
	secondBytes = 4 << 20  // of one that is larger still: the largest that is pooled
)

// SizeError is the error of a frame whose size is negative or above the limit.
type SizeError struct {
	Size, Max int32
	// Looks says what the four bytes look like if they do not come from a Kafka
	// client, or is empty.
	Looks string
}

// Error names the size, the limit and, where it can, the mistake.
func (e *SizeError) Error() string {
	s := fmt.Sprintf("frame of %d bytes is outside 0 to %d", e.Size, e.Max)
	if e.Looks != "" {
		s += ": the bytes look like " + e.Looks
	}
	return s
}

// FrameSize reads a frame's size from its first four bytes and checks it against max. The
// error is a *SizeError.
func FrameSize(head []byte, max int32) (int, error) {
	size := int32(binary.BigEndian.Uint32(head))
	if size < 0 || size > max {
		return 0, &SizeError{Size: size, Max: max, Looks: looksLike(head[:SizeBytes])}
	}
	return int(size), nil
}

// ReadFrame reads a frame's size and then the frame into a buffer taken from pool after the size was
// checked against max. Errors name the size (and look like TLS, HTTP or other protocols when they do). An
// end of input before the first byte is io.EOF, within a frame io.ErrUnexpectedEOF.
func ReadFrame(r io.Reader, max int32, pool *Buffers) ([]byte, error) {
	var head [SizeBytes]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size, err := FrameSize(head[:], max)
	if err != nil {
		return nil, err
	}
	return ReadBody(r, size, pool)
}

// ReadBody reads the size bytes of a frame after its size was read and checked. The
// caller owns the buffer and gives it back to pool.
func ReadBody(r io.Reader, size int, pool *Buffers) ([]byte, error) {
	return ReadBodyWithin(r, size, pool, func() error { return nil })
}

// ReadBodyWithin is ReadBody for a caller that bounds memory: it calls admit before it takes the buffer for the whole frame,
// once the peer has sent as much as shows that it means it, and returns what admit returns if that is an error. Before
// admit it holds 64 KiB at most.
func ReadBodyWithin(r io.Reader, size int, pool *Buffers, admit func() error) (frame []byte, err error) {
	if size > oneStep {
		if frame, err = grow(r, frame, firstBytes, size, pool); err != nil {
			return nil, err
		}
	}
	if err := admit(); err != nil {
		pool.Give(frame)
		return nil, err
	}
	if size > secondBytes {
		if frame, err = grow(r, frame, secondBytes, size, pool); err != nil {
			return nil, err
		}
	}
	return grow(r, frame, size, size, pool)
}

// grow takes a longer buffer for the start of a frame of size bytes, and reads it full. After an error there is no buffer.
func grow(r io.Reader, start []byte, length, size int, pool *Buffers) ([]byte, error) {
	longer := pool.Take(length)
	n := copy(longer, start)
	pool.Give(start)
	if err := fill(r, longer, n, size); err != nil {
		pool.Give(longer)
		return nil, err
	}
	return longer, nil
}

// fill reads the bytes of a frame of size bytes from position n on.
func fill(r io.Reader, frame []byte, n, size int) error {
	more, err := io.ReadFull(r, frame[n:])
	switch {
	case err == nil:
		return nil
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return fmt.Errorf("frame of %d bytes ends %d bytes early: %w", size, size-n-more, io.ErrUnexpectedEOF)
	default:
		return fmt.Errorf("read frame of %d bytes: %w", size, err)
	}
}

// looksLike guesses what protocol starts with the four bytes.
func looksLike(head []byte) string {
	if head[0] == 0x16 && head[1] == 0x03 {
		return "a TLS handshake on a plaintext listener"
	}
	switch string(head) {
	case "GET ", "POST", "PUT ", "HEAD", "DELE", "OPTI", "PATC", "CONN", "TRAC":
		return "an HTTP request"
	case "PRI ":
		return "an HTTP/2 connection"
	case "HTTP":
		return "an HTTP response"
	case "SSH-":
		return "an SSH connection"
	case "PROX":
		return "a PROXY protocol header"
	}
	if string(head) == "\r\n\r\n" || printable(head) {
		return fmt.Sprintf("text: %q", head)
	}
	return ""
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
