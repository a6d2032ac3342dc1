package record

// Entries of a huffmanTable, from the lowest bit: bits 0-7 how many bits the code has (in a
// second table: what it has beyond the first's), 8-12 how many extra bits follow it, 16-30 the value: a
// literal byte, what extra bits are added to, or where a second table starts.
const (
	entryLiteral = 1 << 31
	entrySpecial = 1 << 15 // none of a literal, a length or a distance
	entrySecond  = 1 << 14 // special: the code is longer than the first table's width; extra is the width of the second
	entryEnd     = 1 << 13 // special: the end of a block
	// A bare entrySpecial is a code that no symbol has.

	entryBits      = 0xff
	entryExtra     = 8
	entryExtraMask = 0x1f
	entryValue     = 16
	entryValueMask = 0x7fff
)

const (
	maxCodeLength = 15
	// The first tables are as wide as most codes are long; what these widths can need in all was counted by
	// zlib's examples/enough.c for 288 and 32 symbols.
	literalWidth  = 11
	literalSpace  = 2342
	distanceWidth = 8
	distanceSpace = 402
)

// buildHuffman fills a table for a canonical code (RFC 1951, 3.2.2) from the lengths of its symbols' codes. entries are
// the symbols' values, without bits. It accepts what zlib does: besides complete codes one symbol of one bit, when single is
// set, and no symbol at all, which fails once it is used.
func buildHuffman(table []uint32, width int, lengths []uint8, entries []uint32, single bool) bool {
	var count [maxCodeLength + 1]int
	for _, n := range lengths {
		count[n]++
	}
	longest := maxCodeLength
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	left := 1
	for n := 1; n <= maxCodeLength; n++ {
		if left = left<<1 - count[n]; left < 0 {
			return false
		}
	}
	if longest > 0 && left > 0 && (!single || longest != 1) {
		return false
	}
	for i := range table[:1<<width] {
		table[i] = entrySpecial
	}
	fillHuffman(table, width, lengths, entries, &count, longest)
	return true
}

// fillHuffman goes through the symbols by the length of their codes. Codes are read from their highest bit on, and the
// bits of the input come lowest first, so that reversed codes are the index.
func fillHuffman(table []uint32, width int, lengths []uint8, entries []uint32, count *[maxCodeLength + 1]int, longest int) {
	var sorted [288]uint16
	var start [maxCodeLength + 2]int
	for n := 1; n <= maxCodeLength; n++ {
		start[n+1] = start[n] + count[n]
	}
	for symbol, n := range lengths {
		if n > 0 {
			sorted[start[n]] = uint16(symbol)
			start[n]++
		}
	}
	reversed, at := 0, 0
	next, prefix, second, secondWidth := 1<<width, -1, 0, 0
	for n := 1; n <= longest; n++ {
		for count[n] > 0 {
			entry := entries[sorted[at]]
			at++
			if n <= width {
				for i := reversed; i < 1<<width; i += 1 << n {
					table[i] = entry | uint32(n)
				}
			} else {
				if low := reversed & (1<<width - 1); low != prefix {
					prefix, second, secondWidth = low, next, widthOfSecond(count, n, width, longest)
					next += 1 << secondWidth
					table[low] = entrySpecial | entrySecond | uint32(second)<<entryValue | uint32(secondWidth)<<entryExtra | uint32(width)
				}
				for i := reversed >> width; i < 1<<secondWidth; i += 1 << (n - width) {
					table[second+i] = entry | uint32(n-width)
				}
			}
			count[n]--
			// One more, counted from the highest bit.
			bit := 1 << (n - 1)
			for reversed&bit != 0 {
				bit >>= 1
			}
			reversed = reversed&(bit-1) + bit
		}
	}
}

// widthOfSecond is how wide a second table must be for the codes that are left and start with the same bits.
func widthOfSecond(count *[maxCodeLength + 1]int, n, width, longest int) int {
	w := n - width
	for left := 1 << w; w+width < longest; w++ {
		if left -= count[w+width]; left <= 0 {
			break
		}
		left <<= 1
	}
	return w
}

// lengthEntries, distanceEntries and literal values of DEFLATE (RFC 1951, 3.2.5).
func deflateEntries() (literals [288]uint32, distances [32]uint32) {
	for i := range 256 {
		literals[i] = entryLiteral | uint32(i)<<entryValue
	}
	literals[256] = entrySpecial | entryEnd
	base := uint32(3)
	for i := range uint32(28) {
		extra := uint32(0)
		if i >= 8 {
			extra = i/4 - 1
		}
		literals[257+i] = base<<entryValue | extra<<entryExtra
		base += 1 << extra
	}
	literals[285] = 258 << entryValue
	literals[286], literals[287] = entrySpecial, entrySpecial
	base = 1
	for i := range uint32(30) {
		extra := uint32(0)
		if i >= 4 {
			extra = i/2 - 1
		}
		distances[i] = base<<entryValue | extra<<entryExtra
		base += 1 << extra
	}
	distances[30], distances[31] = entrySpecial, entrySpecial
	return literals, distances
}

var literalEntries, distanceEntries = deflateEntries()
