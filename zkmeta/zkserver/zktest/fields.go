package zktest

import "encoding/binary"

// Fields is a record being built or taken apart. Taking beyond the end panics: it is for tests.
type Fields []byte

// Int appends an int.
func (f Fields) Int(v int32) Fields { return binary.BigEndian.AppendUint32(f, uint32(v)) }

// Long appends a long.
func (f Fields) Long(v int64) Fields { return binary.BigEndian.AppendUint64(f, uint64(v)) }

// Bool appends a boolean.
func (f Fields) Bool(v bool) Fields {
	if v {
		return append(f, 1)
	}
	return append(f, 0)
}

// String appends a string.
func (f Fields) String(s string) Fields { return append(f.Int(int32(len(s))), s...) }

// Bytes appends a buffer; nil is null.
func (f Fields) Bytes(p []byte) Fields {
	if p == nil {
		return f.Int(-1)
	}
	return append(f.Int(int32(len(p))), p...)
}

// Strings appends a vector of strings.
func (f Fields) Strings(list ...string) Fields {
	f = f.Int(int32(len(list)))
	for _, s := range list {
		f = f.String(s)
	}
	return f
}

// ACL appends an access list of one entry.
func (f Fields) ACL(perms int32, scheme, id string) Fields {
	return f.Int(1).Int(perms).String(scheme).String(id)
}

// Open appends the access list that lets everyone do everything.
func (f Fields) Open() Fields { return f.ACL(31, "world", "anyone") }

// Multi appends an operation of a multi.
func (f Fields) Multi(op int32, body Fields) Fields {
	return append(f.Int(op).Bool(false).Int(-1), body...)
}

// EndMulti appends the end of a multi.
func (f Fields) EndMulti() Fields { return f.Int(-1).Bool(true).Int(-1) }

func (f *Fields) take(n int) []byte {
	p := (*f)[:n]
	*f = (*f)[n:]
	return p
}

// TakeInt takes an int off the front, as the other Takes do with their kinds.
func (f *Fields) TakeInt() int32 { return int32(binary.BigEndian.Uint32(f.take(4))) }

// TakeLong takes a long.
func (f *Fields) TakeLong() int64 { return int64(binary.BigEndian.Uint64(f.take(8))) }

// TakeBool takes a boolean.
func (f *Fields) TakeBool() bool { return f.take(1)[0] != 0 }

// TakeBytes takes a buffer, nil for null.
func (f *Fields) TakeBytes() []byte {
	n := f.TakeInt()
	if n < 0 {
		return nil
	}
	return append([]byte{}, f.take(int(n))...)
}

// TakeString takes a string.
func (f *Fields) TakeString() string { return string(f.TakeBytes()) }

// TakeStrings takes a vector of strings.
func (f *Fields) TakeStrings() []string {
	list := []string{}
	for range f.TakeInt() {
		list = append(list, f.TakeString())
	}
	return list
}

// TakeStat takes a Stat.
func (f *Fields) TakeStat() Stat {
	return Stat{
		Czxid: f.TakeLong(), Mzxid: f.TakeLong(), Ctime: f.TakeLong(), Mtime: f.TakeLong(),
		Version: f.TakeInt(), Cversion: f.TakeInt(), Aversion: f.TakeInt(),
		EphemeralOwner: f.TakeLong(), DataLength: f.TakeInt(), NumChildren: f.TakeInt(), Pzxid: f.TakeLong(),
	}
}
