package journal

import (
	"math"
	"unicode/utf16"
	"unicode/utf8"
)

// PartitionFor returns the partition of an internal topic that holds a group or a transactional id: the absolute value
// of Java's String.hashCode, modulo the number of partitions, which must be positive. As in Kafka's Utils.abs the
// absolute value of the smallest int is 0.
//
// The id is what came over the wire. Bytes that are not UTF-8 count as Java reads them.
func PartitionFor(id string, partitions int32) int32 {
	h := javaHash(id)
	switch {
	case h == math.MinInt32:
		return 0
	case h < 0:
		return -h % partitions
	default:
		return h % partitions
	}
}

// javaHash is String.hashCode of the string that Java decodes from UTF-8: over UTF-16 units, in wrapping arithmetic.
func javaHash(s string) (h int32) {
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			size = malformed(s)
			h = 31*h + utf8.RuneError
		case r > math.MaxUint16:
			high, low := utf16.EncodeRune(r)
			h = 31*(31*h+high) + low
		default:
			h = 31*h + r
		}
		s = s[size:]
	}
	return h
}

// malformed returns how many bytes at the head of s, which is not UTF-8 there, Java replaces by one U+FFFD: the longest
// part that could still have become a character, and a surrogate as a whole. Go would replace each byte.
func malformed(s string) int {
	tail, low, high := 0, byte(0x80), byte(0xbf)
	switch first := s[0]; {
	case first >= 0xc2 && first <= 0xdf:
		tail = 1
	case first >= 0xe0 && first <= 0xef:
		tail = 2
		if first == 0xe0 {
			low = 0xa0
		}
	case first >= 0xf0 && first <= 0xf4:
		tail = 3
		if first == 0xf0 {
			low = 0x90
		}
		if first == 0xf4 {
			high = 0x8f
		}
	}
	size := 1
	for ; size <= tail && size < len(s) && s[size] >= low && s[size] <= high; size++ {
		low, high = 0x80, 0xbf // only the second byte is bounded by the first
	}
	return size
}
