package zkserver

import (
	"fmt"
	"strings"
)

// word is a four-letter word: a connection that sends one instead of a frame is
// answered in text and closed.
type word struct {
	conn *conn
	name string
}

func isWord(name string) bool {
	switch name {
	case "ruok", "stat", "srvr", "mntr", "isro":
		return true
	}
	return false
}

// version is what the words say; 3.8 is the protocol served. Clients parse this form.
const version = "3.8.4-kbroker-embedded, built on 01/01/2026 00:00 GMT"

func (s *Server) answerWord(w *word) {
	var text strings.Builder
	switch w.name {
	case "ruok":
		text.WriteString("imok")
	case "isro":
		text.WriteString("rw")
	case "stat", "srvr":
		s.describe(&text, w.name == "stat")
	case "mntr":
		s.monitor(&text)
	}
	s.outputs = append(s.outputs, output{conn: w.conn, frame: []byte(text.String()), last: true})
}

func (s *Server) describe(text *strings.Builder, clients bool) {
	fmt.Fprintf(text, "Zookeeper version: %s\n", version)
	conns := s.connections()
	var received, sent int64
	if clients {
		text.WriteString("Clients:\n")
	}
	for _, c := range conns {
		r, w := c.received.Load(), c.sent.Load()
		received, sent = received+r, sent+w
		if clients {
			fmt.Fprintf(text, " /%s[1](queued=%d,recved=%d,sent=%d)\n", c.net.RemoteAddr(), len(c.slots), r, w)
		}
	}
	if clients {
		text.WriteString("\n")
	}
	text.WriteString("Latency min/avg/max: 0/0.0/0\n")
	fmt.Fprintf(text, "Received: %d\nSent: %d\nConnections: %d\nOutstanding: %d\nZxid: 0x%x\nMode: standalone\nNode count: %d\n",
		received, sent, len(conns), len(s.mailbox), s.zxid, len(s.tree.nodes))
}

func (s *Server) monitor(text *strings.Builder) {
	ephemerals, bytes := 0, 0
	for _, session := range s.sessions {
		ephemerals += len(session.ephemerals)
	}
	for path, n := range s.tree.nodes {
		bytes += len(path) + len(n.data)
	}
	put := func(name string, value any) { fmt.Fprintf(text, "zk_%s\t%v\n", name, value) }
	put("version", version)
	put("server_state", "standalone")
	put("num_alive_connections", len(s.connections()))
	put("outstanding_requests", len(s.mailbox))
	put("znode_count", len(s.tree.nodes))
	put("watch_count", s.dataWatches.count()+s.childWatches.count())
	put("ephemerals_count", ephemerals)
	put("approximate_data_size", bytes)
	put("global_sessions", len(s.sessions))
	put("uptime", s.elapsed().Milliseconds())
	put("commits", s.commits)
}
