package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// create makes a durable file with bytes.
func create(t *testing.T, m FS, path, bytes string) File {
	t.Helper()
	f := must[File](t)(m.Create(path))
	must[int](t)(f.WriteAt([]byte(bytes), 0))
	mustDo(t, f.Sync())
	mustDo(t, m.SyncDir(path[:strings.LastIndex(path, "/")+1]))
	return f
}

func readFile(t *testing.T, m FS, path string) string {
	t.Helper()
	f := must[File](t)(m.Open(path))
	defer f.Close()
	p := make([]byte, must[int64](t)(f.Size()))
	if len(p) > 0 {
		must[int](t)(f.ReadAt(p, 0))
	}
	return string(p)
}

func names(t *testing.T, m FS, dir string) string {
	t.Helper()
	var list []string
	for _, e := range must[[]fs.DirEntry](t)(m.ReadDir(dir)) {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

// randomChange writes or truncates, and does the same to the model.
func randomChange(t *testing.T, rng *rand.Rand, f File, model []byte) []byte {
	t.Helper()
	if rng.IntN(4) == 0 {
		size := rng.IntN(4 * pageSize)
		mustDo(t, f.Truncate(int64(size)))
		return append(model[:min(size, len(model)):min(size, len(model))], make([]byte, max(0, size-len(model)))...)
	}
	p := bytes.Repeat([]byte{byte(1 + rng.IntN(255))}, 1+rng.IntN(2*pageSize))
	offset := rng.IntN(3 * pageSize)
	must[int](t)(f.WriteAt(p, int64(offset)))
	next := make([]byte, max(len(model), offset+len(p)))
	copy(next, model)
	copy(next[offset:], p)
	return next
}

func TestMemReadsWhatWasWritten(t *testing.T) {
	m := NewMem()
	f := must[File](t)(m.Create("/a"))
	mustDo(t, m.SyncDir("/"))
	rng := rand.New(rand.NewPCG(1, 1))
	var model, synced []byte
	for range 2000 {
		model = randomChange(t, rng, f, model)
		if rng.IntN(5) == 0 {
			mustDo(t, f.Sync())
			synced = model
			if got := readFile(t, m.CrashClone(rng.Uint64()), "/a"); got != string(synced) {
				t.Fatalf("a crash changed synced bytes")
			}
		}
		if got := readFile(t, m, "/a"); got != string(model) {
			t.Fatalf("read %d bytes that differ from the %d written", len(got), len(model))
		}
	}
	mustDo(t, f.Close())
	mustDo(t, m.Remove("/a"))
	if used := m.used.Load(); used != 0 {
		t.Fatalf("%d bytes still in use", used)
	}
}

// A byte after a crash is the synced one, or one written (or zeroed) since.
func TestCrashMixesOnlyWhatWasWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 200 {
		m := NewMem()
		f := must[File](t)(m.Create("/a"))
		mustDo(t, m.SyncDir("/"))
		var model []byte
		for range rng.IntN(5) {
			model = randomChange(t, rng, f, model)
		}
		mustDo(t, f.Sync())
		states := [][]byte{model}
		for range 1 + rng.IntN(4) {
			model = randomChange(t, rng, f, model)
			states = append(states, model)
		}
		for i, b := range []byte(readFile(t, m.CrashClone(rng.Uint64()), "/a")) {
			found := b == 0
			for _, state := range states {
				found = found || i < len(state) && state[i] == b
			}
			if !found {
				t.Fatalf("byte %d is %d, which was never there", i, b)
			}
		}
		if readFile(t, m, "/a") != string(model) {
			t.Fatal("the clone changed the original")
		}
	}
}

func TestCrashShowsEveryOutcomeOfUnsyncedWrites(t *testing.T) {
	m := NewMem()
	f := create(t, m, "/a", "")
	must[int](t)(f.WriteAt([]byte("aaaa"), 0))
	must[int](t)(f.WriteAt([]byte("bbbb"), 4))
	seen := map[string]bool{}
	for seed := range uint64(1000) {
		got := readFile(t, m.CrashClone(seed), "/a")
		if got != readFile(t, m.CrashClone(seed), "/a") {
			t.Fatal("one seed gave two disks")
		}
		seen[got] = true
	}
	for _, want := range []string{"", "aaaa", "aaaabbbb", "aa", "aaaab", "\x00\x00\x00\x00bbbb"} {
		if !seen[want] {
			t.Errorf("never saw %q", want)
		}
	}
}

func TestCrashMayUndoUnsyncedTruncate(t *testing.T) {
	m := NewMem()
	f := create(t, m, "/a", "abcdef")
	mustDo(t, f.Truncate(3))
	seen := map[string]bool{}
	for seed := range uint64(50) {
		seen[readFile(t, m.CrashClone(seed), "/a")] = true
	}
	if len(seen) != 2 || !seen["abc"] || !seen["abcdef"] {
		t.Fatalf("saw %v", seen)
	}
	mustDo(t, f.Sync())
	for seed := range uint64(50) {
		if got := readFile(t, m.CrashClone(seed), "/a"); got != "abc" {
			t.Fatalf("synced truncation undone: %q", got)
		}
	}
}

func TestDirectoryEntriesNeedSyncDir(t *testing.T) {
	outcomes := func(m *Mem) map[string]bool {
		seen := map[string]bool{}
		for seed := range uint64(200) {
			seen[names(t, m.CrashClone(seed), "/")] = true
		}
		return seen
	}
	m := NewMem()
	create(t, m, "/old", "x")
	f := must[File](t)(m.Create("/new"))
	mustDo(t, f.Sync()) // of the file alone
	mustDo(t, m.Remove("/old"))
	seen := outcomes(m)
	for _, want := range []string{"", "new", "old", "new old"} {
		if !seen[want] {
			t.Errorf("never saw %q", want)
		}
	}
	mustDo(t, m.SyncDir("/"))
	if seen := outcomes(m); len(seen) != 1 || !seen["new"] {
		t.Errorf("after SyncDir saw %v", seen)
	}
}

func TestRenameIsAtomic(t *testing.T) {
	m := NewMem()
	mustDo(t, m.MkdirAll("/d"))
	mustDo(t, m.SyncDir("/"))
	create(t, m, "/d/a", "old")
	create(t, m, "/d/a.tmp", "new")
	mustDo(t, m.Rename("/d/a.tmp", "/d/a"))
	mustDo(t, m.Rename("/d/a", "/d/b"))
	seen := map[string]int{}
	for seed := range uint64(200) {
		c := m.CrashClone(seed)
		state := ""
		for _, e := range must[[]fs.DirEntry](t)(c.ReadDir("/d")) {
			state += e.Name() + "=" + readFile(t, c, "/d/"+e.Name()) + " "
		}
		seen[state]++
	}
	// The second rename without the first leaves both, as neither happened.
	want := []string{"a=old a.tmp=new ", "a=new ", "b=new "}
	for _, state := range want {
		if seen[state] == 0 {
			t.Errorf("never saw %q", state)
		}
		delete(seen, state)
	}
	if len(seen) > 0 {
		t.Errorf("saw %v", seen)
	}
}

func TestRenameOfDirectoryKeepsWhatIsInside(t *testing.T) {
	m := NewMem()
	mustDo(t, m.MkdirAll("/x/t-0"))
	mustDo(t, m.MkdirAll("/y"))
	mustDo(t, m.SyncDir("/"))
	mustDo(t, m.SyncDir("/x"))
	create(t, m, "/x/t-0/log", "data")
	mustDo(t, m.Rename("/x/t-0", "/y/t-1"))
	mustDo(t, m.SyncDir("/y"))
	for seed := range uint64(20) {
		c := m.CrashClone(seed)
		if got := readFile(t, c, "/y/t-1/log"); got != "data" {
			t.Fatalf("read %q", got)
		}
		if _, err := c.Stat("/x/t-0"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("old name: %v", err)
		}
	}
	if err := m.Rename("/y", "/y/t-1/y"); !errors.Is(err, syscall.EINVAL) {
		t.Fatalf("rename into itself: %v", err)
	}
}

func TestRemovedFileStaysReadableWhileOpen(t *testing.T) {
	m := NewMem()
	f := create(t, m, "/d", "data")
	mustDo(t, m.RemoveAll("/d"))
	p := make([]byte, 4)
	must[int](t)(f.ReadAt(p, 0))
	if string(p) != "data" || names(t, m, "/") != "" {
		t.Fatalf("read %q", p)
	}
	if _, err := m.Open("/d"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("open: %v", err)
	}
	mustDo(t, f.Close())
	if _, err := f.ReadAt(p, 0); !errors.Is(err, fs.ErrClosed) {
		t.Fatalf("read after close: %v", err)
	}
}

func TestFullDiskWritesWhatFits(t *testing.T) {
	m := NewMem()
	m.SetCapacity(3 * pageSize)
	f := must[File](t)(m.Create("/a"))
	n, err := f.WriteAt(make([]byte, 4*pageSize), 100)
	if n != 3*pageSize-100 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("wrote %d: %v", n, err)
	}
	if _, usable, _ := m.Space("/"); usable != 0 {
		t.Fatalf("usable %d", usable)
	}
	must[int](t)(f.WriteAt([]byte("in place"), 0))
	mustDo(t, f.Truncate(0))
	if total, usable, _ := m.Space("/"); total != 3*pageSize || usable != total {
		t.Fatalf("space %d of %d", usable, total)
	}
	mustDo(t, f.Truncate(1<<30)) // a hole costs nothing
	m.SetSpace(10, 5)
	if total, usable, _ := m.Space("/"); total != 10 || usable != 5 {
		t.Fatalf("space %d of %d", usable, total)
	}
}

func TestLockExcludesWithinTheProcess(t *testing.T) {
	m := NewMem()
	lock := must[io.Closer](t)(m.Lock("/.lock"))
	if _, err := m.Lock("/.lock"); !errors.Is(err, syscall.EAGAIN) {
		t.Fatalf("second lock: %v", err)
	}
	mustDo(t, must[io.Closer](t)(m.CrashClone(1).Lock("/.lock")).Close())
	mustDo(t, lock.Close())
	must[io.Closer](t)(m.Lock("/.lock"))
	mustDo(t, lock.Close()) // again, and releases nothing
	if _, err := m.Lock("/.lock"); !errors.Is(err, syscall.EAGAIN) {
		t.Fatalf("lock released by an old holder: %v", err)
	}
}

func TestSendToCopiesARange(t *testing.T) {
	data := strings.Repeat("0123456789", 20_000)
	f := create(t, NewMem(), "/a", data)
	near, far := net.Pipe()
	got := make(chan string)
	go func() {
		p, _ := io.ReadAll(far)
		got <- string(p)
	}()
	if n, err := f.SendTo(near, 3, 150_000); n != 150_000 || err != nil {
		t.Fatalf("sent %d: %v", n, err)
	}
	if n, err := f.SendTo(near, int64(len(data)-2), 5); n != 2 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("sent %d: %v", n, err)
	}
	near.Close()
	if got := <-got; got != data[3:150_003]+data[len(data)-2:] {
		t.Fatalf("received %d bytes that differ", len(got))
	}
}

func TestPathErrors(t *testing.T) {
	m := NewMem()
	mustDo(t, m.MkdirAll("/d/e"))
	create(t, m, "/f", "")
	for _, c := range []struct {
		want error
		call func() error
	}{
		{fs.ErrNotExist, func() error { _, err := m.Create("/no/f"); return err }},
		{fs.ErrNotExist, func() error { return m.Remove("/no") }},
		{fs.ErrNotExist, func() error { return m.Rename("/no", "/n") }},
		{fs.ErrNotExist, func() error { return m.SyncDir("/no") }},
		{syscall.ENOTEMPTY, func() error { return m.Remove("/d") }},
		{syscall.EISDIR, func() error { _, err := m.OpenFile("/d"); return err }},
		{syscall.ENOTDIR, func() error { return m.MkdirAll("/f/x") }},
		{syscall.ENOTDIR, func() error { return m.Rename("/d", "/f") }},
		{fs.ErrExist, func() error { return m.Rename("/f", "/d") }},
		{syscall.EBADF, func() error {
			f := must[File](t)(m.Open("/f"))
			_, err := f.WriteAt([]byte("x"), 0)
			return err
		}},
	} {
		if err := c.call(); !errors.Is(err, c.want) {
			t.Errorf("got %v, want %v", err, c.want)
		}
	}
}

func TestMemUnderConcurrentUse(t *testing.T) {
	m := NewMem()
	f := create(t, m, "/a", "start")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 200 {
				offset := int64(i*pageSize + j)
				f.WriteAt([]byte{byte(i)}, offset)
				f.ReadAt(make([]byte, 100), offset)
				f.Sync()
				m.Stat("/a")
				if j%50 == 0 {
					m.CrashClone(uint64(j))
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkAppend(b *testing.B) {
	f, err := NewMem().Create("/a")
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, 16<<10)
	b.SetBytes(int64(len(p)))
	for i := 0; b.Loop(); i++ {
		f.WriteAt(p, int64(i%10_000)*int64(len(p)))
		if i%1000 == 0 {
			f.Sync()
		}
	}
}
