package record

// Varints as record batches use them: zig-zag, then base 128 with the low groups
// first (Kafka: ByteUtils.java). Bits beyond the width of the type are dropped.

const (
	maxVarintSize  = 5
	maxVarlongSize = 10
)

// varint decodes an int32 at p[i:] and returns it with the position after it,
// or a negative position when p ends inside it or it is too long.
func varint(p []byte, i int) (int32, int) {
	if i < len(p) && p[i] < 0x80 {
		return int32(p[i]>>1) ^ -int32(p[i]&1), i + 1
	}
	return longVarint(p, i)
}

func longVarint(p []byte, i int) (int32, int) {
	var v uint32
	for shift := 0; shift < 7*maxVarintSize; shift += 7 {
		if i >= len(p) {
			return 0, -1
		}
		b := p[i]
		i++
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return int32(v>>1) ^ -int32(v&1), i
		}
	}
	return 0, -1
}

// varlong is varint for an int64.
func varlong(p []byte, i int) (int64, int) {
	var v uint64
	for shift := 0; shift < 7*maxVarlongSize; shift += 7 {
		if i >= len(p) {
			return 0, -1
		}
		b := p[i]
		i++
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return int64(v>>1) ^ -int64(v&1), i
		}
	}
	return 0, -1
}

func appendVarlong(dst []byte, x int64) []byte {
	v := uint64(x)<<1 ^ uint64(x>>63)
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

// A varint is a varlong of the same number: both zig-zag to the same bits.
func appendVarint(dst []byte, x int32) []byte { return appendVarlong(dst, int64(x)) }

func varlongSize(x int64) int {
	size := 1
	for v := uint64(x)<<1 ^ uint64(x>>63); v >= 0x80; v >>= 7 {
		size++
	}
	return size
}
