package broker

import (
	"errors"
	"fmt"
	"net"
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
		for _, l := range bound {
			_ = l.Close() // nothing was served on it
		}
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

// boundPorts tells the real port of every listener, for those configured with port 0.
func boundPorts(listeners []server.Listener) map[string]int32 {
	ports := map[string]int32{}
	for _, l := range listeners {
		if _, seen := ports[l.Name]; !seen {
			ports[l.Name] = portOf(l)
		}
	}
	return ports
}

func portOf(l net.Listener) int32 {
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		return int32(a.Port)
	}
	return 0
}
