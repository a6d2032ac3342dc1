package vfs

// pageSize is the unit of allocation of Mem: what a hole costs nothing of, and
// what Space and the capacity count.
const pageSize = 4096

// owner marks the pages a content may write in place; all others are shared
// with a durable state or a crash clone and are copied first.
type owner struct{ _ byte }

type page struct {
	owner *owner
	bytes [pageSize]byte
}

// content is the bytes of a file, sparse: a nil page reads as zeros. Bytes
// beyond size in the last page are always zero.
type content struct {
	size  int64
	pages []*page
}

func (c *content) readAt(p []byte, offset int64) int {
	if offset >= c.size {
		return 0
	}
	p = p[:min(int64(len(p)), c.size-offset)]
	for n := 0; n < len(p); {
		index, within := (offset+int64(n))/pageSize, (offset+int64(n))%pageSize
		part := p[n:min(len(p), n+int(pageSize-within))]
		if pg := c.pages[index]; pg != nil {
			copy(part, pg.bytes[within:])
		} else {
			clear(part)
		}
		n += len(part)
	}
	return len(p)
}

// writeAt writes p, growing the file. reserve is asked before a hole is filled
// and may refuse, which ends the write early; touched hears of every page that was
// replaced. Both may be nil.
func (c *content) writeAt(p []byte, offset int64, o *owner, reserve func() bool, touched func(index int64)) int {
	n := 0
	for n < len(p) {
		index, within := (offset+int64(n))/pageSize, (offset+int64(n))%pageSize
		c.growTo(index + 1)
		if c.pages[index] == nil && reserve != nil && !reserve() {
			break
		}
		pg, replaced := c.own(index, o)
		if replaced && touched != nil {
			touched(index)
		}
		n += copy(pg.bytes[within:], p[n:])
	}
	if n > 0 {
		c.size = max(c.size, offset+int64(n))
	}
	c.shrinkTo((c.size + pageSize - 1) / pageSize)
	return n
}

// own returns the page at index for writing.
func (c *content) own(index int64, o *owner) (pg *page, replaced bool) {
	old := c.pages[index]
	if old != nil && old.owner == o {
		return old, false
	}
	pg = &page{owner: o}
	if old != nil {
		pg.bytes = old.bytes
	}
	c.pages[index] = pg
	return pg, true
}

// truncate sets the size and returns how many allocated pages were dropped.
func (c *content) truncate(size int64, o *owner) (freed int64) {
	count := (size + pageSize - 1) / pageSize
	for index := count; index < int64(len(c.pages)); index++ {
		if c.pages[index] != nil {
			freed++
		}
	}
	c.shrinkTo(count)
	c.growTo(count)
	if within := size % pageSize; size < c.size && within != 0 && c.pages[count-1] != nil {
		pg, _ := c.own(count-1, o)
		clear(pg.bytes[within:])
	}
	c.size = size
	return freed
}

func (c *content) growTo(count int64) {
	if grow := count - int64(len(c.pages)); grow > 0 {
		c.pages = append(c.pages, make([]*page, grow)...)
	}
}

func (c *content) shrinkTo(count int64) {
	if count < int64(len(c.pages)) {
		clear(c.pages[count:])
		c.pages = c.pages[:count]
	}
}

func (c *content) allocated() (count int64) {
	for _, pg := range c.pages {
		if pg != nil {
			count++
		}
	}
	return count
}

func (c *content) share() content {
	return content{size: c.size, pages: append([]*page(nil), c.pages...)}
}
