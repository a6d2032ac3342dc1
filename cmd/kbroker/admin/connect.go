package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/urfave/cli/v2"
)

// connect returns a client of the cluster that the flags name, one of whose brokers has answered.
func connect(ctx context.Context, c *cli.Context, options ...kgo.Opt) (*kgo.Client, error) {
	servers := c.String("bootstrap-server")
	if servers == "" {
		return nil, errors.New("--bootstrap-server is empty (or KBROKER_BOOTSTRAP_SERVER is): give a broker's host:port")
	}
	timeout := c.Duration("timeout")
	if timeout <= 0 {
		return nil, fmt.Errorf("--timeout %s: must be more than nothing", timeout)
	}
	shared := []kgo.Opt{
		kgo.ClientID("kbroker-" + c.Command.Name), kgo.RetryTimeout(timeout), kgo.RequestTimeoutOverhead(attempt(timeout)),
		kgo.DialTimeout(attempt(timeout)), kgo.MetadataMinAge(minMetadataAge),
	}
	first, err := firstToAnswer(ctx, strings.Split(servers, ","), min(timeout, longestProbe), shared)
	if err != nil {
		return nil, err
	}
	options = append(append(shared, kgo.SeedBrokers(first)), options...)
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("--bootstrap-server %s: %w", servers, err)
	}
	return client, nil
}

// minMetadataAge is how old an image of the cluster a command may look at: it polls what has become of its own doings.
const minMetadataAge = 100 * time.Millisecond

// longestProbe is how long the servers to ask first have to answer. They are asked together, so it is waited for only if none does.
const longestProbe = 10 * time.Second

// attempt is how long one broker may take over a request, or over a connection, before the client tries the next. A broker that
// hangs must not use up the time that the others would need. What brokers are told to take for a request comes on top.
func attempt(timeout time.Duration) time.Duration {
	return min(max(timeout/6, time.Second), longestProbe)
}

// firstToAnswer asks all servers at once and returns the one that answers first; its answer names the brokers there are.
// If there is none, the error tells of each what it did.
func firstToAnswer(ctx context.Context, servers []string, within time.Duration, options []kgo.Opt) (string, error) {
	options = append(options[:len(options):len(options)], kgo.RequestTimeoutOverhead(longestProbe), kgo.DialTimeout(longestProbe))
	probing, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	type result struct {
		server int
		err    error
	}
	results := make(chan result, len(servers))
	for i, server := range servers {
		client, err := kgo.NewClient(append(options[:len(options):len(options)], kgo.SeedBrokers(server))...)
		if err != nil {
			return "", fmt.Errorf("--bootstrap-server %s: %w", strings.Join(servers, ","), err)
		}
		go func() {
			defer client.Close()
			results <- result{i, client.Ping(probing)}
		}()
	}
	failures := make([]string, len(servers))
	for range servers {
		r := <-results
		if r.err == nil {
			return servers[r.server], nil
		}
		failures[r.server] = servers[r.server] + ": " + r.err.Error()
		if isTimeout(r.err) || probing.Err() != nil {
			failures[r.server] = fmt.Sprintf("%s: does not answer within %s", servers[r.server], within)
		}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return "", fmt.Errorf("interrupted while waiting for an answer from %s: %w", strings.Join(servers, ","), ctx.Err())
	}
	return "", fmt.Errorf("no broker answers at %s", strings.Join(failures, "; "))
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}
