package record

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"github.com/pierrec/lz4/v4"
)

// The part of the LZ4 frame format that Kafka speaks (Lz4BlockInputStream.java):
// independent blocks, no dictionary, and the content checksum ignored. It is
// written here rather than taken from package lz4 because of the checksum of old
// messages and to decode a block straight into the reader's buffer.
const (
	lz4Magic           = 0x184D2204
	lz4VersionMask     = 0xC0
	lz4Version         = 0x40
	lz4Independent     = 1 << 5
	lz4BlockChecksum   = 1 << 4
	lz4ContentSize     = 1 << 3
	lz4ReservedFlags   = 0x03
	lz4BlockSizeShift  = 4
	lz4ReservedBlock   = 0x8F
	lz4Incompressible  = 1 << 31
	lz4BlockSize       = 64 << 10 // of the blocks we write, as Kafka does
	lz4BlockSizeID     = 4        // stands for 64 KiB
	lz4MaxExpansion    = 255      // no byte of a block decodes to more
	lz4MinHeaderSize   = 7
	lz4LegacyChecksums = 0 // the magic whose frames have a broken header checksum
)

type lz4Reader struct {
	frame         []byte // what is left of it
	maxBlock      int
	blockChecksum bool
	block         []byte // owned; holds a decoded block that did not fit the caller's buffer
	pending       []byte // of the block, not yet handed out
}

// reset starts on a frame. Clients of magic 0 computed the header's checksum over the
// wrong bytes (KAFKA-3160), so it is not looked at in theirs.
func (z *lz4Reader) reset(frame []byte, magic int8) error {
	z.pending = nil
	if len(frame) < lz4MinHeaderSize {
		return fmt.Errorf("lz4 frame of %d bytes is less than its header", len(frame))
	}
	if m := binary.LittleEndian.Uint32(frame); m != lz4Magic {
		return fmt.Errorf("lz4 frame has magic %#x", m)
	}
	flags, blockByte := frame[4], frame[5]
	if flags&lz4VersionMask != lz4Version || flags&lz4Independent == 0 || flags&lz4ReservedFlags != 0 {
		return fmt.Errorf("lz4 frame has unsupported flags %#x", flags)
	}
	sizeID := blockByte >> lz4BlockSizeShift
	if blockByte&lz4ReservedBlock != 0 || sizeID < lz4BlockSizeID {
		return fmt.Errorf("lz4 frame has block descriptor %#x", blockByte)
	}
	end := 6
	if flags&lz4ContentSize != 0 {
		end += 8
	}
	if len(frame) <= end {
		return fmt.Errorf("lz4 frame of %d bytes is less than its header", len(frame))
	}
	if magic != lz4LegacyChecksums && frame[end] != byte(xxh32(frame[4:end])>>8) {
		return fmt.Errorf("lz4 frame header is corrupt")
	}
	z.maxBlock = 1 << (8 + 2*sizeID)
	z.blockChecksum = flags&lz4BlockChecksum != 0
	z.frame = frame[end+1:]
	return nil
}

func (z *lz4Reader) Read(p []byte) (int, error) {
	if len(z.pending) == 0 {
		data, compressed, err := z.nextBlock()
		if err != nil {
			return 0, err
		}
		if !compressed {
			z.pending = data
		} else {
			size := min(z.maxBlock, lz4MaxExpansion*len(data))
			dst := p
			if len(p) < size {
				if cap(z.block) < size {
					z.block = make([]byte, size)
				}
				dst = z.block
			}
			n, err := lz4.UncompressBlock(data, dst[:size])
			if err != nil {
				return 0, fmt.Errorf("decode lz4 block: %w", err)
			}
			if len(p) >= size {
				return n, nil
			}
			z.pending = dst[:n]
		}
	}
	n := copy(p, z.pending)
	z.pending = z.pending[n:]
	return n, nil
}

// nextBlock cuts the next block off the frame, or returns io.EOF at its end mark.
func (z *lz4Reader) nextBlock() (data []byte, compressed bool, err error) {
	if len(z.frame) < 4 {
		return nil, false, io.ErrUnexpectedEOF
	}
	word := binary.LittleEndian.Uint32(z.frame)
	size := int64(word &^ lz4Incompressible)
	if size == 0 {
		return nil, false, io.EOF
	}
	if size > int64(z.maxBlock) {
		return nil, false, fmt.Errorf("lz4 block of %d bytes is larger than %d", size, z.maxBlock)
	}
	rest := z.frame[4:]
	if int64(len(rest)) < size {
		return nil, false, io.ErrUnexpectedEOF
	}
	data, rest = rest[:size], rest[size:]
	if z.blockChecksum {
		if len(rest) < 4 {
			return nil, false, io.ErrUnexpectedEOF
		}
		if binary.LittleEndian.Uint32(rest) != xxh32(data) {
			return nil, false, fmt.Errorf("lz4 block is corrupt")
		}
		rest = rest[4:]
	}
	z.frame = rest
	return data, word&lz4Incompressible == 0, nil
}

// lz4Writer writes one frame of independent blocks of 64 KiB.
type lz4Writer struct {
	out   *appender
	level int
	fast  lz4.Compressor
	high  *lz4.CompressorHC // made when first needed: its tables are large
	used  int
	block [lz4BlockSize]byte
	coded [lz4BlockSize + lz4BlockSize/255 + 32]byte
}

func (z *lz4Writer) reset(out *appender, level int, magic int8) error {
	z.out, z.level, z.used = out, level, 0
	var h [lz4MinHeaderSize]byte
	binary.LittleEndian.PutUint32(h[:], lz4Magic)
	h[4] = lz4Version | lz4Independent
	h[5] = lz4BlockSizeID << lz4BlockSizeShift
	if magic == lz4LegacyChecksums {
		h[6] = byte(xxh32(h[:6]) >> 8)
	} else {
		h[6] = byte(xxh32(h[4:6]) >> 8)
	}
	_, err := out.Write(h[:])
	return err
}

func (z *lz4Writer) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		n := copy(z.block[z.used:], p)
		z.used += n
		written += n
		p = p[n:]
		if z.used == len(z.block) {
			if err := z.flush(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

func (z *lz4Writer) flush() error {
	block := z.block[:z.used]
	z.used = 0
	n, err := z.compress(block)
	if err != nil {
		return fmt.Errorf("encode lz4 block: %w", err)
	}
	data, word := z.coded[:n], uint32(n)
	if n == 0 || n >= len(block) {
		data, word = block, uint32(len(block))|lz4Incompressible
	}
	var h [4]byte
	binary.LittleEndian.PutUint32(h[:], word)
	if _, err := z.out.Write(h[:]); err != nil {
		return err
	}
	_, err = z.out.Write(data)
	return err
}

// compress maps Kafka's levels as its lz4-java does: the default means the fast
// compressor, every other the high one.
func (z *lz4Writer) compress(block []byte) (int, error) {
	if z.level == DefaultLevel(LZ4) {
		return z.fast.CompressBlock(block, z.coded[:])
	}
	if z.high == nil {
		z.high = new(lz4.CompressorHC)
	}
	z.high.Level = lz4.CompressionLevel(1 << (8 + min(max(z.level, 1), 9)))
	return z.high.CompressBlock(block, z.coded[:])
}

func (z *lz4Writer) Close() error {
	if z.used > 0 {
		if err := z.flush(); err != nil {
			return err
		}
	}
	_, err := z.out.Write([]byte{0, 0, 0, 0})
	return err
}

const (
	xxhPrime1 uint32 = 2654435761
	xxhPrime2 uint32 = 2246822519
	xxhPrime3 uint32 = 3266489917
	xxhPrime4 uint32 = 668265263
	xxhPrime5 uint32 = 374761393
)

// xxh32 is the 32-bit xxHash of b with seed 0, the checksum of LZ4 frames.
func xxh32(b []byte) uint32 {
	round := func(acc uint32, lane []byte) uint32 {
		return bits.RotateLeft32(acc+binary.LittleEndian.Uint32(lane)*xxhPrime2, 13) * xxhPrime1
	}
	size := uint32(len(b))
	h := xxhPrime5
	if len(b) >= 16 {
		// The constants are computed at run time: they wrap, which constants may not.
		p1, p2 := xxhPrime1, xxhPrime2
		v1, v2, v3, v4 := p1+p2, p2, uint32(0), -p1
		for ; len(b) >= 16; b = b[16:] {
			v1, v2 = round(v1, b), round(v2, b[4:])
			v3, v4 = round(v3, b[8:]), round(v4, b[12:])
		}
		h = bits.RotateLeft32(v1, 1) + bits.RotateLeft32(v2, 7) +
			bits.RotateLeft32(v3, 12) + bits.RotateLeft32(v4, 18)
	}
	h += size
	for ; len(b) >= 4; b = b[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(b)*xxhPrime3, 17) * xxhPrime4
	}
	for _, c := range b {
		h = bits.RotateLeft32(h+uint32(c)*xxhPrime5, 11) * xxhPrime1
	}
	h = (h ^ h>>15) * xxhPrime2
	h = (h ^ h>>13) * xxhPrime3
	return h ^ h>>16
}
