package broker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"syscall"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/server"
)

// listen binds every listener. "localhost" is bound on IPv4 and, where the machine has it, on
// IPv6 too, since clients differ in which one they try.
func listen(c *config.Broker, bind func(network, address string) (net.Listener, error)) ([]server.Listener, error) {
	if bind == nil {
		bind = net.Listen
	}
	var bound []server.Listener
	fail := func(e config.Endpoint, err error) error {
		closeAll(bound)
		hint := ""
		if errors.Is(err, syscall.EADDRINUSE) {
			hint = "; another process listens there: end it, or change listeners"
		}
		return fmt.Errorf("listeners: cannot bind %s://%s:%d: %w%s", e.Listener, e.Host, e.Port, err, hint)
	}
	for _, e := range c.Listeners {
		port := strconv.Itoa(int(e.Port))
		l, err := bind("tcp", net.JoinHostPort(e.Host, port))
		if err != nil {
			return nil, fail(e, err)
		}
		bound = append(bound, server.Listener{Name: e.Listener, Listener: l})
		if e.Host != "localhost" {
			continue
		}
		if port6 := portOf(l); port6 > 0 {
			// Without IPv6 this fails, and IPv4 alone is right.
			if l6, err := bind("tcp6", net.JoinHostPort("::1", strconv.Itoa(int(port6)))); err == nil {
				bound = append(bound, server.Listener{Name: e.Listener, Listener: l6})
			}
		}
	}
	return bound, nil
}

// advertised fills in what advertised.listeners may leave open: the port that was bound for
// port 0, and this machine's name for an empty host, as Kafka does.
func advertised(c *config.Broker, listeners []server.Listener) ([]config.Endpoint, error) {
	list := slices.Clone(c.Advertised)
	for i := range list {
		e := &list[i]
		if e.Port == 0 {
			bound := slices.IndexFunc(listeners, func(l server.Listener) bool { return l.Name == e.Listener })
			if bound >= 0 {
				e.Port = portOf(listeners[bound])
			}
		}
		if e.Host == "" {
			name, err := os.Hostname()
			if err != nil {
				return nil, fmt.Errorf("advertised.listeners: %s has no host and this machine has no name: %w", e.Listener, err)
			}
			e.Host = name
		}
	}
	return list, nil
}

// closeAll closes listeners on which nothing was served.
func closeAll(listeners []server.Listener) {
	for _, l := range listeners {
		_ = l.Close() // nothing was served on it
	}
}

func portOf(l net.Listener) int32 {
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		return int32(a.Port)
	}
	return 0
}
