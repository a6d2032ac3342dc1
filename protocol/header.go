package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// RequestHeader is the head of every request.
type RequestHeader struct {
	Key           int16
	Version       int16
	CorrelationID int32
	ClientID      string // empty when null
}

// Errors of headers. A connection that sends one is closed without an answer, as
// Kafka does, because no answer could be understood.
var (
	ErrHeaderTooShort     = errors.New("request header is cut short")
	ErrUnknownAPI         = errors.New("unknown api key")
	ErrUnsupportedVersion = errors.New("unsupported api version")
)

// ParseHeader reads the header of a frame (without its size) and returns the body, which aliases the
// frame. Unknown keys and versions are errors, but ApiVersions of any version is not (its answer tells
// the client). With an error the header is filled as far as it could be read.
func ParseHeader(frame []byte) (h RequestHeader, body []byte, err error) {
	body, err = h.Parse(frame)
	return h, body, err
}

// Parse is ParseHeader into a header that is used again: when the client id is
// the one that h holds already, its string is kept and nothing is allocated.
func (h *RequestHeader) Parse(frame []byte) (body []byte, err error) {
	clientID := h.ClientID
	*h = RequestHeader{}
	if len(frame) < 8 {
		return nil, fmt.Errorf("%w: %d bytes", ErrHeaderTooShort, len(frame))
	}
	h.Key = int16(binary.BigEndian.Uint16(frame))
	h.Version = int16(binary.BigEndian.Uint16(frame[2:]))
	h.CorrelationID = int32(binary.BigEndian.Uint32(frame[4:]))
	rest := frame[8:]

	api, known := Lookup(h.Key)
	if !known {
		return nil, fmt.Errorf("%w %d", ErrUnknownAPI, h.Key)
	}
	if h.Key == KeyControlledShutdown && h.Version == 0 {
		return rest, nil // header v0 has no client id
	}
	// The client id is read before the version is refused, so that the refusal can
	// say whose client it is.
	raw, rest, err := cutNullableString(rest)
	if err != nil {
		return nil, fmt.Errorf("read client id of %s v%d: %w", api.Name, h.Version, err)
	}
	if string(raw) == clientID { // compares without allocating
		h.ClientID = clientID
	} else {
		h.ClientID = string(raw)
	}
	if !api.Supports(h.Version) && h.Key != KeyApiVersions {
		return nil, fmt.Errorf("%w: %s v%d, supported are v%d to v%d", ErrUnsupportedVersion, api.Name, h.Version, api.Min, api.Max)
	}
	if api.IsFlexible(h.Version) {
		if rest, err = skipTags(rest); err != nil {
			return nil, fmt.Errorf("read header tags of %s v%d: %w", api.Name, h.Version, err)
		}
	}
	return rest, nil
}

// AppendResponseHeader appends the response header (not the size) of the call.
func AppendResponseHeader(dst []byte, h RequestHeader) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.CorrelationID))
	// ApiVersions answers with header v0 in every version: a client that does not know the
	// broker's versions yet could not parse another (KIP-511).
	if api, ok := Lookup(h.Key); ok && h.Key != KeyApiVersions && api.IsFlexible(h.Version) {
		dst = append(dst, 0) // no tagged fields
	}
	return dst
}

// cutNullableString cuts a string with an int16 length off b; null gives an empty one.
func cutNullableString(b []byte) (s, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, ErrHeaderTooShort
	}
	size := int(int16(binary.BigEndian.Uint16(b)))
	b = b[2:]
	if size < 0 {
		return nil, b, nil
	}
	if size > len(b) {
		return nil, nil, ErrHeaderTooShort
	}
	return b[:size], b[size:], nil
}

// skipTags skips a section of tagged fields: a count, then tag, size and bytes of each.
func skipTags(b []byte) ([]byte, error) {
	count, b, err := cutUvarint(b)
	if err != nil {
		return nil, err
	}
	// The loop ends by itself: each field takes at least two bytes of b.
	for ; count > 0; count-- {
		if _, b, err = cutUvarint(b); err != nil {
			return nil, err
		}
		var size uint64
		if size, b, err = cutUvarint(b); err != nil {
			return nil, err
		}
		if size > uint64(len(b)) {
			return nil, ErrHeaderTooShort
		}
		b = b[size:]
	}
	return b, nil
}

func cutUvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > 1<<32-1 {
		return 0, nil, ErrHeaderTooShort
	}
	return v, b[n:], nil
}
