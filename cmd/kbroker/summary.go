package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/kbroker/kbroker/broker"
	"github.com/kbroker/kbroker/broker/config"
)

// summary is the block that is printed when the broker is ready.
func summary(b *broker.Broker, c *config.Broker, metrics, note string, after time.Duration) string {
	var s strings.Builder
	row := func(name, value string) { fmt.Fprintf(&s, "  %-11s %s\n", name, value) }
	fmt.Fprintf(&s, "\nkbroker %s\n", version)
	row("broker id", fmt.Sprint(b.ID()))
	row("cluster id", b.ClusterID())
	row("zookeeper", c.ZooKeeperConnect+note)
	row("listeners", endpoints(c.Listeners))
	row("advertised", endpoints(b.Advertised()))
	row("", reach(b.Advertised()))
	row("log dirs", strings.Join(c.LogDirs, ", "))
	if metrics != "" {
		row("metrics", "http://"+metrics+"/metrics")
	}
	row("ready after", after.Round(time.Millisecond/10).String())
	s.WriteString("\n")
	return s.String()
}

func endpoints(list []config.Endpoint) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = fmt.Sprintf("%s://%s", e.Listener, net.JoinHostPort(e.Host, fmt.Sprint(e.Port)))
	}
	return strings.Join(texts, ", ")
}

// reach says how a client on another host gets here: the address that it is told to use is the
// advertised one, whatever it connected to first.
func reach(advertised []config.Endpoint) string {
	if len(advertised) == 0 {
		return "no listener is advertised"
	}
	e := advertised[0]
	if host := e.Host; host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return fmt.Sprintf("clients on other hosts connect to %s, which must resolve to this machine there",
			net.JoinHostPort(host, fmt.Sprint(e.Port)))
	}
	name, err := os.Hostname()
	if err != nil {
		name = "<this host>"
	}
	return fmt.Sprintf("only clients on this host can connect; for others start with --listeners %s://:%d --advertised-listeners %s://%s:%d",
		e.Listener, e.Port, e.Listener, name, e.Port)
}
