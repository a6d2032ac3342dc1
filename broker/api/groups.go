package api

import (
	"bytes"
	"context"
	"net/netip"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/group/classic"
	"github.com/kbroker/kbroker/protocol"
)

// groupOperations is what may be done with a group, as topicOperations is for topics: Read, Delete and Describe.
const groupOperations = 1<<3 | 1<<6 | 1<<8

// configuredGroupOperations are also DescribeConfigs and AlterConfigs, since Kafka 4.x, whose groups have settings.
const configuredGroupOperations = groupOperations | 1<<10 | 1<<11

// codeOfGroup is the code of what the group coordinator answers; it speaks in codes already.
func codeOfGroup(err *kerr.Error) protocol.ErrorCode {
	if err == nil {
		return protocol.None
	}
	return err.Code
}

// clientOf is who asks, as groups show it.
func clientOf(c *server.Call) classic.Client {
	return classic.Client{ID: c.Header.ClientID, Host: javaHost(c.Conn.RemoteHost)}
}

// javaHost writes an address as Java does: a slash, since the host has no name, and IPv6 in eight groups.
func javaHost(host string) string {
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Is4() {
		return "/" + host
	}
	if ip.Is4In6() {
		return "/" + ip.Unmap().String()
	}
	groups := strings.Split(ip.WithZone("").StringExpanded(), ":")
	for i, g := range groups {
		groups[i] = strings.TrimLeft(g[:len(g)-1], "0") + g[len(g)-1:]
	}
	zone := ""
	if ip.Zone() != "" {
		zone = "%" + ip.Zone()
	}
	return "/" + strings.Join(groups, ":") + zone
}

// untilStop is ctx for a call that waits for other members, maybe for minutes. It ends when the server begins to stop,
// because the stop waits for the call; stopped then tells so.
func untilStop(ctx context.Context, c *server.Call) (_ context.Context, stopped func() bool, cancel func()) {
	ctx, stop := context.WithCancel(ctx)
	stopping := c.Stopping()
	if stopping == nil {
		return ctx, func() bool { return false }, stop
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-stopping:
			stop()
		case <-ctx.Done():
		}
	}()
	stopped = func() bool {
		select {
		case <-stopping:
			return true
		default:
			return false
		}
	}
	return ctx, stopped, func() { stop(); <-done }
}

// owned copies bytes of a request for those who keep them: the frame goes back to its pool.
func owned(b []byte) []byte { return bytes.Clone(b) }

// orEmpty is the text, "" for null.
func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// orNull is null for "".
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
