package simulation

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kbroker/kbroker/protocol/record"
	"github.com/kbroker/kbroker/storage/vfs"
	"github.com/kbroker/kbroker/zkmeta"
)

// readLog returns the bytes of a partition, wherever they are.
func (n *Node) readLog(name string) (log []byte, err error) {
	for _, dir := range logDirs() {
		if log, err = readLog(n.disk, filepath.Join(dir, name)); err == nil {
			return log, nil
		}
	}
	return nil, err
}

// readLog returns the bytes of a partition's segments, in their order.
func readLog(disk vfs.FS, folder string) ([]byte, error) {
	entries, err := disk.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var all []byte
	for _, e := range entries { // in the order of names, which is that of offsets
		if !strings.HasSuffix(e.Name(), ".log") {
			continue
		}
		f, err := disk.Open(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		size, err := f.Size()
		if err == nil {
			p := make([]byte, size)
			if _, err = f.ReadAt(p, 0); err == nil || err == io.EOF {
				all, err = append(all, p...), nil
			}
		}
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", e.Name(), err)
		}
	}
	return all, nil
}

// CompareDisks finds partitions whose replicas differ by a byte, and batches that are not sound.
func (w *World) CompareDisks(image Image) (found []string) {
	for tp := range image.States {
		var first []byte
		for i, id := range image.Topics[tp.Topic].Partitions[tp.Partition] {
			log, err := w.Nodes[id-1].readLog(fmt.Sprintf("%s-%d", tp.Topic, tp.Partition))
			if err != nil {
				found = append(found, fmt.Sprintf("broker %d has no log of %s-%d: %v", id, tp.Topic, tp.Partition, err))
				continue
			}
			if fault := soundness(log); fault != "" {
				found = append(found, fmt.Sprintf("broker %d: %s-%d: %s", id, tp.Topic, tp.Partition, fault))
			}
			if i == 0 {
				first = log
			} else if difference := compare(first, log); difference != "" {
				found = append(found, fmt.Sprintf("replicas of %s-%d differ on brokers %d and %d: %s",
					tp.Topic, tp.Partition, image.Topics[tp.Topic].Partitions[tp.Partition][0], id, difference))
			}
		}
	}
	return append(found, w.leftovers(image)...)
}

// leftovers finds logs of partitions that ought not to be where they are.
func (w *World) leftovers(image Image) (found []string) {
	for _, n := range w.Nodes {
		wanted := map[string]bool{}
		for tp := range image.States {
			if slices.Contains(image.Topics[tp.Topic].Partitions[tp.Partition], n.ID) {
				wanted[fmt.Sprintf("%s-%d", tp.Topic, tp.Partition)] = true
			}
		}
		for _, dir := range logDirs()[:w.options.LogDirs] {
			entries, err := n.disk.ReadDir(dir)
			if err != nil {
				found = append(found, fmt.Sprintf("%s: %v", n.Name(), err))
			}
			for _, e := range entries {
				if e.IsDir() && !wanted[e.Name()] && !strings.HasSuffix(e.Name(), "-delete") && !image.mayStray(e.Name()) {
					found = append(found, fmt.Sprintf("%s keeps %s in %s, which it should not", n.Name(), e.Name(), dir))
				}
				delete(wanted, e.Name())
			}
		}
		for _, name := range slices.Sorted(maps.Keys(wanted)) {
			found = append(found, fmt.Sprintf("%s has no %s", n.Name(), name))
		}
	}
	return found
}

// mayStray tells whether a log may lie where it does not belong: of a topic that exists, on a broker that was away when the replica
// was moved from it. Kafka does not look for these with ZooKeeper.
func (i Image) mayStray(folder string) bool {
	_, exists := i.Topics[folder[:max(0, strings.LastIndex(folder, "-"))]]
	return exists
}

// soundness reads batch after batch: checksums, offsets and epochs that only grow.
func soundness(log []byte) string {
	next, epoch := int64(0), int32(-1)
	for rest := log; len(rest) > 0; {
		b, after, err := record.Parse(rest)
		switch {
		case err != nil:
			return fmt.Sprintf("at offset %d: %v", next, err)
		case !b.ValidCRC():
			return fmt.Sprintf("the batch at %d has a wrong checksum", b.BaseOffset())
		case b.BaseOffset() < next:
			return fmt.Sprintf("the batch at %d comes after offset %d", b.BaseOffset(), next-1)
		case b.PartitionLeaderEpoch() < epoch:
			return fmt.Sprintf("the batch at %d is of epoch %d, after epoch %d", b.BaseOffset(), b.PartitionLeaderEpoch(), epoch)
		}
		next, epoch, rest = b.NextOffset(), b.PartitionLeaderEpoch(), after
	}
	return ""
}

// compare says where two logs differ.
func compare(a, b []byte) string {
	at := 0
	for at < len(a) && at < len(b) && a[at] == b[at] {
		at++
	}
	if at == len(a) && at == len(b) {
		return ""
	}
	describe := func(log []byte) string {
		for rest := log; len(rest) > 0; {
			batch, after, err := record.Parse(rest)
			if err != nil {
				return err.Error()
			}
			if len(log)-len(after) > at {
				return fmt.Sprintf("offsets %d to %d of epoch %d", batch.BaseOffset(), batch.LastOffset(), batch.PartitionLeaderEpoch())
			}
			rest = after
		}
		return "the end"
	}
	return fmt.Sprintf("%d and %d bytes, from byte %d on: %s; %s", len(a), len(b), at, describe(a), describe(b))
}

// describeLogs writes into the journal what batches the leaders' logs hold.
func (w *World) describeLogs(image Image, ledgers []*Ledger) {
	for _, l := range ledgers {
		for p := range l.Partitions {
			tp := zkmeta.TopicPartition{Topic: l.Topic, Partition: p}
			log, err := w.Nodes[image.States[tp].Leader-1].readLog(fmt.Sprintf("%s-%d", l.Topic, p))
			if err != nil {
				w.Journal.Note("%v", err)
			}
			for rest := log; len(rest) > 0; {
				b, after, err := record.Parse(rest)
				if err != nil {
					break
				}
				w.Journal.Note("log %s-%d offsets %d-%d leader epoch %d producer %d/%d sequence %d-%d", l.Topic, p, b.BaseOffset(), b.LastOffset(),
					b.PartitionLeaderEpoch(), b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), b.LastSequence())
				rest = after
			}
		}
	}
}
