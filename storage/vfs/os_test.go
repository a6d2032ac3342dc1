package vfs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/kbroker/kbroker/storage/vfs"
)

func tempFile(t *testing.T, content []byte) vfs.File {
	t.Helper()
	f, err := vfs.OS{}.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestReadAtEndsWithEOF(t *testing.T) {
	f := tempFile(t, []byte("hello"))
	p := make([]byte, 8)
	n, err := f.ReadAt(p, 1)
	if n != 4 || err != io.EOF || string(p[:n]) != "ello" {
		t.Fatalf("got %d %v %q", n, err, p[:n])
	}
	if _, err := (vfs.OS{}).Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("want ErrNotExist, got %v", err)
	}
}

// hiddenConn hides what kind of connection it is, as TLS does.
type hiddenConn struct{ net.Conn }

func TestSendToGivesTheSameBytesByEveryWay(t *testing.T) {
	content := make([]byte, 9<<20) // more than a socket buffer and than one sendfile
	for i := range content {
		content[i] = byte(i * 7 >> 3)
	}
	f := tempFile(t, content)
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"tcp":   func(c net.Conn) net.Conn { return c },
		"other": func(c net.Conn) net.Conn { return hiddenConn{c} },
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			result := make(chan error, 1)
			go func() {
				c, err := l.Accept()
				if err != nil {
					result <- err
					return
				}
				defer c.Close()
				n, err := f.SendTo(wrap(c), 100, int64(len(content)-200))
				if err == nil && n != int64(len(content)-200) {
					err = io.ErrShortWrite
				}
				result <- err
			}()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			got, err := io.ReadAll(c)
			if err := errors.Join(err, <-result); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, content[100:len(content)-100]) {
				t.Fatal("bytes differ")
			}
		})
	}
}

func TestSendToBeyondTheEndFails(t *testing.T) {
	f := tempFile(t, []byte("short"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := f.SendTo(c, 0, 100); n != 5 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %d %v", n, err)
	}
	if n, err := f.SendTo(hiddenConn{c}, 0, 100); n != 5 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("copy: got %d %v", n, err)
	}
}

func TestSendToObeysTheWriteDeadline(t *testing.T) {
	f := tempFile(t, make([]byte, 32<<20))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// Nobody reads, so the socket fills up.
	if err := c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := f.SendTo(c, 0, 32<<20); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("want a timeout, got %v", err)
	}
}

func TestLockExcludesASecondHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".lock")
	first, err := vfs.OS{}.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (vfs.OS{}).Lock(path); err == nil {
		t.Fatal("second lock was granted")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := vfs.OS{}.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestSpaceTellsSomething(t *testing.T) {
	total, usable, err := vfs.OS{}.Space(t.TempDir())
	if err != nil || total == 0 || usable > total {
		t.Fatalf("got %d %d %v", total, usable, err)
	}
}
