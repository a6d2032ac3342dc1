package protocol

import (
	"math/bits"
	"sync"
	"unsafe"
)

// The classes are the powers of two from 512 bytes to 4 MiB. Producers' batches
// are 1 MiB at most unless configured otherwise, and a fetch answer leaves from
// files, so that larger frames are rare: they are allocated and collected.
const (
	minClass = 9
	maxClass = 22
)

// Buffers is a pool of frames in classes of size. The zero value is ready. It may be used from several
// goroutines. Memory that is not taken again is freed by the garbage collector's next two runs, and
// buffers above the largest class are never kept.
type Buffers struct {
	// Each pool holds pointers to the first byte of buffers of its class's size: a pointer fits in
	// the interface that sync.Pool stores, where a slice would be allocated anew at each Give.
	classes [maxClass - minClass + 1]sync.Pool
}

// Take returns a buffer of the length size, with what contents nobody knows. A size
// of 0 gives an empty buffer.
func (b *Buffers) Take(size int) []byte {
	class := classOf(size)
	if class > maxClass {
		return make([]byte, size)
	}
	if p, ok := b.classes[class-minClass].Get().(*byte); ok {
		return unsafe.Slice(p, 1<<class)[:size]
	}
	return make([]byte, size, 1<<class)
}

// Give returns a buffer that Take gave. Nothing may alias it any more. Buffers
// that do not have the capacity of a class are left to the garbage collector.
func (b *Buffers) Give(buf []byte) {
	size := cap(buf)
	class := bits.Len(uint(size)) - 1
	if size == 0 || class < minClass || class > maxClass || size != 1<<class {
		return
	}
	poison(buf[:size])
	b.classes[class-minClass].Put(unsafe.SliceData(buf[:size]))
}

// classOf returns the smallest class that holds size bytes.
func classOf(size int) int {
	if size <= 1<<minClass {
		return minClass
	}
	return bits.Len(uint(size - 1))
}
