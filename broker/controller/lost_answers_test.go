//go:build !race

// The ZooKeeper library (go-zookeeper 1.0.4) reads a number without
// synchronisation when it sets watches anew after a lost connection, which the
// race detector reports.

package controller

import (
	"sync"
	"testing"
	"time"

	"github.com/kbroker/kbroker/zkmeta/zkserver"
)

func TestLostAnswersOfZooKeeperChangeNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.broker(1)
		mine, _ := n.zk.Session()
		var mu sync.Mutex
		count := 0
		w.interceptWith(func(r zkserver.Request) zkserver.Verdict {
			mu.Lock()
			defer mu.Unlock()
			if count++; r.SessionID == mine && count%3 == 0 && count < 60 && r.Op > 0 {
				return zkserver.Verdict{Drop: zkserver.DropAnswer}
			}
			return zkserver.Verdict{}
		})
		for _, c := range n.controller.CreateTopics(w.Context(), []NewTopic{placed("t", []int32{1})}, false) {
			if c.Err != nil {
				w.Fatal(c.Err)
			}
		}
		w.pass(10 * time.Second)
		w.wantState(n.zk, "t", 0, "leader=1 epoch=0 isr=1 version=0 by=1")
		if !n.controller.Active() {
			w.Error("not active")
		}
	})
}
