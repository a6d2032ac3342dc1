package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/kbroker/kbroker/storage/vfs"
)

func TestMetaPropertiesMustAgree(t *testing.T) {
	meta := func(broker, cluster string) string {
		return "#\n#Tue Nov 24 03:54:07 UTC 2026\nbroker.id=" + broker + "\nversion=0\ncluster.id=" + cluster + "\n"
	}
	for name, test := range map[string]struct {
		a, b string
		want string // part of the error; "" none
	}{
		"none":             {"", "", ""},
		"one":              {meta("1", "cluster"), "", ""},
		"both":             {meta("1", "cluster"), meta("1", "cluster"), ""},
		"other broker":     {meta("2", "cluster"), "", "broker.id"},
		"other cluster":    {meta("1", "another"), "", "cluster.id"},
		"disagreement":     {meta("1", "cluster"), meta("2", "cluster"), "broker.id"},
		"KRaft":            {"version=1\nnode.id=1\n", "", "version 1"},
		"without version":  {"broker.id=1\ncluster.id=cluster\nunknown.key=x", "", ""},
		"broken broker id": {meta("x", "cluster"), "", "broker.id"},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			d := &disk{t: t, mem: mem}
			for dir, content := range map[string]string{"/a": test.a, "/b": test.b} {
				if err := mem.MkdirAll(dir); err != nil {
					t.Fatal(err)
				}
				if content != "" {
					d.put(dir+"/"+metaName, []byte(content))
				}
			}
			m, err := Open(testOptions(mem, testConfig(), "/a", "/b"))
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("got %v, want an error about %s", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			mustClose(t, m)
			if id, cluster, err := ReadMeta(mem, []string{"/a", "/b"}); err != nil || id != 1 || cluster != "cluster" {
				t.Errorf("read %d %q %v", id, cluster, err)
			}
		})
	}
	if id, cluster, err := ReadMeta(vfs.NewMem(), []string{"/none"}); id != -1 || cluster != "" || err != nil {
		t.Errorf("nothing there: %d %q %v", id, cluster, err)
	}
}

// TestEmptyCheckpointsHaveNoEntries: Kafka makes the files when it starts, and writes them later.
func TestEmptyCheckpointsHaveNoEntries(t *testing.T) {
	mem := vfs.NewMem()
	d := &disk{t: t, mem: mem}
	if err := mem.MkdirAll("/data/topic-0"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{recoveryPointsName, startOffsetsName, highWatermarksName, cleanerName, "topic-0/" + epochsName} {
		d.put("/data/"+name, nil)
	}
	logger, logs := observed()
	o := testOptions(mem, testConfig(), "/data")
	o.Logger = logger
	m := mustOpen(t, o)
	if _, found := m.Log(testTP); !found || m.Dirs()[0].Err != nil || logs.FilterLevelExact(zapcore.WarnLevel).Len() > 0 {
		t.Errorf("log found: %v, directory %v, %v", found, m.Dirs()[0].Err, logs.All())
	}
	mustClose(t, m)
}

func TestForeignFoldersAreFatal(t *testing.T) {
	for folder, fatal := range map[string]bool{
		"lost+found": true, "topic": true, "topic-x": true, "-0": true, "topic-0-delete": true, "topic-1": false,
		"a-b-c-12": false, "__cluster_metadata-0": false, "remote-log-index-cache": false,
		"topic-0.6a1b0c8a2f2c4a0e8a1d4f9d3b7c5e11-delete": false, "topic-7.6a1b0c8a2f2c4a0e8a1d4f9d3b7c5e11-future": false,
	} {
		mem := vfs.NewMem()
		if err := mem.MkdirAll("/data/" + folder); err != nil {
			t.Fatal(err)
		}
		m, err := Open(testOptions(mem, testConfig(), "/data"))
		if (err != nil) != fatal {
			t.Errorf("%s: %v", folder, err)
		}
		if err == nil {
			mustClose(t, m)
		}
	}
}

func TestPartitionInTwoDirectoriesIsFatal(t *testing.T) {
	mem := vfs.NewMem()
	for _, dir := range []string{"/a/topic-0", "/b/topic-0"} {
		if err := mem.MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(testOptions(mem, testConfig(), "/a", "/b")); err == nil || !strings.Contains(err.Error(), "topic-0") {
		t.Fatalf("got %v", err)
	}
	// The locks were given back.
	m := mustOpen(t, testOptions(mem, testConfig(), "/a"))
	mustClose(t, m)
}

func TestDirectoryInUseIsRefused(t *testing.T) {
	for name, fsys := range map[string]vfs.FS{"memory": vfs.NewMem(), "disk": vfs.OS{}} {
		dir := "/data"
		if name == "disk" {
			dir = t.TempDir()
		}
		m := mustOpen(t, testOptions(fsys, testConfig(), dir))
		if _, err := Open(testOptions(fsys, testConfig(), dir)); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("%s: got %v", name, err)
		}
		mustClose(t, m)
		mustClose(t, mustOpen(t, testOptions(fsys, testConfig(), dir)))
	}
}

func TestLogsAreSpreadOverDirectoriesAndFoundAgain(t *testing.T) {
	mem := vfs.NewMem()
	o := testOptions(mem, testConfig(), "/a", "/b")
	m := mustOpen(t, o)
	for i := range int32(6) {
		if _, err := m.Create(TopicPartition{"topic", i}, [16]byte{9}, testConfig()); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range m.Dirs() {
		if len(d.Logs) != 3 || d.Total == 0 || d.Err != nil {
			t.Errorf("%s has %d logs, %d bytes, %v", d.Path, len(d.Logs), d.Total, d.Err)
		}
	}
	l, _ := m.Log(TopicPartition{"topic", 3})
	same, err := m.Create(TopicPartition{"topic", 3}, [16]byte{9}, testConfig())
	if err != nil || same != l {
		t.Errorf("created again: %v", err)
	}
	if _, err := m.Create(TopicPartition{"topic", 3}, [16]byte{8}, testConfig()); !errors.Is(err, ErrInconsistentTopicID) {
		t.Errorf("another topic id: %v", err)
	}
	mustClose(t, m)
	m = mustOpen(t, o)
	defer m.Close()
	if len(m.Logs()) != 6 {
		t.Fatalf("%d logs", len(m.Logs()))
	}
	if l, found := m.Log(TopicPartition{"topic", 3}); !found || l.TopicID() != [16]byte{9} {
		t.Error("the topic id is lost")
	}
}

func TestDeletedPartitionIsGoneAtOnceAndItsFilesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		o := testOptions(mem, testConfig(), "/data")
		m, l := openLog(t, o)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); m.Run(ctx) }()

		mustAppend(t, l, plain(t, 1, "v"))
		s, err := l.Read(0, 1, 100, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Delete(testTP); err != nil {
			t.Fatal(err)
		}
		if err := m.Delete(testTP); err != nil {
			t.Errorf("deleted again: %v", err)
		}
		if _, found := m.Log(testTP); found || len(m.Dirs()[0].Logs) != 0 {
			t.Error("the log is still there")
		}
		if n, err := s.ReadAt(make([]byte, s.Size), 0); int64(n) != s.Size {
			t.Errorf("a slice read before: %d %v", n, err)
		}
		s.Release()
		if _, err := l.Read(0, 1, 100, true); !errors.Is(err, ErrClosed) {
			t.Errorf("read: %v", err)
		}
		if _, err := appendAs(l, plain(t, 1, "v"), 0, FromClient); !errors.Is(err, ErrClosed) {
			t.Errorf("append: %v", err)
		}
		again, err := m.Create(testTP, [16]byte{2}, testConfig())
		if err != nil || again.LogEndOffset() != 0 {
			t.Fatalf("created anew: %v", err)
		}
		synctest.Wait()
		if folders := foldersIn(t, mem); len(folders) != 2 || !strings.HasSuffix(folders[1], deleteDirSuffix) {
			t.Errorf("folders %v", folders)
		}
		time.Sleep(o.ConfigFor("").FileDeleteDelay + time.Second) // of the bubble
		synctest.Wait()
		if folders := foldersIn(t, mem); len(folders) != 1 || folders[0] != "topic-0" {
			t.Errorf("folders %v", folders)
		}
		cancel()
		<-done
		mustClose(t, m)
	})
}

func foldersIn(t *testing.T, fsys vfs.FS) (names []string) {
	t.Helper()
	entries, err := fsys.ReadDir("/data")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestDeletionOfAnEarlierRunIsCompleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		o := testOptions(mem, testConfig(), "/data")
		m, _ := openLog(t, o)
		if err := m.Delete(testTP); err != nil {
			t.Fatal(err)
		}
		mustClose(t, m)
		m = mustOpen(t, o)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		m.Run(ctx)
		if folders := foldersIn(t, mem); len(folders) != 0 {
			t.Errorf("folders %v", folders)
		}
		mustClose(t, m)
	})
}

func TestLongTopicNamesCanBeDeleted(t *testing.T) {
	name := deletedFolderName(TopicPartition{strings.Repeat("t", 249), 123})
	if len(name) > maxNameLength {
		t.Fatalf("%d bytes", len(name))
	}
	if _, kind, err := parseFolder(name); err != nil || kind != deletedFolder {
		t.Fatalf("%v %v", kind, err)
	}
}

// What checkpoints say of a deleted partition must not be believed of a new one of that name.
func TestNewPartitionDoesNotInheritCheckpoints(t *testing.T) {
	mem := vfs.NewMem()
	o := testOptions(mem, testConfig(), "/data")
	m, l := openLog(t, o)
	for range 5 {
		mustAppend(t, l, plain(t, 1, "v"))
	}
	l.SetHighWatermark(5)
	if err := errors.Join(l.Flush(), l.AdvanceLogStart(4), m.checkpointRecoveryPoints(), m.checkpointStartOffsets(), m.CheckpointHighWatermarks()); err != nil {
		t.Fatal(err)
	}
	if m.CheckpointedHighWatermark(testTP) != 5 || m.CheckpointedHighWatermark(TopicPartition{"other", 0}) != 0 {
		t.Error("checkpointed high watermark is wrong")
	}
	if err := m.Delete(testTP); err != nil {
		t.Fatal(err)
	}
	l, err := m.Create(testTP, [16]byte{2}, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, plain(t, 1, "v"))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	o.FS = mem.CrashClone(3)
	m.Close()
	m = mustOpen(t, o)
	defer m.Close()
	l, _ = m.Log(testTP)
	if l.LogStartOffset() != 0 || l.LogEndOffset() != 1 || l.HighWatermark() != 0 || m.CheckpointedHighWatermark(testTP) != 0 {
		t.Errorf("log is [%d, %d), high watermark %d", l.LogStartOffset(), l.LogEndOffset(), l.HighWatermark())
	}
}

func TestTopicIDIsDurableBeforeData(t *testing.T) {
	mem := vfs.NewMem()
	c := testConfig().with(func(c *Config) { c.FlushMessages = 1 })
	o := testOptions(mem, c, "/data")
	m, l := openLog(t, o)
	mustAppend(t, l, plain(t, 1, "v"))
	clone := mem.CrashClone(1)
	m.Close()
	o.FS = clone
	m = mustOpen(t, o)
	defer m.Close()
	l, found := m.Log(testTP)
	if !found || l.TopicID() != [16]byte{1} || l.LogEndOffset() != 1 {
		t.Fatalf("found %v", found)
	}
	if err := l.SetTopicID([16]byte{7}); !errors.Is(err, ErrInconsistentTopicID) {
		t.Errorf("another id: %v", err)
	}
}

func TestFewFilesAreOpenAtOnce(t *testing.T) {
	dir := t.TempDir()
	c := testConfig().with(func(c *Config) { c.SegmentBytes = 300 })
	o := testOptions(vfs.OS{}, c, dir)
	o.MaxOpenFiles = 10
	m := mustOpen(t, o)
	before := openDescriptors(t)
	var logs []*Log
	for i := range int32(30) {
		l, err := m.Create(TopicPartition{"topic", i}, [16]byte{1}, c)
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, l)
	}
	for i := range 20 {
		for _, l := range logs {
			mustAppend(t, l, plain(t, int64(i), strings.Repeat("v", 20)))
			if len(readAll(t, l, 0)) == 0 {
				t.Fatal("nothing read")
			}
		}
		if n := openDescriptors(t) - before; n > o.MaxOpenFiles+1 {
			t.Fatalf("%d files are open", n)
		}
	}
	// A slice keeps its file, whatever happens.
	var slices []Slice
	for _, l := range logs {
		s, err := l.Read(0, 1, 1000, true)
		if err != nil {
			t.Fatal(err)
		}
		slices = append(slices, s)
	}
	for i := range slices {
		if _, err := slices[i].ReadAt(make([]byte, slices[i].Size), 0); err != nil {
			t.Error(err)
		}
		slices[i].Release()
		slices[i].Release()
	}
	mustClose(t, m)
}

func TestSegmentThatSomebodyRemovedIsNoticed(t *testing.T) {
	dir := t.TempDir()
	o := testOptions(vfs.OS{}, testConfig(), dir)
	o.MaxOpenFiles = 1
	m, l := openLog(t, o)
	defer m.Close()
	mustAppend(t, l, plain(t, 1, "v"))
	other, err := m.Create(TopicPartition{"other", 0}, [16]byte{1}, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, other, plain(t, 1, "v"))
	mustAppend(t, other, plain(t, 1, "v")) // the first log's file is closed by now
	if err := (vfs.OS{}).Remove(fmt.Sprintf("%s/topic-0/%s", dir, segmentName(0, logSuffix))); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Read(0, 1, 100, true); !errors.Is(err, ErrOffline) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestStopDoesNotWaitForTheFoldersOfNewLogs: thousands of them may be waiting to be made durable, one by one, when the
// broker is told to stop. Closing does it, several at a time.
func TestStopDoesNotWaitForTheFoldersOfNewLogs(t *testing.T) {
	mem := vfs.NewMem()
	m, l := openLog(t, testOptions(mem, testConfig(), "/data"))
	stopping, cancel := context.WithCancel(t.Context())
	cancel()
	m.anchorAll(stopping, m.Logs())
	if !l.fresh.Load() || !l.metaDirty.Load() {
		t.Error("the folder was made durable although the manager stops")
	}
	mustClose(t, m)
	m = mustOpen(t, testOptions(mem.CrashClone(1), testConfig(), "/data"))
	defer m.Close()
	if l, found := m.Log(testTP); !found || l.TopicID() != [16]byte{1} {
		t.Errorf("after the stop and a crash the log is there: %v", found)
	}
}
