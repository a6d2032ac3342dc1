package replica

import (
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/storage"
)

// AlterLogDir moves the log of a partition to another log directory, or gives up a move when the directory is where the log
// is (Kafka: ReplicaManager.alterReplicaLogDirs, KIP-113). It begins the move; future_copy.go does it. A log that is not there yet will be
// made in the directory.
//
// ErrNoLogDir; ErrTopicNameTooLong; ErrStorage: the directory, the partition's or, for a new move, any other is offline;
// ErrReplicaNotAvailable, ErrUnknownPartition: there is no log yet, and the directory is noted.
func (m *Manager) AlterLogDir(topic string, partition int32, dir string) error {
	m.applyMu.Lock()
	defer m.applyMu.Unlock()
	if m.closed {
		return errClosed
	}
	name := storage.TopicPartition{Topic: topic, Partition: partition}
	if storage.FutureNameTooLong(name) {
		return fmt.Errorf("%w: %s", ErrTopicNameTooLong, name)
	}
	if err := m.logs.CheckDir(dir); err != nil {
		return translate(err)
	}
	p, err := m.Partition(topic, partition)
	if errors.Is(err, ErrStorage) {
		return err
	}
	future, copied := m.logs.Future(name)
	if p != nil && copied && future.Dir() != dir {
		if err := m.logs.DiscardFuture(name); err != nil {
			return translate(err)
		}
		copied = false
	}
	log, here := m.logs.Log(name)
	if (!here || log.Dir() != dir) && !copied {
		m.logs.PreferDir(name, dir)
	}
	switch {
	case errors.Is(err, ErrNotLeader) || p != nil && !here:
		return ErrReplicaNotAvailable // a code of its own, which clients of old expect
	case err != nil:
		return err
	case log.Dir() == dir:
		return nil
	case !copied && m.anyOffline():
		// The copy may be in a directory that is offline: there must not be two.
		return fmt.Errorf("%w: no move begins while a log directory is offline", ErrStorage)
	}
	if _, err := m.logs.CreateFuture(name, dir); err != nil {
		return translate(err)
	}
	m.moves.add(p)
	return nil
}

func (m *Manager) anyOffline() bool {
	for _, d := range m.logs.Dirs() {
		if d.Err != nil {
			return true
		}
	}
	return false
}

// resumeMoves goes on with the moves that the last stop interrupted, of partitions that are hosted again (Kafka: maybeAddLogDirFetchers).
func (m *Manager) resumeMoves(changes []change) {
	for i := range changes {
		if p := changes[i].partition; p != nil && changes[i].done {
			if _, ok := m.logs.Future(p.name()); ok {
				m.moves.add(p)
			}
		}
	}
}

// abandonMovesTo forgets the copies in a directory that failed. The next start finds them.
func (m *Manager) abandonMovesTo(dir string) {
	for _, p := range m.Partitions() {
		future, ok := m.logs.Future(p.name())
		if !ok || future.Dir() != dir {
			continue
		}
		if err := m.logs.DiscardFuture(p.name()); err != nil {
			m.log.Error("copy of log cannot be forgotten", p.fields(zap.Error(err))...)
		}
	}
}

// swapLog puts the copy in the place of the partition's log, unless somebody appended meanwhile more than there is time
// for. Appends, cuts and changes of role wait.
func (m *Manager) swapLog(p *Partition, step func() (storage.Copied, error)) (swapped bool, err error) {
	m.applyMu.Lock()
	defer m.applyMu.Unlock()
	p.gate.Lock()
	defer p.gate.Unlock()
	if m.closed || p.offline.Load() || m.hosted(p.name()) != p {
		return false, fmt.Errorf("move %s: %w", p.name(), storage.ErrClosed)
	}
	// Nothing is appended now, so that this ends; a few steps bring what came since the last.
	for left := int64(1); left > 0; {
		c, err := step()
		if err != nil {
			return false, err
		}
		if left = c.Left; left > 0 && c.Bytes == 0 {
			return false, nil
		}
	}
	moved, err := m.logs.Replace(p.name())
	if err != nil {
		return false, err
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.log != nil {
		moved.SetHighWatermark(p.log.HighWatermark()) // which followers may have moved meanwhile
	}
	p.log = moved
	p.wake(onAnything)
	return true, nil
}
