package zktest

import "time"

// watching returns a second client, and a function that checks what it was told so far. A
// read of its own comes behind all events of writes that were answered.
func (e *env) watching() (w *Raw, told func(want ...string)) {
	w = e.client(10 * time.Second)
	return w, func(want ...string) {
		e.t.Helper()
		e.must(w.Call(OpPing, nil))
		e.events(w, want...)
	}
}

func testDataWatch(e *env) {
	w, told := e.watching()
	e.create("n", "", 0)
	e.must(w.Call(OpGetData, pathWatch(e.path("n"), true)))
	e.create("n/child", "", 0)
	told()
	e.set("n", "1")
	e.set("n", "2")
	told("changed ~/n")
	e.must(w.Call(OpExists, pathWatch(e.path("n"), true)))
	e.must(w.Call(OpGetData, pathWatch(e.path("n"), true))) // the same watch
	e.set("n", "3")
	told("changed ~/n")
	e.must(w.Call(OpGetData, pathWatch(e.path("n/child"), true)))
	e.delete("n/child")
	told("deleted ~/n/child")
	e.create("n/child", "", 0) // nobody watches any more
	told()
	e.fails(-101)(w.Call(OpGetData, pathWatch(e.path("none"), true))) // sets no watch
	e.create("none", "", 0)
	told()
}

func testExistsWatch(e *env) {
	w, told := e.watching()
	e.fails(-101)(w.Call(OpExists, pathWatch(e.path("n"), true)))
	e.create("n", "", 0)
	e.set("n", "1")
	told("created ~/n")
	e.must(w.Call(OpExists, pathWatch(e.path("n"), true)))
	e.set("n", "2")
	told("changed ~/n")
	e.must(w.Call(OpExists, pathWatch(e.path("n"), true)))
	e.delete("n")
	told("deleted ~/n")
}

func testChildWatch(e *env) {
	w, told := e.watching()
	e.create("n", "", 0)
	e.must(w.Call(OpGetChildren2, pathWatch(e.path("n"), true)))
	e.set("n", "1")
	told()
	e.create("n/a", "", 0)
	e.create("n/b", "", 0)
	told("children ~/n")
	e.must(w.Call(OpGetChildren, pathWatch(e.path("n"), true)))
	e.create("n/a/deep", "", 0)
	e.set("n/a", "1")
	told()
	e.delete("n/b")
	told("children ~/n")
	e.must(w.Call(OpGetChildren, pathWatch(e.path("n/a/deep"), true)))
	e.delete("n/a/deep")
	told("deleted ~/n/a/deep")
}

func testDeletionWatch(e *env) {
	w, told := e.watching()
	e.create("n", "", 0)
	e.must(w.Call(OpGetData, pathWatch(e.path("n"), true)))
	e.must(w.Call(OpGetChildren, pathWatch(e.path("n"), true)))
	e.must(w.Call(OpGetChildren, pathWatch(e.root, true)))
	e.delete("n")
	told("deleted ~/n", "children ~")
}

// testEventOrder checks that a client hears of its own change before the change is
// answered, and of another's before it can read it.
func testEventOrder(e *env) {
	e.create("n", "0", 0)
	e.must(e.c.Call(OpGetData, pathWatch(e.path("n"), true)))
	e.set("n", "1")
	e.events(e.c, "changed ~/n")

	other := e.client(10 * time.Second)
	for range 50 {
		body := e.must(e.c.Call(OpGetData, pathWatch(e.path("n"), true)))
		body.TakeBytes()
		before := body.TakeStat().Version
		if _, err := other.Send(OpSetData, Fields(nil).String(e.path("n")).Bytes(nil).Int(-1)); err != nil {
			e.t.Fatal(err)
		}
		for told, changed := false, false; !changed; {
			body := e.must(e.c.Call(OpGetData, pathWatch(e.path("n"), false)))
			body.TakeBytes()
			told = told || len(e.c.Events) > 0
			if changed = body.TakeStat().Version > before; changed && !told {
				e.t.Fatal("read a change before its event")
			}
		}
		if _, err := other.Receive(); err != nil {
			e.t.Fatal(err)
		}
	}
}

func testPersistentWatch(e *env) {
	w, told := e.watching()
	e.create("n", "", 0)
	body := e.must(w.Call(OpAddWatch, Fields(nil).String(e.path("n")).Int(0)))
	equal(e.t, "answer", body.TakeInt(), 0)
	e.set("n", "1")
	e.set("n", "2")
	e.create("n/a", "", 0)
	e.create("n/a/b", "", 0)
	told("changed ~/n", "changed ~/n", "children ~/n")

	r, toldR := e.watching()
	e.must(r.Call(OpAddWatch, Fields(nil).String(e.path("n")).Int(1)))
	e.create("n/a/b/c", "", 0)
	e.set("n/a", "1")
	e.delete("n/a/b/c")
	e.delete("n/a/b")
	e.delete("n/a")
	toldR("created ~/n/a/b/c", "changed ~/n/a", "deleted ~/n/a/b/c", "deleted ~/n/a/b", "deleted ~/n/a")
	told("children ~/n")
	e.delete("n")
	e.create("n", "", 0)
	told("deleted ~/n", "created ~/n")
	toldR("deleted ~/n", "created ~/n")
	e.fails(-5)(w.Call(OpAddWatch, Fields(nil).String(e.path("n")).Int(9)))
}

func testRemoveWatches(e *env) {
	const children, data, both = 1, 2, 3
	w, told := e.watching()
	e.create("n", "", 0)
	at := func(kind int32) Fields { return Fields(nil).String(e.path("n")).Int(kind) }
	e.fails(-121)(w.Call(OpCheckWatches, at(both)))
	e.fails(-121)(w.Call(OpRemoveWatches, at(both)))
	e.must(w.Call(OpGetData, pathWatch(e.path("n"), true)))
	e.must(w.Call(OpGetChildren, pathWatch(e.path("n"), true)))
	e.must(w.Call(OpCheckWatches, at(both)))
	e.must(w.Call(OpRemoveWatches, at(data)))
	e.fails(-121)(w.Call(OpCheckWatches, at(data)))
	e.must(w.Call(OpCheckWatches, at(children)))
	e.set("n", "1")
	told()
	e.create("n/a", "", 0)
	told("children ~/n")
	e.must(w.Call(OpAddWatch, Fields(nil).String(e.path("n")).Int(0)))
	e.must(w.Call(OpRemoveWatches, at(both)))
	e.set("n", "2")
	told()
}

func testSetWatches(e *env) {
	for _, name := range []string{"same", "changed", "deleted", "kids", "gone", "quiet"} {
		e.create(name, "", 0)
	}
	seen := e.stat("quiet").Czxid
	e.set("changed", "1")
	e.delete("deleted")
	e.create("kids/a", "", 0)
	e.delete("gone")
	e.create("there", "", 0)

	paths := func(names ...string) Fields {
		for i := range names {
			names[i] = e.path(names[i])
		}
		return Fields(nil).Strings(names...)
	}
	body := Fields(nil).Long(seen)
	body = append(body, paths("same", "changed", "deleted")...)
	body = append(body, paths("absent", "there")...)
	body = append(body, paths("quiet", "kids", "gone")...)
	w, told := e.watching()
	reply, err := w.Call(OpSetWatches, body)
	e.must(reply, err)
	equal(e.t, "xid", reply.Xid, -8)
	e.events(w, "changed ~/changed", "deleted ~/deleted", "created ~/there", "children ~/kids", "deleted ~/gone")

	// The others are armed.
	e.set("same", "1")
	e.create("absent", "", 0)
	e.create("quiet/a", "", 0)
	e.set("changed", "2")
	e.create("kids/b", "", 0)
	told("changed ~/same", "created ~/absent", "children ~/quiet")

	body = Fields(nil).Long(seen).Strings().Strings().Strings()
	body = append(body, paths("quiet")...)
	body = append(body, paths("kids")...)
	e.must(w.Call(OpSetWatches2, body))
	e.set("quiet", "1")
	e.set("quiet", "2")
	e.set("kids/a", "1")
	told("changed ~/quiet", "changed ~/quiet", "changed ~/kids/a")
}
