package zkserver

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// The file: bucket meta holds the format, the last zxid, the last session id and the
// secret of the passwords; nodes holds a record per path; sessions holds the timeout in
// milliseconds per id. Integers are big-endian. Only changes are written.
const (
	bucketMeta     = "meta"
	bucketNodes    = "nodes"
	bucketSessions = "sessions"

	keyFormat      = "format"
	keyZxid        = "zxid"
	keyLastSession = "lastSession"
	keySecret      = "secret"

	format = "1"
)

var errDamaged = errors.New("file is damaged")

// ErrInUse: another process has the file open.
var ErrInUse = errors.New("another process has it open")

type store struct{ db *bolt.DB }

// lockTime is how long to wait for another process that has the file open.
const lockTime = time.Second

func openStore(path string, noSync bool) (*store, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout: lockTime, NoSync: noSync, NoFreelistSync: true, FreelistType: bolt.FreelistMapType,
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		err = ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &store{db: db}, nil
}

func (st *store) close() error { return st.db.Close() }

// load fills s and begins a new epoch. The epoch is made durable first, as zxids of it will
// be shown to clients by answers that write nothing.
func (st *store) load(s *Server) error {
	err := st.db.Update(func(tx *bolt.Tx) error {
		meta := tx.Bucket([]byte(bucketMeta))
		if meta == nil {
			return st.format(tx, s)
		}
		if got := string(meta.Get([]byte(keyFormat))); got != format {
			return fmt.Errorf("file has format %q, not %q", got, format)
		}
		s.zxid = (getInt64(meta, keyZxid)>>epochShift + 1) << epochShift
		s.lastSession = getInt64(meta, keyLastSession)
		s.secret = append([]byte{}, meta.Get([]byte(keySecret))...)
		if err := loadSessions(tx.Bucket([]byte(bucketSessions)), s); err != nil {
			return err
		}
		if err := loadNodes(tx.Bucket([]byte(bucketNodes)), s); err != nil {
			return err
		}
		return putInt64(meta, keyZxid, s.zxid)
	})
	if err != nil {
		return fmt.Errorf("load %s: %w", st.db.Path(), err)
	}
	return nil
}

// format lays out a new file with the nodes of a new tree.
func (st *store) format(tx *bolt.Tx, s *Server) error {
	meta, err := tx.CreateBucket([]byte(bucketMeta))
	if err != nil {
		return err
	}
	if _, err := tx.CreateBucket([]byte(bucketSessions)); err != nil {
		return err
	}
	nodes, err := tx.CreateBucket([]byte(bucketNodes))
	if err != nil {
		return err
	}
	for path, n := range s.tree.nodes {
		if err := nodes.Put([]byte(path), encodeNode(n)); err != nil {
			return err
		}
	}
	s.secret = make([]byte, 32)
	rand.Read(s.secret)
	return errors.Join(
		meta.Put([]byte(keyFormat), []byte(format)),
		meta.Put([]byte(keySecret), s.secret),
		putInt64(meta, keyZxid, s.zxid))
}

func loadSessions(b *bolt.Bucket, s *Server) error {
	if b == nil {
		return errDamaged
	}
	return b.ForEach(func(k, v []byte) error {
		if len(k) != 8 || len(v) != 8 {
			return errDamaged
		}
		id := int64(binary.BigEndian.Uint64(k))
		timeout := time.Duration(binary.BigEndian.Uint64(v)) * time.Millisecond
		s.sessions[id] = s.newSession(id, timeout)
		return nil
	})
}

func loadNodes(b *bolt.Bucket, s *Server) error {
	if b == nil {
		return errDamaged
	}
	s.tree.nodes = map[string]*node{}
	err := b.ForEach(func(k, v []byte) error {
		n, ok := decodeNode(v)
		if !ok {
			return fmt.Errorf("node %q: %w", k, errDamaged)
		}
		path := string(k)
		s.tree.nodes[path] = n
		if owner := s.sessions[n.owner]; owner != nil {
			owner.ephemerals[path] = struct{}{}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.tree.nodes[rootPath] == nil {
		return errDamaged
	}
	s.tree.linkAll()
	return nil
}

// commit makes the server's dirty nodes and sessions durable.
func (st *store) commit(s *Server) error {
	return st.db.Update(func(tx *bolt.Tx) error {
		nodes := tx.Bucket([]byte(bucketNodes))
		for path := range s.dirty.nodes {
			var err error
			if n := s.tree.nodes[path]; n != nil {
				err = nodes.Put([]byte(path), encodeNode(n))
			} else {
				err = nodes.Delete([]byte(path))
			}
			if err != nil {
				return fmt.Errorf("node %q: %w", path, err)
			}
		}
		sessions := tx.Bucket([]byte(bucketSessions))
		for id := range s.dirty.sessions {
			key := binary.BigEndian.AppendUint64(nil, uint64(id))
			var err error
			if session := s.sessions[id]; session != nil {
				err = sessions.Put(key, binary.BigEndian.AppendUint64(nil, uint64(session.timeout.Milliseconds())))
			} else {
				err = sessions.Delete(key)
			}
			if err != nil {
				return fmt.Errorf("session %d: %w", id, err)
			}
		}
		meta := tx.Bucket([]byte(bucketMeta))
		return errors.Join(putInt64(meta, keyZxid, s.zxid), putInt64(meta, keyLastSession, s.lastSession))
	})
}

func encodeNode(n *node) []byte {
	w := &writer{b: make([]byte, 0, 128+len(n.data))}
	for _, v := range []int64{n.czxid, n.mzxid, n.pzxid, n.ctime, n.mtime, n.owner} {
		w.int64(v)
	}
	for _, v := range []int32{n.version, n.creations, n.aversion} {
		w.int32(v)
	}
	w.acls(n.acl)
	w.buffer(n.data)
	return w.b
}

func decodeNode(b []byte) (*node, bool) {
	r := reader{b: b}
	n := &node{
		czxid: r.int64(), mzxid: r.int64(), pzxid: r.int64(), ctime: r.int64(), mtime: r.int64(), owner: r.int64(),
		version: r.int32(), creations: r.int32(), aversion: r.int32(),
	}
	n.acl, n.data = r.acls(), r.buffer()
	return n, !r.bad && len(r.b) == 0
}

func getInt64(b *bolt.Bucket, key string) int64 {
	if v := b.Get([]byte(key)); len(v) == 8 {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

func putInt64(b *bolt.Bucket, key string, v int64) error {
	return b.Put([]byte(key), binary.BigEndian.AppendUint64(nil, uint64(v)))
}
