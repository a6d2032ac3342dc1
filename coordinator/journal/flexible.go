package journal

import "github.com/twmb/franz-go/pkg/kbin"

// noTags is an empty list of tagged fields.
const noTags byte = 0

// appendTag appends a list of tagged fields with one field, of tag 0: none of the records has more.
func appendTag(dst, field []byte) []byte {
	dst = append(dst, 1, 0)
	dst = kbin.AppendUvarint(dst, uint32(len(field)))
	return append(dst, field...)
}

// appendInt64Tag appends the list of tagged fields of a record whose only one is an int64 with the default 0.
func appendInt64Tag(dst []byte, field int64) []byte {
	if field == 0 {
		return append(dst, noTags)
	}
	return kbin.AppendInt64(append(dst, 1, 0, 8), field)
}

func appendCompactStrings(dst []byte, list []string) []byte {
	dst = kbin.AppendCompactArrayLen(dst, len(list))
	for _, s := range list {
		dst = kbin.AppendCompactString(dst, s)
	}
	return dst
}

func appendCompactInt32s(dst []byte, list []int32) []byte {
	dst = kbin.AppendCompactArrayLen(dst, len(list))
	for _, i := range list {
		dst = kbin.AppendInt32(dst, i)
	}
	return dst
}

// readTags reads a list of tagged fields. The one with tag 0 is given to known, if that is not nil; others are skipped.
func readTags(r *kbin.Reader, known func(field *kbin.Reader)) {
	for n := r.Uvarint(); n > 0 && r.Ok(); n-- {
		tag := r.Uvarint()
		field := kbin.Reader{Src: r.Span(int(r.Uvarint()))}
		if tag != 0 || known == nil || !r.Ok() {
			continue
		}
		known(&field)
		if !field.Ok() {
			invalidate(r)
		}
	}
}

// readArray reads an array that may not be null.
func readArray[T any](r *kbin.Reader, read func(*kbin.Reader) T) []T {
	list := readNullableArray(r, read)
	if list == nil {
		invalidate(r)
	}
	return list
}

// readNullableArray reads an array; nil for a null one, and when the bytes do not hold as much as they say. Memory grows
// with the elements that are there, each of which has at least one byte: a length alone allocates next to nothing.
func readNullableArray[T any](r *kbin.Reader, read func(*kbin.Reader) T) []T {
	n := int(r.Uvarint()) - 1
	if n > len(r.Src) {
		invalidate(r)
	}
	if n < 0 || !r.Ok() {
		return nil
	}
	list := make([]T, 0, min(n, 64))
	for range n {
		element := read(r)
		if !r.Ok() {
			return nil
		}
		list = append(list, element)
	}
	return list
}

// invalidate makes the reader fail, which kbin does by itself only for bytes that are missing.
func invalidate(r *kbin.Reader) { r.Span(-1) }
