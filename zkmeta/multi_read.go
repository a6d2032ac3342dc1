package zkmeta

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/go-zookeeper/zk"
	"go.uber.org/zap"
)

// perRead is how many znodes one request reads. It keeps request and answer far below what either side takes for one packet, and the
// server from being long at one thing.
const perRead = 256

// Numbers of a multiRead (ZooDefs.java, MultiOperationRecord.java).
const (
	opMultiRead      = 22
	opFailed         = -1
	multiHeaderSize  = 9 // operation, whether it is the end, code
	statSize         = 68
	codeNoNode       = -101
	codeExpired      = -112
	codeMoved        = -118
	codeNotSupported = -6
)

// errOneByOne is about what has to be read one znode a request.
var errOneByOne = errors.New("zookeeper did not read several znodes at once")

// found is a znode of a multiRead.
type found struct {
	data   []byte
	stat   zk.Stat // nothing but Version and Mzxid
	exists bool
}

// getEach reads many znodes, perRead of them with a request, and gives each that exists to f, which is called from several goroutines.
// The library has no such request, and servers before 3.6 neither: there every znode is read with one of its own.
func (s *session) getEach(ctx context.Context, paths []string, f func(i int, data []byte, stat zk.Stat)) error {
	return s.each(ctx, (len(paths)+perRead-1)/perRead, func(ctx context.Context, group int) error {
		first := group * perRead
		some := paths[first:min(first+perRead, len(paths))]
		nodes, err := s.getTogether(ctx, some)
		if errors.Is(err, errOneByOne) || errors.Is(err, errLost) {
			nodes, err = s.getOneByOne(ctx, some)
		}
		if err != nil {
			return err
		}
		for i, node := range nodes {
			if node.exists {
				f(first+i, node.data, node.stat)
			}
		}
		return nil
	})
}

func (s *session) getOneByOne(ctx context.Context, paths []string) ([]found, error) {
	nodes := make([]found, len(paths))
	for i, path := range paths {
		data, stat, err := s.get(ctx, path, nil)
		if errors.Is(err, ErrNoNode) {
			continue
		}
		if err != nil {
			return nil, err
		}
		nodes[i] = found{data, stat, true}
	}
	return nodes, nil
}

// getTogether reads znodes with one request, once.
func (s *session) getTogether(ctx context.Context, paths []string) ([]found, error) {
	if len(paths) == 1 || s.client.oneByOne.Load() {
		return nil, errOneByOne
	}
	request := s.multiRead(paths)
	reply, err := attempt(ctx, s, "multi read", func() ([]byte, error) { return s.dialer.ask(opMultiRead, request) })
	if errors.Is(err, errNotSupported) {
		// Such a server hangs up, too.
		if !s.client.oneByOne.Swap(true) {
			s.client.log.Info("zookeeper reads one znode at a time, servers from 3.6 on read several", zap.Error(err))
		}
		return nil, errOneByOne
	}
	if err != nil {
		return nil, err
	}
	return parseMultiRead(reply, len(paths))
}

func (s *session) multiRead(paths []string) []byte {
	size := multiHeaderSize
	for _, path := range paths {
		size += multiHeaderSize + 5 + len(s.client.chroot) + len(path)
	}
	b := make([]byte, 0, size)
	for _, path := range paths {
		full := s.full(path)
		b = appendMultiHeader(b, opGetData, false)
		b = binary.BigEndian.AppendUint32(b, uint32(len(full)))
		b = append(b, full...)
		b = append(b, 0) // no watch
	}
	return appendMultiHeader(b, opFailed, true)
}

func appendMultiHeader(b []byte, op int32, end bool) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(op))
	if end {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return binary.BigEndian.AppendUint32(b, ^uint32(0))
}

// parseMultiRead takes the answer for count znodes apart. The data are parts of it. errOneByOne when one of them could not be read for
// another reason than that it is not there, which a read of its own will tell.
func parseMultiRead(b []byte, count int) ([]found, error) {
	nodes := make([]found, count)
	for i := range nodes {
		if len(b) < multiHeaderSize+4 {
			return nil, fmt.Errorf("multi read: the answer ends at %d of %d znodes", i, count)
		}
		op, value := int32(binary.BigEndian.Uint32(b)), int32(binary.BigEndian.Uint32(b[multiHeaderSize:]))
		b = b[multiHeaderSize+4:]
		switch {
		case op == opFailed && value == codeNoNode:
		case op == opFailed:
			return nil, errOneByOne
		case op != opGetData:
			return nil, fmt.Errorf("multi read: operation %d was answered", op)
		default:
			size := int64(max(0, value)) // -1: null
			if int64(len(b)) < size+statSize {
				return nil, fmt.Errorf("multi read: the answer ends at %d of %d znodes", i, count)
			}
			nodes[i] = found{data: slices.Clip(b[:size]), stat: statOf(b[size:]), exists: true}
			b = b[size+statSize:]
		}
	}
	return nodes, nil
}

// statOf reads what we use of a stat: czxid, mzxid, ctime, mtime, version and so on.
func statOf(b []byte) zk.Stat {
	return zk.Stat{Mzxid: int64(binary.BigEndian.Uint64(b[8:])), Version: int32(binary.BigEndian.Uint32(b[32:]))}
}

// errNotSupported is the answer of a server that does not know a request.
var errNotSupported = errors.New("the server does not know this request")

// replyError is the error for a code in the header of an answer.
func replyError(code int32) error {
	switch code {
	case 0:
		return nil
	case codeNotSupported:
		return errNotSupported
	case codeExpired:
		return zk.ErrSessionExpired
	case codeMoved:
		return zk.ErrSessionMoved
	default:
		return fmt.Errorf("zookeeper answered with code %d", code)
	}
}
