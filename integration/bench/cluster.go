package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	clusterBrokers = 3
	// clusterSession is how long ZooKeeper believes that a killed broker lives; Kafka's default is 18 s.
	clusterSession = 6 * time.Second
	// clusterTick is ZooKeeper's: it ends sessions up to one later.
	clusterTick = "100"
	singleName  = "one kbroker"
)

// cluster is three brokers of a kind and the ZooKeeper server that they share. Brokers have ids from 1 up.
type cluster struct {
	name      string
	brokers   []*subject
	replicas  int16 // of topics that scenarios create
	zookeeper string
	zk        *exec.Cmd
	topics    []string
}

// runCluster measures the clusters one after the other, as the machine has two cores for three brokers and the load.
func runCluster(ctx context.Context, o options, dir string, results *results) error {
	subjects := []struct {
		name    string
		brokers int
	}{{kbrokerName, clusterBrokers}, {singleName, 1}, {kafkaName, clusterBrokers}}
	for _, sub := range subjects {
		if sub.name == kafkaName && !o.kafka {
			continue
		}
		c, err := startCluster(ctx, o, filepath.Join(dir, sub.name), sub.name, sub.brokers)
		if c != nil {
			defer c.stop()
		}
		if err != nil {
			return err
		}
		for _, sc := range clusterScenarios(o) {
			if !o.chosen(sc.name) || !sc.possible(c) {
				continue
			}
			for round := range sc.rounds {
				fmt.Fprintf(os.Stderr, "%s: %s, round %d of %d (load %s)\n", c.name, sc.name, round+1, sc.rounds, loadAverage())
				f, err := sc.run(ctx, c, fmt.Sprintf("bench-%s-%d", sc.topic, round))
				if err != nil {
					return fmt.Errorf("%s, %s: %w", sc.name, c.name, err)
				}
				fmt.Fprintf(os.Stderr, "  %v\n", f)
				results.add(sc.name, c.name, f)
				if err := c.settle(ctx); err != nil {
					return fmt.Errorf("after %s, %s: %w", sc.name, c.name, err)
				}
			}
		}
		c.stop()
		if err := os.RemoveAll(filepath.Join(dir, sub.name)); err != nil {
			return err
		}
	}
	return nil
}

func startCluster(ctx context.Context, o options, dir, name string, brokers int) (*cluster, error) {
	c := &cluster{name: name, zookeeper: freeAddress(), replicas: int16(brokers)}
	_, port, err := net.SplitHostPort(c.zookeeper)
	if err != nil {
		return nil, err
	}
	c.zk = exec.Command(filepath.Join(o.peers, "zookeeper"), filepath.Join(dir, "zk"), port)
	c.zk.Env = append(os.Environ(), "ZOO_TICK="+clusterTick)
	c.zk.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.zk.Start(); err != nil {
		return nil, err
	}
	if err := await(ctx, func() error { return reachable(c.zookeeper) }); err != nil {
		return c, fmt.Errorf("start ZooKeeper: %w", err)
	}
	for id := 1; id <= brokers; id++ {
		address := freeAddress()
		c.brokers = append(c.brokers, &subject{name: fmt.Sprintf("%s %d", name, id), address: address, command: c.command(o, dir, id, address)})
	}
	booted := together(brokers, func(i int) error { return c.brokers[i].boot(ctx) })
	if booted != nil {
		return c, booted
	}
	return c, await(ctx, func() error { return c.complete(ctx) })
}

// command returns what runs a broker of the cluster.
func (c *cluster) command(o options, dir string, id int, address string) func() *exec.Cmd {
	config := []string{
		"min.insync.replicas=2", "default.replication.factor=3", "offsets.topic.replication.factor=3", "num.partitions=4",
		fmt.Sprint("zookeeper.session.timeout.ms=", clusterSession.Milliseconds()), "auto.leader.rebalance.enable=false", soonDeleted,
	}
	if len(c.brokers) == 0 && c.replicas == 1 {
		config = []string{fmt.Sprint("zookeeper.session.timeout.ms=", clusterSession.Milliseconds()), soonDeleted}
	}
	own := filepath.Join(dir, fmt.Sprint("broker", id))
	if c.name == kafkaName {
		_, port, _ := net.SplitHostPort(address) // it was made by freeAddress
		return func() *exec.Cmd {
			cmd := exec.Command(filepath.Join(o.peers, "broker"), append([]string{own, port, fmt.Sprint(id), c.zookeeper}, config...)...)
			cmd.Env = append(os.Environ(), "KAFKA_HEAP=-Xms512m -Xmx512m", "KAFKA_LOG=ERROR")
			return cmd
		}
	}
	args := []string{
		"start", fmt.Sprint("--broker-id=", id), "--log-dirs", own, "--listeners", "PLAINTEXT://" + address, "--zookeeper", c.zookeeper + "/kafka",
		"--log-level", o.logLevel, "--metrics-listen", fmt.Sprint("127.0.0.1:", o.profileBase+id),
	}
	if o.profileBase == 0 {
		args = args[:len(args)-2]
	}
	if o.override != "" {
		config = append(config, o.override)
	}
	for _, kv := range config {
		args = append(args, "--override", kv)
	}
	return func() *exec.Cmd {
		cmd := exec.Command(o.broker, args...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		return cmd
	}
}

func reachable(address string) error {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	return c.Close()
}

func (c *cluster) stop() {
	for _, b := range c.brokers {
		b.stop()
	}
	if c.zk != nil && c.zk.Process != nil {
		_ = c.zk.Process.Kill() // it may be gone already
		_ = c.zk.Wait()
	}
	c.brokers, c.zk = nil, nil
}

// client makes a client of all brokers.
func (c *cluster) client(more ...kgo.Opt) (*kgo.Client, error) {
	var seeds []string
	for _, b := range c.brokers {
		seeds = append(seeds, b.address)
	}
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(seeds...), kgo.MetadataMinAge(10 * time.Millisecond)}, more...)...)
}

// complete returns nil once every broker knows all brokers.
func (c *cluster) complete(ctx context.Context) error {
	for _, b := range c.brokers {
		client, err := b.client(kgo.RetryTimeout(time.Second))
		if err != nil {
			return err
		}
		response, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
		client.Close()
		if err != nil {
			return err
		}
		if len(response.Brokers) != len(c.brokers) {
			return fmt.Errorf("%s knows %d brokers", b.name, len(response.Brokers))
		}
	}
	return nil
}

// createTopic creates a topic whose partitions prefer each broker in turn, or those of leaders, and waits until all
// replicas are in sync.
func (c *cluster) createTopic(ctx context.Context, topic string, partitions int, leaders ...int32) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	if len(leaders) == 0 {
		for id := range c.brokers {
			leaders = append(leaders, int32(id+1))
		}
	}
	assignment := make([]kmsg.CreateTopicsRequestTopicReplicaAssignment, partitions)
	for i := range assignment {
		assignment[i] = kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: int32(i)}
		first := leaders[i%len(leaders)]
		for r := range int32(len(c.brokers)) {
			assignment[i].Replicas = append(assignment[i].Replicas, (first-1+r)%int32(len(c.brokers))+1)
		}
	}
	req, t := kmsg.NewPtrCreateTopicsRequest(), kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor, t.ReplicaAssignment = topic, -1, -1, assignment
	req.TimeoutMillis = 120_000
	req.Topics = append(req.Topics, t)
	response, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	if code := response.Topics[0].ErrorCode; code != 0 && code != 36 { // 36: it is there, of an attempt that was repeated
		return fmt.Errorf("create topic %s: error code %d", topic, code)
	}
	c.topics = append(c.topics, topic)
	return await(ctx, func() error { return c.inSync(ctx, client, topic, partitions) })
}

// inSync returns nil once all replicas of a topic are in sync.
func (c *cluster) inSync(ctx context.Context, client *kgo.Client, topic string, partitions int) error {
	req, t := kmsg.NewPtrMetadataRequest(), kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	response, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	count := 0
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			if p.Leader >= 0 && p.ErrorCode == 0 && len(p.ISR) == len(c.brokers) {
				count++
			}
		}
	}
	if count != partitions {
		return fmt.Errorf("%d of %d partitions of %s are in sync", count, partitions, topic)
	}
	return nil
}

// settle deletes topics, after it restarted the brokers that a scenario has ended.
func (c *cluster) settle(ctx context.Context) error {
	for _, b := range c.brokers {
		select {
		case <-b.exited:
		default:
			continue
		}
		err := b.boot(ctx)
		for began := time.Now(); errors.Is(err, errGone) && time.Since(began) < startWithin; {
			err = b.boot(ctx) // Kafka ends while ZooKeeper has the session of the killed one
		}
		if err != nil {
			return err
		}
	}
	if err := await(ctx, func() error { return c.complete(ctx) }); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	admin.SetTimeoutMillis(60_000)
	if len(c.topics) > 0 {
		_, err = admin.DeleteTopics(ctx, c.topics...)
	}
	for _, topic := range c.topics {
		if err == nil {
			err = await(ctx, func() error { return forgotten(ctx, admin, topic) })
		}
	}
	c.topics = nil
	return err
}

func forgotten(ctx context.Context, admin *kadm.Client, topic string) error {
	topics, err := admin.ListTopics(ctx, topic)
	if err == nil && topics.Has(topic) {
		err = fmt.Errorf("topic %s is still there", topic)
	}
	return err
}

// pids are the brokers' processes.
func (c *cluster) cpu() (float64, error) {
	sum := 0.0
	for _, b := range c.brokers {
		cpu, err := cpuSeconds(b.pid)
		if err != nil {
			return 0, err
		}
		sum += cpu
	}
	return sum, nil
}

func (c *cluster) rss() (sum float64) {
	for _, b := range c.brokers {
		sum += rssNow(b.pid)
	}
	return sum
}

func (c *cluster) peakRSS() (sum float64) {
	for _, b := range c.brokers {
		sum += peakRSS(b.pid)
	}
	return sum
}

// gone returns a function that waits until ZooKeeper no longer has a node, and tells when that was.
func (c *cluster) gone(path string) (wait func() (time.Time, error), done func(), err error) {
	conn, _, err := zk.Connect([]string{c.zookeeper}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		return nil, nil, err
	}
	if c.name != kafkaName {
		path = "/kafka" + path
	}
	exists, _, events, err := conn.ExistsW(path)
	if err == nil && !exists {
		err = fmt.Errorf("ZooKeeper has no %s", path)
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	at := make(chan time.Time, 1)
	go func() { <-events; at <- time.Now() }() // ends with the connection at the latest
	return func() (time.Time, error) {
		select {
		case t := <-at:
			return t, nil
		case <-time.After(startWithin):
			return time.Time{}, fmt.Errorf("ZooKeeper still has %s", path)
		}
	}, conn.Close, nil
}
