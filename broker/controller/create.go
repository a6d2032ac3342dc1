package controller

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"maps"

	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// CreateTopics validates and creates topics, and returns when they are
// written, or (with validateOnly) says what would become of them. The results are in the order of topics,
// whose names must differ. ErrNotController in each when another broker is
// controller. When a result has no error the topic exists; clients can use it once the metadata of
// their broker shows leaders. When ctx ends before, each has its error, and topics may be created nevertheless.
func (c *Controller) CreateTopics(ctx context.Context, topics []NewTopic, validateOnly bool) []Created {
	if !c.Active() {
		return allFailed(topics, ErrNotController)
	}
	created, err := call(ctx, c, "create_topics", func(ctx context.Context) ([]Created, error) {
		if c.term == nil {
			return allFailed(topics, ErrNotController), nil
		}
		return c.term.createTopics(ctx, topics, validateOnly)
	})
	if err != nil {
		return allFailed(topics, err)
	}
	return created
}

func allFailed(topics []NewTopic, err error) []Created {
	failed := make([]Created, len(topics))
	for i := range failed {
		failed[i].Err = err
	}
	return failed
}

func (t *term) createTopics(ctx context.Context, topics []NewTopic, validateOnly bool) ([]Created, error) {
	marked, err := t.c.zk.DeletionMarkers(ctx, nil)
	if err != nil {
		return allFailed(topics, forCaller(err)), err
	}
	// Brokers also create topics by themselves, so that ours may be behind.
	existing, err := t.c.zk.Topics(ctx, nil)
	if err != nil {
		return allFailed(topics, forCaller(err)), err
	}
	sites := make([]site, 0, len(t.brokers))
	for _, id := range t.brokerIDs() {
		sites = append(sites, site{id, t.brokers[id].Rack})
	}
	p := t.c.planner(newNames(existing, marked), sites)
	created := make([]Created, len(topics))
	writes := make([]zkmeta.TopicAssignment, len(topics))
	var valid []int
	for i, topic := range topics {
		created[i], writes[i] = p.prepare(topic)
		switch {
		case created[i].Err != nil:
		case validateOnly:
			created[i].ID = [16]byte{} // it gets one when it is created
		default:
			valid = append(valid, i)
			p.names.add(topic.Name)
		}
	}
	if len(valid) == 0 {
		return created, nil
	}
	concurrently(valid, func(i int) {
		if err := t.c.zk.CreateTopic(ctx, &t.origin.lease, writes[i], created[i].Config); err != nil {
			created[i] = Created{Err: existsAlready(err, topics[i].Name)}
		}
	})
	var over error
	for i := range created {
		if err := created[i].Err; ends(err) {
			over, created[i].Err = err, ErrNotController
		}
	}
	if over != nil {
		return created, over
	}
	// The watch on /brokers/topics would come to the same, later.
	return created, t.topicsChanged(ctx)
}

// CreateDirectly creates one topic as any broker may (auto-creation on
// Metadata, internal topics), with this broker's view of who is alive. The controller hears of it from
// ZooKeeper. It may be called on any broker, from several goroutines.
func (c *Controller) CreateDirectly(ctx context.Context, t NewTopic) Created {
	sites, err := c.knownSites(ctx)
	if err != nil {
		return Created{Err: err}
	}
	marked, err := c.zk.DeletionMarkers(ctx, nil)
	if err != nil {
		return Created{Err: err}
	}
	existing, err := c.zk.Topics(ctx, nil)
	if err != nil {
		return Created{Err: err}
	}
	created, write := c.planner(newNames(existing, marked), sites).prepare(t)
	if created.Err != nil {
		return created
	}
	if err := c.zk.CreateTopic(ctx, nil, write, created.Config); err != nil {
		return Created{Err: existsAlready(err, t.Name)}
	}
	c.log.Info("topic created", zap.String("topic", t.Name), zap.Int32("partitions", created.Partitions))
	return created
}

// knownSites lists the live brokers as the controller told them, or, before it
// has, as they are registered.
func (c *Controller) knownSites(ctx context.Context) ([]site, error) {
	var sites []site
	for _, b := range c.metadata.Load().Brokers() {
		sites = append(sites, site{b.ID, b.Rack})
	}
	if len(sites) > 0 {
		return sites, nil
	}
	brokers, err := c.zk.Brokers(ctx, nil)
	for _, b := range brokers {
		sites = append(sites, site{b.ID, b.Rack})
	}
	return sites, err
}

func existsAlready(err error, name string) error {
	if errors.Is(err, zkmeta.ErrNodeExists) {
		return refuse(ErrTopicExists, "Topic '%s' already exists.", name)
	}
	return err
}

func (c *Controller) planner(n *names, sites []site) *planner {
	cfg := c.config.Broker()
	return &planner{
		names: n, sites: sites, intn: c.intn, validateConfig: c.config.ValidateTopic,
		partitions: cfg.NumPartitions, replicationFactor: cfg.DefaultReplicationFactor,
	}
}

// prepare plans a topic and gives it an id.
func (p *planner) prepare(t NewTopic) (Created, zkmeta.TopicAssignment) {
	assignment, overrides, err := p.plan(t)
	if err != nil {
		return Created{Err: err}, zkmeta.TopicAssignment{}
	}
	id := newTopicID()
	created := Created{
		ID: id, Partitions: int32(len(assignment)), ReplicationFactor: int16(len(assignment[0])), Config: maps.Clone(overrides),
	}
	return created, zkmeta.TopicAssignment{
		Topic: t.Name, ID: id, Partitions: assignment,
		Adding: map[int32][]int32{}, Removing: map[int32][]int32{},
	}
}

// newTopicID draws a random UUID (version 4). As Kafka's Uuid.randomUuid, it avoids those
// that print with a dash in front, which tools would take for an option.
func newTopicID() [16]byte {
	for {
		var id [16]byte
		rand.Read(id[:])
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if base64.RawURLEncoding.EncodeToString(id[:])[0] != '-' {
			return id
		}
	}
}
