package zkmeta

import (
	"fmt"
	"net"
	"strings"
	"time"

	"go.uber.org/zap"
)

// defaultPort is ZooKeeper's client port, used where zookeeper.connect names none.
const defaultPort = "2181"

// Options are what a Client is made of.
type Options struct {
	Connect           string        // zookeeper.connect, with an optional chroot, which is created when absent
	SessionTimeout    time.Duration // zookeeper.session.timeout.ms; 18 s when zero, as Kafka
	ConnectionTimeout time.Duration // how long Connect waits, saying why; the session timeout when zero
	// MaxInFlight is zookeeper.max.in.flight.requests: how many requests of this client may wait for their
	// answers at a time. 10 when zero, as Kafka.
	MaxInFlight int
	// Dial replaces net.Dialer. It must return within timeout.
	Dial   func(network, address string, timeout time.Duration) (net.Conn, error)
	Logger *zap.Logger // nil logs nothing
	// Observe, when not nil, is given the latency of every request. It is called from many goroutines.
	Observe func(operation string, elapsed time.Duration)
}

// withDefaults fills in what Kafka takes when a key is not set.
func (o Options) withDefaults() Options {
	if o.SessionTimeout <= 0 {
		o.SessionTimeout = 18 * time.Second
	}
	if o.ConnectionTimeout <= 0 {
		o.ConnectionTimeout = o.SessionTimeout
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = 10
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

// parseConnect splits zookeeper.connect into host:port addresses and the chroot ("" or "/a/b").
func parseConnect(connect string) (servers []string, chroot string, err error) {
	hosts := strings.TrimSpace(connect)
	if slash := strings.IndexByte(hosts, '/'); slash >= 0 {
		hosts, chroot = hosts[:slash], strings.TrimRight(hosts[slash:], "/")
	}
	if strings.Contains(chroot, "//") {
		return nil, "", fmt.Errorf("zookeeper.connect %q: the chroot %q has an empty name in it", connect, chroot)
	}
	for server := range strings.SplitSeq(hosts, ",") {
		address, err := serverAddress(strings.TrimSpace(server))
		if err != nil {
			return nil, "", fmt.Errorf("zookeeper.connect %q: %w", connect, err)
		}
		servers = append(servers, address)
	}
	return servers, chroot, nil
}

func serverAddress(server string) (string, error) {
	if server == "" {
		return "", fmt.Errorf("an empty server name; want host:port,host:port/chroot")
	}
	if host, port, err := net.SplitHostPort(server); err == nil {
		if host == "" || port == "" {
			return "", fmt.Errorf("server %q lacks a host or a port", server)
		}
		return server, nil
	}
	host := strings.TrimSuffix(strings.TrimPrefix(server, "["), "]")
	if strings.Contains(host, ":") && !strings.HasPrefix(server, "[") {
		return "", fmt.Errorf("server %q is not host:port; write an IPv6 address as [address]:port", server)
	}
	return net.JoinHostPort(host, defaultPort), nil
}
