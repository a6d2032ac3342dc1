package storage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
)

var testTP = TopicPartition{"topic", 0}

// testConfig has Kafka's defaults, with small indexes.
func testConfig() *Config {
	return &Config{
		SegmentBytes: 1 << 30, SegmentAge: 7 * 24 * time.Hour, SegmentIndexBytes: 10 << 20,
		IndexIntervalBytes: 4096, FlushMessages: math.MaxInt64, FlushInterval: math.MaxInt64,
		RetentionAge: -1, RetentionBytes: -1, FileDeleteDelay: time.Minute, Delete: true,
		ProducerExpiry: 24 * time.Hour,
	}
}

// with returns a changed copy.
func (c *Config) with(change func(*Config)) *Config {
	changed := *c
	change(&changed)
	return &changed
}

func testOptions(fsys vfs.FS, c *Config, dirs ...string) Options {
	return Options{
		FS: fsys, Dirs: dirs, BrokerID: 1, ClusterID: "cluster",
		ConfigFor:       func(string) *Config { return c },
		RecoveryThreads: 2, MaxOpenFiles: 100, Logger: zap.NewNop(),
	}
}

func mustOpen(t testing.TB, o Options) *Manager {
	t.Helper()
	m, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// openLog opens a manager and its log of testTP.
func openLog(t testing.TB, o Options) (*Manager, *Log) {
	t.Helper()
	m := mustOpen(t, o)
	l, err := m.Create(testTP, [16]byte{1}, o.ConfigFor(testTP.Topic))
	if err != nil {
		t.Fatal(err)
	}
	return m, l
}

// memLog opens one in a new file system in memory.
func memLog(t testing.TB, c *Config) (*vfs.Mem, *Manager, *Log) {
	t.Helper()
	mem := vfs.NewMem()
	m, l := openLog(t, testOptions(mem, c, "/data"))
	t.Cleanup(func() { m.Close() })
	return mem, m, l
}

func mustClose(t testing.TB, m *Manager) {
	t.Helper()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

// batchOf builds a batch of records with a timestamp.
func batchOf(t testing.TB, o record.BatchOptions, timestamp int64, values ...string) record.Batch {
	t.Helper()
	n := record.NewBuilder(o)
	for i, v := range values {
		n.Append(timestamp+int64(i), []byte("key"), []byte(v))
	}
	b, err := n.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func plain(t testing.TB, timestamp int64, values ...string) record.Batch {
	t.Helper()
	return batchOf(t, record.BatchOptions{}, timestamp, values...)
}

// produced is a batch of one producer.
func produced(t testing.TB, id int64, epoch int16, sequence int32, transactional bool, count int) record.Batch {
	t.Helper()
	values := make([]string, count)
	for i := range values {
		values[i] = fmt.Sprintf("value-%d", int(sequence)+i)
	}
	return batchOf(t, record.BatchOptions{
		Producer: &record.Producer{ID: id, Epoch: epoch, Sequence: sequence}, Transactional: transactional,
	}, time.Now().UnixMilli(), values...)
}

func markerBatch(t testing.TB, kind record.ControlType, id int64, epoch int16, coordinatorEpoch int32) record.Batch {
	t.Helper()
	b, err := record.BuildMarker(record.Marker{Type: kind, CoordinatorEpoch: coordinatorEpoch}, id, epoch, time.Now().UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func appendAs(l *Log, b record.Batch, epoch int32, origin Origin) (Appended, error) {
	return l.AppendAsLeader(record.Checked{Batch: b, AppendTime: record.NoTimestamp}, epoch, origin)
}

func mustAppend(t testing.TB, l *Log, b record.Batch) Appended {
	t.Helper()
	a, err := appendAs(l, b, 0, FromClient)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// readAll reads the bytes of the log from an offset to its end.
func readAll(t testing.TB, l *Log, from int64) []byte {
	t.Helper()
	var all []byte
	for offset := from; offset < l.LogEndOffset(); {
		s, err := l.Read(offset, math.MaxInt64, 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, s.Size)
		if _, err := s.ReadAt(p, 0); err != nil && len(p) > 0 {
			t.Fatal(err)
		}
		s.Release()
		if len(p) == 0 {
			break
		}
		next := offset
		for rest := p; len(rest) > 0; {
			e, err := parseFetched(rest)
			if err == errNotWhole {
				p = p[:len(p)-len(rest)]
				break
			}
			if err != nil {
				t.Fatalf("offset %d: %v", next, err)
			}
			next, rest = e.last+1, rest[e.size:]
		}
		all = append(all, p...)
		if next == offset {
			t.Fatalf("no progress at %d", offset)
		}
		offset = next
	}
	return all
}

// offsetsIn lists the base offsets of batches.
func offsetsIn(t testing.TB, p []byte) []int64 {
	t.Helper()
	var bases []int64
	for len(p) > 0 {
		e, err := parseFetched(p)
		if err != nil {
			t.Fatal(err)
		}
		bases, p = append(bases, e.base), p[e.size:]
	}
	return bases
}

// observed makes a logger whose lines can be looked at.
func observed() (*zap.Logger, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	return zap.New(core), logs
}

// untar unpacks an archive of testdata/golden and returns the log directory in it.
func untar(t testing.TB, name string) string {
	t.Helper()
	dir := t.TempDir()
	r := tar.NewReader(bytes.NewReader(gunzip(t, name)))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return filepath.Join(dir, "log")
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, h.Name)
		if strings.HasSuffix(h.Name, "/") {
			err = os.MkdirAll(path, 0o755)
		} else {
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, content, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func gunzip(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "golden", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
