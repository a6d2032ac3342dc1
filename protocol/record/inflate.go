package record

import (
	"encoding/binary"
	"errors"
	"io"
)

var errDeflate = errors.New("deflate stream is corrupt")

const (
	inflateHistory = 32 << 10 // how far a distance reaches back
	inflateChunk   = 64 << 10 // decoded at a time
	longestMatch   = 258
	copiedAtOnce   = 24
	// inflateSlack lets the last match of a chunk end beyond it, and be copied in words.
	inflateSlack = longestMatch + copiedAtOnce + 8
	inflateLimit = inflateHistory + inflateChunk
)

// inflater decodes DEFLATE (RFC 1951) from memory. The libraries' decoders read their input byte by byte through an
// interface, as anything that streams must; with all of it at hand, eight bytes at a time, 1 MB of log lines takes 1.4 ms
// instead of 2.2: see BenchmarkInflate.
type inflater struct {
	in   []byte
	at   int    // of the next byte of in that is not in bits
	bits uint64 // the next bits, lowest first
	have uint   // how many of them count; those above may be garbage only within decodeFast

	state      inflateState
	final      bool // the block is the last
	storedLeft int  // of a stored block

	w         int // out[:w] is decoded; the last 32 KiB of it are the history
	literals  [literalSpace]uint32
	distances [distanceSpace]uint32
	out       [inflateLimit + inflateSlack]byte
}

type inflateState uint8

const (
	atBlock inflateState = iota
	inStored
	inCodes
	atEnd
)

func (z *inflater) reset(in []byte) {
	z.in, z.at, z.bits, z.have = in, 0, 0, 0
	z.state, z.final, z.w = atBlock, false, 0
}

// rest returns the input behind the last block.
func (z *inflater) rest() []byte { return z.in[z.at-int(z.have/8):] }

// next decodes up to a chunk and returns it; it is valid until the next call. After the last there is io.EOF.
func (z *inflater) next() ([]byte, error) {
	if z.w > inflateHistory {
		copy(z.out[:inflateHistory], z.out[z.w-inflateHistory:z.w])
		z.w = inflateHistory
	}
	from := z.w
	for z.w < inflateLimit && z.state != atEnd {
		var err error
		switch z.state {
		case atBlock:
			err = z.startBlock()
		case inStored:
			err = z.copyStored()
		case inCodes:
			if err = z.decodeFast(); err == nil && z.state == inCodes && z.w < inflateLimit {
				err = z.decodeOne()
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if z.w == from {
		return nil, io.EOF
	}
	return z.out[from:z.w], nil
}

// need makes n bits available, at most 32.
func (z *inflater) need(n uint) error {
	for z.have < n {
		if z.at == len(z.in) {
			return io.ErrUnexpectedEOF
		}
		z.bits |= uint64(z.in[z.at]) << z.have
		z.at++
		z.have += 8
	}
	return nil
}

func (z *inflater) take(n uint) (uint32, error) {
	if err := z.need(n); err != nil {
		return 0, err
	}
	v := uint32(z.bits & (1<<n - 1))
	z.drop(n)
	return v, nil
}

func (z *inflater) drop(n uint) {
	z.bits >>= n
	z.have -= n
}

func (z *inflater) endBlock() {
	z.state = atBlock
	if z.final {
		z.state = atEnd
	}
}

func (z *inflater) startBlock() error {
	header, err := z.take(3)
	if err != nil {
		return err
	}
	z.final = header&1 != 0
	switch header >> 1 {
	case 0:
		return z.startStored()
	case 1:
		return z.startFixed()
	case 2:
		return z.startDynamic()
	default:
		return errDeflate
	}
}

func (z *inflater) startStored() error {
	z.drop(z.have % 8)
	size, err := z.take(16)
	if err != nil {
		return err
	}
	inverse, err := z.take(16)
	if err != nil {
		return err
	}
	if size != inverse^0xffff {
		return errDeflate
	}
	z.at -= int(z.have / 8) // whole bytes that were looked at too early
	z.bits, z.have = 0, 0
	z.storedLeft, z.state = int(size), inStored
	return nil
}

func (z *inflater) copyStored() error {
	n := copy(z.out[z.w:inflateLimit], z.in[z.at:z.at+min(z.storedLeft, len(z.in)-z.at)])
	z.w += n
	z.at += n
	z.storedLeft -= n
	if z.storedLeft == 0 {
		z.endBlock()
	} else if n == 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func (z *inflater) startFixed() error {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	var distances [32]uint8
	for i := range distances {
		distances[i] = 5
	}
	return z.startCodes(lengths[:], distances[:])
}

func (z *inflater) startCodes(literals, distances []uint8) error {
	if !buildHuffman(z.literals[:], literalWidth, literals, literalEntries[:], true) ||
		!buildHuffman(z.distances[:], distanceWidth, distances, distanceEntries[:], true) {
		return errDeflate
	}
	z.state = inCodes
	return nil
}

// Of the code in which the lengths of a dynamic block's codes are written (RFC 1951, 3.2.7).
const (
	lengthCodes     = 19
	lengthCodeWidth = 7
	copyPrevious    = 16
	zerosFew        = 17
	zerosMany       = 18
)

var lengthCodeOrder = [lengthCodes]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func (z *inflater) startDynamic() error {
	header, err := z.take(14)
	if err != nil {
		return err
	}
	literals, distances, codes := int(header&0x1f)+257, int(header>>5&0x1f)+1, int(header>>10)+4
	if literals > 286 || distances > 30 {
		return errDeflate
	}
	var codeLengths [lengthCodes]uint8
	for _, symbol := range lengthCodeOrder[:codes] {
		n, err := z.take(3)
		if err != nil {
			return err
		}
		codeLengths[symbol] = uint8(n)
	}
	var entries [lengthCodes]uint32
	for i := range entries {
		entries[i] = uint32(i) << entryValue
	}
	var table [1 << lengthCodeWidth]uint32
	if !buildHuffman(table[:], lengthCodeWidth, codeLengths[:], entries[:], false) {
		return errDeflate
	}
	var lengths [286 + 30]uint8
	if err := z.readLengths(&table, lengths[:literals+distances]); err != nil {
		return err
	}
	if lengths[256] == 0 {
		return errDeflate // the block could not end
	}
	return z.startCodes(lengths[:literals], lengths[literals:literals+distances])
}

func (z *inflater) readLengths(table *[1 << lengthCodeWidth]uint32, lengths []uint8) error {
	for i := 0; i < len(lengths); {
		symbol, err := z.symbol(table[:], lengthCodeWidth)
		if err != nil {
			return err
		}
		value, extra, least := uint8(0), uint(0), 0
		switch s := symbol >> entryValue; s {
		case copyPrevious:
			if i == 0 {
				return errDeflate
			}
			value, extra, least = lengths[i-1], 2, 3
		case zerosFew:
			extra, least = 3, 3
		case zerosMany:
			extra, least = 7, 11
		default:
			value, least = uint8(s), 1
		}
		more, err := z.take(extra)
		if err != nil {
			return err
		}
		n := least + int(more)
		if n > len(lengths)-i {
			return errDeflate
		}
		for range n {
			lengths[i] = value
			i++
		}
	}
	return nil
}

// symbol reads one code and returns its entry, which is not entrySecond.
func (z *inflater) symbol(table []uint32, width uint) (uint32, error) {
	_ = z.need(maxCodeLength) // fewer may be left, and do
	e := table[z.bits&(1<<width-1)]
	if e&entrySecond != 0 && z.have > width {
		z.drop(width)
		e = table[e>>entryValue&entryValueMask+uint32(z.bits)&(1<<(e>>entryExtra&entryExtraMask)-1)]
	}
	switch n := uint(e & entryBits); {
	case e&entrySecond != 0 || n > z.have:
		return 0, io.ErrUnexpectedEOF
	case n == 0: // no symbol has the code, or the input ended in it
		return 0, errDeflate
	default:
		z.drop(n)
		return e, nil
	}
}

// decodeOne decodes a symbol where decodeFast cannot: near the end of the input.
func (z *inflater) decodeOne() error {
	e, err := z.symbol(z.literals[:], literalWidth)
	if err != nil {
		return err
	}
	switch {
	case e&entryLiteral != 0:
		z.out[z.w] = byte(e >> entryValue)
		z.w++
		return nil
	case e&entryEnd != 0:
		z.endBlock()
		return nil
	case e&entrySpecial != 0:
		return errDeflate
	}
	extra, err := z.take(uint(e >> entryExtra & entryExtraMask))
	if err != nil {
		return err
	}
	length := int(e>>entryValue&entryValueMask + extra)
	if e, err = z.symbol(z.distances[:], distanceWidth); err != nil {
		return err
	}
	if e&entrySpecial != 0 {
		return errDeflate
	}
	if extra, err = z.take(uint(e >> entryExtra & entryExtraMask)); err != nil {
		return err
	}
	distance := int(e>>entryValue&entryValueMask + extra)
	if distance > z.w {
		return errDeflate
	}
	for range length {
		z.out[z.w] = z.out[z.w-distance]
		z.w++
	}
	return nil
}

// decodeFast decodes while there are eight bytes of input to load and room for a match. It loads at least 56 bits at a
// time, keeping those that do not fill a byte: they are loaded again, to the same effect.
func (z *inflater) decodeFast() error {
	in, at, bits, have, w := z.in, z.at, z.bits, z.have, z.w
	out, literals, distances := &z.out, &z.literals, &z.distances
	var e uint32
	var failed error
	for w < inflateLimit && len(in)-at >= 16 {
		bits |= binary.LittleEndian.Uint64(in[at:]) << (have & 63)
		at += int((63 - have) >> 3)
		have |= 56
		e = literals[bits&(1<<literalWidth-1)]
		if e&entryLiteral != 0 { // its code is in the first table: three of them fit into the bits
			bits >>= e & 0x3f
			have -= uint(e & entryBits)
			out[w] = byte(e >> entryValue)
			w++
			if e = literals[bits&(1<<literalWidth-1)]; e&entryLiteral != 0 {
				bits >>= e & 0x3f
				have -= uint(e & entryBits)
				out[w] = byte(e >> entryValue)
				w++
				if e = literals[bits&(1<<literalWidth-1)]; e&entryLiteral != 0 {
					bits >>= e & 0x3f
					have -= uint(e & entryBits)
					out[w] = byte(e >> entryValue)
					w++
					continue
				}
			}
		}
		if e&entrySecond != 0 {
			bits >>= literalWidth
			have -= literalWidth
			e = literals[e>>entryValue&entryValueMask+uint32(bits)&(1<<(e>>entryExtra&entryExtraMask)-1)]
		}
		bits >>= e & 0x3f
		have -= uint(e & entryBits)
		if e&(entryLiteral|entrySpecial) != 0 {
			if e&entryLiteral != 0 {
				out[w] = byte(e >> entryValue)
				w++
				continue
			}
			if e&entryEnd == 0 {
				failed = errDeflate
			}
			break
		}
		extra := e >> entryExtra & entryExtraMask
		length := int(e>>entryValue&entryValueMask + uint32(bits)&(1<<(extra&entryExtraMask)-1))
		bits >>= extra & 0x3f
		have -= uint(extra)

		bits |= binary.LittleEndian.Uint64(in[at:]) << (have & 63)
		at += int((63 - have) >> 3)
		have |= 56
		d := distances[bits&(1<<distanceWidth-1)]
		if d&entrySecond != 0 {
			bits >>= distanceWidth
			have -= distanceWidth
			d = distances[d>>entryValue&entryValueMask+uint32(bits)&(1<<(d>>entryExtra&entryExtraMask)-1)]
		}
		bits >>= d & 0x3f
		have -= uint(d & entryBits)
		extra = d >> entryExtra & entryExtraMask
		distance := int(d>>entryValue&entryValueMask + uint32(bits)&(1<<(extra&entryExtraMask)-1))
		bits >>= extra & 0x3f
		have -= uint(extra)
		if d&entrySpecial != 0 || distance > w {
			failed = errDeflate
			break
		}
		copyMatch(out, w, distance, length)
		w += length
	}
	z.at, z.bits, z.have, z.w = at, bits&(1<<have-1), have, w
	if e&(entryLiteral|entryEnd) == entryEnd && failed == nil {
		z.endBlock()
	}
	return failed
}

// copyMatch repeats what was decoded distance bytes ago; it may write up to 24 bytes more. Most matches are short, and
// copying three words costs less than guessing wrong when to stop.
func copyMatch(out *[inflateLimit + inflateSlack]byte, w, distance, length int) {
	if distance < 8 {
		for i := w; i < w+length; i++ {
			out[i] = out[i-distance]
		}
		return
	}
	to, from := (*[copiedAtOnce]byte)(out[w:]), (*[copiedAtOnce]byte)(out[w-distance:])
	binary.LittleEndian.PutUint64(to[0:], binary.LittleEndian.Uint64(from[0:]))
	binary.LittleEndian.PutUint64(to[8:], binary.LittleEndian.Uint64(from[8:]))
	binary.LittleEndian.PutUint64(to[16:], binary.LittleEndian.Uint64(from[16:]))
	for i := w + copiedAtOnce; i < w+length; i += 8 {
		binary.LittleEndian.PutUint64(out[i:], binary.LittleEndian.Uint64(out[i-distance:]))
	}
}
