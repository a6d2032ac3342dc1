package zktest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

func testStats(e *env) {
	t := e.t
	before := time.Now().Add(-time.Second).UnixMilli()
	e.create("n", "data", 0)
	born := e.stat("n")
	equal(t, "stat", born, Stat{
		Czxid: born.Czxid, Mzxid: born.Czxid, Pzxid: born.Czxid, Ctime: born.Ctime, Mtime: born.Ctime, DataLength: 4,
	})
	if now := time.Now().Add(time.Second).UnixMilli(); born.Ctime < before || born.Ctime > now {
		t.Errorf("created at %d, not between %d and %d", born.Ctime, before, now)
	}

	set := e.set("n", "longer data")
	want := born
	want.Mzxid, want.Mtime, want.Version, want.DataLength = set.Mzxid, set.Mtime, 1, 11
	equal(t, "stat after setData", set, want)
	if set.Mzxid <= born.Mzxid || set.Mtime < born.Mtime {
		t.Errorf("modified at %d, %d; created at %d, %d", set.Mzxid, set.Mtime, born.Mzxid, born.Mtime)
	}

	e.create("n/a", "", 0)
	e.create("n/b", "", 0)
	want = set
	want.Cversion, want.NumChildren, want.Pzxid = 2, 2, e.stat("n/b").Czxid
	equal(t, "stat with children", e.stat("n"), want)

	e.set("n/a", "x") // concerns the child alone
	equal(t, "stat after a child was written", e.stat("n"), want)

	e.delete("n/a")
	got := e.stat("n")
	want.Cversion, want.NumChildren = 3, 1
	if got.Pzxid <= want.Pzxid {
		t.Errorf("pzxid stayed at %d", got.Pzxid)
	}
	want.Pzxid = got.Pzxid
	equal(t, "stat after a child was deleted", got, want)
}

func testNullData(e *env) {
	for name, data := range map[string][]byte{"null": nil, "empty": {}, "zero": {0}} {
		e.must(e.c.Call(OpCreate, createBody(e.path(name), data, 0)))
		body := e.must(e.c.Call(OpGetData, pathWatch(e.path(name), false)))
		got := body.TakeBytes()
		if !bytes.Equal(got, data) || (got == nil) != (data == nil) {
			e.t.Errorf("%s: got %#v, want %#v", name, got, data)
		}
		equal(e.t, "data length", body.TakeStat().DataLength, int32(len(data)))
	}
	e.must(e.c.Call(OpSetData, Fields(nil).String(e.path("zero")).Bytes(nil).Int(-1)))
	body := e.must(e.c.Call(OpGetData, pathWatch(e.path("zero"), false)))
	if got := body.TakeBytes(); got != nil {
		e.t.Errorf("got %#v after null was set", got)
	}
}

func testSequential(e *env) {
	e.create("s", "", 0)
	want := func(got, name string) {
		e.t.Helper()
		equal(e.t, "name", got, e.path("s/"+name))
	}
	want(e.create("s/n-", "", 2), "n-0000000000")
	want(e.create("s/n-", "", 2), "n-0000000001")
	e.create("s/plain", "", 0) // counts
	want(e.create("s/m-", "", 2), "m-0000000003")
	e.delete("s/n-0000000000") // does not
	want(e.create("s/n-", "", 3), "n-0000000004")
	want(e.create("s/", "", 2), "0000000005")
	equal(e.t, "owner", e.stat("s/n-0000000004").EphemeralOwner, e.c.SessionID)
}

func testEphemeral(e *env) {
	other := e.client(10 * time.Second)
	e.create("p", "", 0)
	for _, name := range []string{"p/a", "p/b", "c"} {
		e.must(other.Call(OpCreate, createBody(e.path(name), nil, 1)))
	}
	e.fails(-108)(other.Call(OpCreate, createBody(e.path("p/a/child"), nil, 0)))
	equal(e.t, "owner", e.stat("p/a").EphemeralOwner, other.SessionID)
	e.must(other.Call(OpDelete, pathVersion(e.path("p/b"), 0)))
	before := e.stat("p")
	equal(e.t, "changes of children", before.Cversion, 3)

	closing, err := other.Call(OpCloseSession, nil)
	e.must(closing, err)
	e.closed(other)
	equal(e.t, "children", fmt.Sprint(e.children("p")), "[]")
	after := e.stat("p")
	equal(e.t, "changes of children", after.Cversion, 4)
	equal(e.t, "zxid of the removal", after.Pzxid, closing.Zxid)
	equal(e.t, "ephemeral exists", e.exists("c"), false)
}

// testErrors checks codes, and which comes first where several would do.
func testErrors(e *env) {
	e.create("n", "", 0)
	e.create("n/child", "", 0)
	e.create("eph", "", 1)
	path := func(p string) Fields { return Fields(nil).String(e.place(p)) }
	create := func(p string, flags int32) Fields { return createBody(e.place(p), nil, flags) }
	for _, c := range []struct {
		what string
		op   int32
		body Fields
		code int32
	}{
		{"create again", OpCreate, create("~/n", 0), -110},
		{"create the root", OpCreate, create("/", 0), -110},
		{"create without parent", OpCreate, create("~/x/y", 0), -101},
		{"create under an ephemeral", OpCreate, create("~/eph/x", 0), -108},
		{"create an existing ephemeral's child again", OpCreate, create("~/eph", 0), -110},
		{"create with a relative path", OpCreate, create("x", 0), -8},
		{"create with an empty path", OpCreate, create("", 0), -8},
		{"create with a null in the path", OpCreate, create("~/a\x00b", 0), -8},
		{"create with a control character", OpCreate, create("~/a\x01b", 0), -8},
		{"create with a private use character", OpCreate, create("~/a\ue000b", 0), -8},
		{"create with a character beyond the basic plane", OpCreate, create("~/a\U0001F600b", 0), -8},
		{"create with a dot name", OpCreate, create("~/.", 0), -8},
		{"create with a dotdot name", OpCreate, create("~/..", 0), -8},
		{"create with an empty name", OpCreate, create("~//x", 0), -101},
		{"create with a slash at the end", OpCreate, create("~/n/", 0), -8},
		{"create with a slash at the end, no parent", OpCreate, create("~/no/", 0), -101},
		{"create with unknown flags", OpCreate, create("~/f", 7), -8},
		{"create with negative flags", OpCreate, create("~/f", -1), -8},
		{"create with a time to live", OpCreate, create("~/f", 5), -6},
		{"create with no access list", OpCreate, path("~/f").Bytes(nil).Int(0).Int(0), -114},
		{"create with a null access list", OpCreate, path("~/f").Bytes(nil).Int(-1).Int(0), -114},
		{"no access list before no parent", OpCreate, path("~/x/y").Bytes(nil).Int(0).Int(0), -114},
		{"bad flags before no access list", OpCreate, path("~/f").Bytes(nil).Int(0).Int(9), -8},
		{"delete nothing", OpDelete, path("~/x").Int(-1), -101},
		{"delete under nothing", OpDelete, path("~/x/y").Int(-1), -101},
		{"delete with children", OpDelete, path("~/n").Int(-1), -111},
		{"bad version before children", OpDelete, path("~/n").Int(5), -103},
		{"delete with a bad version", OpDelete, path("~/n/child").Int(1), -103},
		{"delete the root", OpDelete, path("/").Int(-1), -8},
		{"delete a system node", OpDelete, path("/zookeeper").Int(-1), -8},
		{"delete the quota node", OpDelete, path("/zookeeper/quota").Int(-1), -8},
		{"delete the empty path", OpDelete, path("").Int(-1), -8},
		{"set nothing", OpSetData, path("~/x").Bytes(nil).Int(-1), -101},
		{"set with a bad version", OpSetData, path("~/n").Bytes(nil).Int(1), -103},
		{"set with a bad path", OpSetData, path("~/n/").Bytes(nil).Int(-1), -8},
		{"set with version -2", OpSetData, path("~/n").Bytes(nil).Int(-2), -103},
		{"get nothing", OpGetData, path("~/x").Bool(false), -101},
		{"get with a bad path", OpGetData, path("~/n/").Bool(false), -101},
		{"stat nothing", OpExists, path("~/x").Bool(false), -101},
		{"stat with a null", OpExists, path("~/a\x00").Bool(false), -8},
		{"list nothing", OpGetChildren, path("~/x").Bool(false), -101},
		{"list2 nothing", OpGetChildren2, path("~/x").Bool(false), -101},
		{"access list of nothing", OpGetACL, path("~/x"), -101},
		{"set an access list of nothing", OpSetACL, path("~/x").Open().Int(-1), -101},
		{"set no access list", OpSetACL, path("~/n").Int(0).Int(-1), -114},
		{"set an access list with a bad version", OpSetACL, path("~/n").Open().Int(7), -103},
		{"count under nothing", OpCountChildren, path("~/x"), -101},
	} {
		reply, err := e.c.Call(c.op, c.body)
		if err != nil {
			e.t.Fatalf("%s: %v", c.what, err)
		}
		if reply.Code != c.code || len(reply.Body) != 0 {
			e.t.Errorf("%s: code %d and %d bytes, want %d", c.what, reply.Code, len(reply.Body), c.code)
		}
	}
}

func testVersions(e *env) {
	e.create("n", "0", 0)
	for version := range int32(3) {
		e.fails(-103)(e.c.Call(OpSetData, Fields(nil).String(e.path("n")).Bytes(nil).Int(version+1)))
		body := e.must(e.c.Call(OpSetData, Fields(nil).String(e.path("n")).Bytes([]byte("x")).Int(version)))
		equal(e.t, "version", body.TakeStat().Version, version+1)
	}
	e.fails(-103)(e.c.Call(OpDelete, pathVersion(e.path("n"), 2)))
	e.must(e.c.Call(OpDelete, pathVersion(e.path("n"), 3)))
	e.create("n", "again", 0)
	equal(e.t, "version of a new node", e.stat("n").Version, 0)
}

func testSystemNodes(e *env) {
	body := e.must(e.c.Call(OpGetChildren2, pathWatch("/zookeeper", false)))
	names := body.TakeStrings()
	slices.Sort(names)
	equal(e.t, "children", fmt.Sprint(names), "[config quota]")
	equal(e.t, "stat", body.TakeStat(), Stat{Cversion: -2, NumChildren: 2})
	body = e.must(e.c.Call(OpGetData, pathWatch("/zookeeper/quota", false)))
	if data := body.TakeBytes(); data == nil || len(data) > 0 {
		e.t.Errorf("quota holds %#v", data)
	}
	body = e.must(e.c.Call(OpGetACL, Fields(nil).String("/zookeeper/config")))
	equal(e.t, "access list of config", string(body[:len(body)-68]), string(Fields(nil).ACL(1, "world", "anyone")))
	body = e.must(e.c.Call(OpGetData, pathWatch("", false))) // the root, too
	body.TakeBytes()
	equal(e.t, "root's czxid", body.TakeStat().Czxid, 0)
}

func testACL(e *env) {
	e.create("n", "", 0)
	read := func() (list string, stat Stat) {
		e.t.Helper()
		body := e.must(e.c.Call(OpGetACL, Fields(nil).String(e.path("n"))))
		n := len(body) - 68
		list, body = string(body[:n]), body[n:]
		return list, body.TakeStat()
	}
	list, stat := read()
	equal(e.t, "access list", list, string(Fields(nil).Open()))
	equal(e.t, "version", stat.Aversion, 0)

	// Two entries, one of them twice.
	entries := Fields(nil).Int(3)
	for _, entry := range []struct {
		perms      int32
		scheme, id string
	}{{31, "world", "anyone"}, {1, "ip", "127.0.0.1"}, {31, "world", "anyone"}} {
		entries = entries.Int(entry.perms).String(entry.scheme).String(entry.id)
	}
	body := e.must(e.c.Call(OpSetACL, append(Fields(nil).String(e.path("n")), entries.Int(0)...)))
	equal(e.t, "version", body.TakeStat().Aversion, 1)
	list, stat = read()
	want := Fields(nil).Int(2).Int(31).String("world").String("anyone").Int(1).String("ip").String("127.0.0.1")
	equal(e.t, "access list", list, string(want))
	equal(e.t, "version", stat.Aversion, 1)
	equal(e.t, "data version", stat.Version, 0)
	equal(e.t, "mzxid", stat.Mzxid, stat.Czxid)

	for _, bad := range [][2]string{{"world", "someone"}, {"nosuch", "x"}, {"digest", "nocolon"}, {"ip", "x.y"}, {"auth", ""}} {
		e.fails(-114)(e.c.Call(OpSetACL, Fields(nil).String(e.path("n")).ACL(31, bad[0], bad[1]).Int(-1)))
	}
}

func testAuth(e *env) {
	reply, err := e.c.Call(OpAuth, Fields(nil).Int(0).String("digest").Bytes([]byte("user:password")))
	e.must(reply, err)
	equal(e.t, "xid", reply.Xid, -4)
	e.must(e.c.Call(OpCreate, Fields(nil).String(e.path("mine")).Bytes(nil).ACL(31, "auth", "").Int(0)))
	body := e.must(e.c.Call(OpGetACL, Fields(nil).String(e.path("mine"))))
	body.TakeInt()
	body.TakeInt()
	equal(e.t, "scheme", body.TakeString(), "digest")
	equal(e.t, "id", body.TakeString(), "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=")
	e.delete("mine")
}

func testSmallReads(e *env) {
	e.create("n", "", 0)
	e.create("n/a", "", 1)
	e.create("n/b", "", 0)
	e.create("nn", "", 1)
	body := e.must(e.c.Call(OpSync, Fields(nil).String(e.path("n"))))
	equal(e.t, "synced", body.TakeString(), e.path("n"))
	e.fails(0)(e.c.Call(OpPing, nil))

	body = e.must(e.c.Call(OpCountChildren, Fields(nil).String(e.root)))
	equal(e.t, "nodes below", body.TakeInt(), 4)
	body = e.must(e.c.Call(OpCountChildren, Fields(nil).String(e.path("n"))))
	equal(e.t, "nodes below", body.TakeInt(), 2)

	for prefix, want := range map[string][]string{"": {"n/a", "nn"}, e.path("n/"): {"n/a"}, "/none": {}} {
		body := e.must(e.c.Call(OpGetEphemerals, Fields(nil).String(prefix)))
		got := body.TakeStrings()
		slices.Sort(got)
		for i := range want {
			want[i] = e.path(want[i])
		}
		equal(e.t, "ephemerals", strings.Join(got, " "), strings.Join(want, " "))
	}
	body = e.must(e.c.Call(OpCreate2, createBody(e.path("c2"), []byte("abc"), 0)))
	equal(e.t, "path", body.TakeString(), e.path("c2"))
	equal(e.t, "stat", body.TakeStat(), e.stat("c2"))
}
