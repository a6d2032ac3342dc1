package zkmeta

import (
	"errors"
	"fmt"
)

// Errors of this package. Others wrap what ZooKeeper said.
var (
	ErrNoNode          = errors.New("znode does not exist")
	ErrNodeExists      = errors.New("znode exists already")
	ErrBadVersion      = errors.New("znode was changed meanwhile")
	ErrControllerMoved = errors.New("another broker became controller") // the check of the controller epoch failed
	ErrSessionExpired  = errors.New("zookeeper session expired")
	ErrClosed          = errors.New("zookeeper client is closed")
	// ErrBrokerIDTaken: another session holds /brokers/ids/<id>.
	ErrBrokerIDTaken = errors.New("broker id is registered by another session")
)

// errLost says that the connection ended before the answer came: a read may be repeated, a write has an
// unknown outcome. It does not leave this package.
var errLost = errors.New("zookeeper connection lost")

// errNotEmpty: the znode to be deleted has children.
var errNotEmpty = errors.New("znode has children")

// KRaftControllerError says that a KRaft controller has taken the cluster over (migration, KIP-866): a
// broker that knows ZooKeeper only must not take part.
type KRaftControllerError struct {
	ControllerID int32
	Epoch        int32 // kraftControllerEpoch of /controller
}

func (e *KRaftControllerError) Error() string {
	return fmt.Sprintf("the cluster is owned by KRaft controller %d (epoch %d); kbroker works with ZooKeeper only",
		e.ControllerID, e.Epoch)
}

// opError is the failure of one operation of a transaction, none of which took effect.
type opError struct {
	index int // which operation
	err   error
}

func (e *opError) Error() string { return e.err.Error() }
func (e *opError) Unwrap() error { return e.err }

// failedAt tells which operation of a transaction failed, or -1.
func failedAt(err error) int {
	var failed *opError
	if errors.As(err, &failed) {
		return failed.index
	}
	return -1
}
