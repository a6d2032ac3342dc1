package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// maxResponse is Kafka's default of socket.request.max.bytes: no broker
	// sends more, and a larger size means that the bytes are not Kafka's.
	maxResponse = 100 << 20
	// readStep bounds what is allocated before the bytes for it arrived.
	readStep = 1 << 20

	keyControlledShutdown = 7
	keyAPIVersions        = 18
)

var errShort = errors.New("response is too short")

// appendRequest appends the size, the header and the body of a request. The
// header is version 2 (with tags) for flexible requests and 1 otherwise; the
// client id is never compact. ControlledShutdown v0 has header version 0,
// which has no client id.
func appendRequest(dst []byte, r kmsg.Request, correlationID int32, clientID string) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(r.Key()))
	dst = binary.BigEndian.AppendUint16(dst, uint16(r.GetVersion()))
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlationID))
	if r.Key() != keyControlledShutdown || r.GetVersion() != 0 {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(clientID)))
		dst = append(dst, clientID...)
	}
	if r.IsFlexible() {
		dst = append(dst, 0) // no tags
	}
	body := len(dst)
	dst = r.AppendTo(dst)
	toKafka(r, dst[body:])
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// readFrame reads one sized frame into the memory of buffer, which it grows as bytes arrive where
// that is too small.
func readFrame(r io.Reader, buffer []byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("read the size of a response: %w", err)
	}
	size := int64(int32(binary.BigEndian.Uint32(head[:])))
	if size < 4 || size > maxResponse {
		return nil, fmt.Errorf("response of %d bytes is outside 4 to %d", size, maxResponse)
	}
	frame := buffer[:0]
	for int64(len(frame)) < size {
		have := len(frame)
		// As much as came already, or as there is memory for.
		want := int(min(size-int64(have), max(readStep, int64(have), int64(cap(frame)-have))))
		if cap(frame)-have < want {
			grown := make([]byte, have, have+want)
			copy(grown, frame)
			frame = grown
		}
		frame = frame[:have+want]
		if _, err := io.ReadFull(r, frame[have:]); err != nil {
			return nil, fmt.Errorf("read a response of %d bytes: %w", size, err)
		}
	}
	return frame, nil
}

// parseResponse checks the header of a frame and decodes the body into
// response, which aliases frame then.
func parseResponse(frame []byte, r kmsg.Request, response kmsg.Response, correlationID int32) error {
	if len(frame) < 4 {
		return errShort
	}
	if got := int32(binary.BigEndian.Uint32(frame)); got != correlationID {
		return fmt.Errorf("response has correlation id %d where %d was sent", got, correlationID)
	}
	body := frame[4:]
	// ApiVersions answers with header version 0 whatever its own version.
	if r.IsFlexible() && r.Key() != keyAPIVersions {
		var err error
		if body, err = skipTags(body); err != nil {
			return err
		}
	}
	response.SetVersion(r.GetVersion())
	if err := response.ReadFrom(body); err != nil {
		return fmt.Errorf("decode response: %w", err)
	}
	return nil
}

// skipTags steps over the tagged fields of a response header (KIP-482).
func skipTags(b []byte) ([]byte, error) {
	count, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, errShort
	}
	b = b[n:]
	for ; count > 0; count-- {
		if _, n = binary.Uvarint(b); n <= 0 {
			return nil, errShort
		}
		b = b[n:]
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, errShort
		}
		b = b[n+int(size):]
	}
	return b, nil
}
