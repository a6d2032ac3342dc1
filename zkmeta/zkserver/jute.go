package zkserver

import (
	"encoding/binary"
)

// reader decodes jute records. The first read beyond the end makes it bad; from
// then on all reads give zero values. It never allocates more than the bytes it holds.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) int32() int32 {
	if p := r.take(4); p != nil {
		return int32(binary.BigEndian.Uint32(p))
	}
	return 0
}

func (r *reader) int64() int64 {
	if p := r.take(8); p != nil {
		return int64(binary.BigEndian.Uint64(p))
	}
	return 0
}

func (r *reader) bool() bool {
	p := r.take(1)
	return p != nil && p[0] != 0
}

// buffer returns a copy of the bytes, nil for null.
func (r *reader) buffer() []byte {
	n := r.int32()
	if n == -1 || r.bad {
		return nil
	}
	p := r.take(int(n))
	if r.bad {
		return nil
	}
	return append([]byte{}, p...)
}

// string reads a string; null reads as empty.
func (r *reader) string() string {
	n := r.int32()
	if n == -1 {
		return ""
	}
	return string(r.take(int(n)))
}

// count reads the length of a vector whose elements take at least size bytes.
func (r *reader) count(size int) int {
	n := int(r.int32())
	if n == -1 {
		return 0
	}
	if n < 0 || n > len(r.b)/size {
		r.b, r.bad = nil, true
		return 0
	}
	return n
}

func (r *reader) strings() []string {
	list := make([]string, r.count(4))
	for i := range list {
		list[i] = r.string()
	}
	return list
}

func (r *reader) acls() []acl {
	list := make([]acl, r.count(12))
	for i := range list {
		list[i] = acl{perms: r.int32(), scheme: r.string(), id: r.string()}
	}
	return list
}

// writer encodes jute records.
type writer struct{ b []byte }

func (w *writer) int32(v int32) { w.b = binary.BigEndian.AppendUint32(w.b, uint32(v)) }
func (w *writer) int64(v int64) { w.b = binary.BigEndian.AppendUint64(w.b, uint64(v)) }

func (w *writer) bool(v bool) {
	if v {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

func (w *writer) buffer(p []byte) {
	if p == nil {
		w.int32(-1)
		return
	}
	w.int32(int32(len(p)))
	w.b = append(w.b, p...)
}

func (w *writer) string(s string) {
	w.int32(int32(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) strings(list []string) {
	w.int32(int32(len(list)))
	for _, s := range list {
		w.string(s)
	}
}

func (w *writer) acls(list []acl) {
	w.int32(int32(len(list)))
	for _, a := range list {
		w.int32(a.perms)
		w.string(a.scheme)
		w.string(a.id)
	}
}

// newFrame begins a frame; its length is filled in by frame.
func newFrame() *writer { return &writer{b: make([]byte, 4, 128)} }

func (w *writer) frame() []byte {
	binary.BigEndian.PutUint32(w.b, uint32(len(w.b)-4))
	return w.b
}

// newReply begins an answer.
func newReply(xid int32, zxid int64, c code) *writer {
	w := newFrame()
	w.int32(xid)
	w.int64(zxid)
	w.int32(int32(c))
	return w
}
