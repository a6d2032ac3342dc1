package zkserver

import (
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// node is a znode. creations counts the children ever created; ZooKeeper keeps that as the
// persisted cversion and derives the visible one (creations plus removals) from it.
type node struct {
	czxid, mzxid, pzxid int64
	ctime, mtime        int64 // milliseconds of the epoch
	version             int32
	creations           int32
	aversion            int32
	owner               int64  // session of an ephemeral node, else 0
	data                []byte // nil is not the same as empty
	acl                 []acl
	children            map[string]struct{}
}

// tree is all nodes by path, owned by the owner goroutine.
type tree struct {
	nodes map[string]*node
}

// The paths that every ZooKeeper has and nobody can delete.
const (
	rootPath   = "/"
	zkPath     = "/zookeeper"
	configPath = "/zookeeper/config"
	quotaPath  = "/zookeeper/quota"
)

func special(path string) bool {
	return path == rootPath || path == zkPath || path == configPath || path == quotaPath
}

// newTree returns the tree of a fresh server. Its nodes have no history: all zxids and
// times are 0, and the access list of the configuration has version -1, as in ZooKeeper.
func newTree() *tree {
	t := &tree{nodes: map[string]*node{
		rootPath:   {data: []byte{}, acl: openACL()},
		zkPath:     {data: []byte{}, acl: openACL()},
		quotaPath:  {data: []byte{}, acl: openACL()},
		configPath: {data: []byte{}, acl: []acl{{perms: permRead, scheme: "world", id: "anyone"}}, aversion: -1},
	}}
	t.linkAll()
	return t
}

// linkAll fills the children of all nodes from their paths.
func (t *tree) linkAll() {
	for path := range t.nodes {
		if path == rootPath {
			continue
		}
		if parent := t.nodes[parentOf(path)]; parent != nil {
			parent.link(baseOf(path))
		}
	}
}

// get finds a node. The empty path is the root, as in ZooKeeper.
func (t *tree) get(path string) *node {
	if path == "" {
		path = rootPath
	}
	return t.nodes[path]
}

func (n *node) link(name string) {
	if n.children == nil {
		n.children = map[string]struct{}{}
	}
	n.children[name] = struct{}{}
}

func (n *node) unlink(name string) {
	delete(n.children, name)
	if len(n.children) == 0 {
		n.children = nil
	}
}

func (n *node) childNames() []string {
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// stat encodes the node's Stat. Of the children ever created, all but those present
// were also removed: so many changes were there.
func (w *writer) stat(n *node) {
	w.int64(n.czxid)
	w.int64(n.mzxid)
	w.int64(n.ctime)
	w.int64(n.mtime)
	w.int32(n.version)
	w.int32(2*n.creations - int32(len(n.children)))
	w.int32(n.aversion)
	w.int64(n.owner)
	w.int32(int32(len(n.data)))
	w.int32(int32(len(n.children)))
	w.int64(n.pzxid)
}

// parentOf returns the path of the parent of a path that has a slash.
func parentOf(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return rootPath
}

func baseOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// splittable tells whether a path has a parent at all; ZooKeeper asks no more before it
// looks for the parent.
func splittable(path string) bool {
	return strings.IndexByte(path, '/') >= 0 && strings.IndexByte(path, 0) < 0
}

// maxPath bounds a path: bbolt takes no longer keys. ZooKeeper has no such bound below its frame's.
const maxPath = 32 << 10

// validPath is PathUtils.validatePath.
func validPath(path string) bool {
	if path == rootPath {
		return true
	}
	if path == "" || path[0] != '/' || len(path) > maxPath || !utf8.ValidString(path) {
		return false
	}
	for _, name := range strings.Split(path[1:], "/") {
		if name == "" || name == "." || name == ".." || strings.ContainsFunc(name, refusedInPath) {
			return false
		}
	}
	return true
}

// refusedInPath tells control characters, private use and specials. Java sees a character
// beyond the basic plane as two surrogates, which are among the refused.
func refusedInPath(c rune) bool {
	return c <= 0x1f || c >= 0x7f && c <= 0x9f || c >= 0xd800 && c <= 0xf8ff || c >= 0xfff0 || utf16.IsSurrogate(c)
}
