package api

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/coordinator/journal"
	"github.com/kbroker/kbroker/protocol"
)

// The topics of the coordinators.
const (
	groupTopic       = "__consumer_offsets"
	transactionTopic = "__transaction_state"
)

// Kinds of coordinators (CoordinatorType in FindCoordinatorRequest.java).
const (
	groupCoordinator       = 0
	transactionCoordinator = 1
	shareCoordinator       = 2
)

// FindCoordinator (key 10), versions 0 to 6.
//
// Tells which broker coordinates a group: the leader of the partition of __consumer_offsets that the group's name falls
// into. The topic is made when it is asked for the first time; until it has a leader the answer is
// COORDINATOR_NOT_AVAILABLE. So it is for transactional ids, which nothing coordinates yet, and for share groups.
//
//	v1  transactional ids, error messages
//	v3  flexible encoding
//	v4  several keys, each with its own code (KIP-699)
//	v6  share groups (KIP-932)
//
// Source: KafkaApis.handleFindCoordinatorRequest.
func (h *Handlers) findCoordinator(_ context.Context, c *server.Call) (server.Reply, error) {
	req, err := decode[kmsg.FindCoordinatorRequest](c)
	if err != nil {
		return server.Reply{}, err
	}
	answer := func() server.Response { return h.respond(c, h.coordinators(c, req)) }
	if _, exists := h.rooms.Metadata.Load().Topic(groupTopic); exists || req.CoordinatorType != groupCoordinator {
		return server.Reply{Response: answer()}, nil
	}
	return server.Reply{Await: func(ctx context.Context) server.Response {
		h.createGroupTopic(ctx)
		return answer()
	}}, nil
}

func (h *Handlers) coordinators(c *server.Call, req *kmsg.FindCoordinatorRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
	if req.Version < 4 {
		f := h.coordinatorOf(c, req, req.CoordinatorKey)
		resp.ErrorCode, resp.NodeID, resp.Host, resp.Port = f.code, f.id, f.host, f.port
		resp.ErrorMessage = text("NONE")
		if f.code != protocol.None {
			resp.ErrorMessage = text(protocol.ErrorMessage(f.code))
		}
		return resp
	}
	resp.Coordinators = make([]kmsg.FindCoordinatorResponseCoordinator, 0, len(req.CoordinatorKeys))
	for _, key := range req.CoordinatorKeys {
		f := h.coordinatorOf(c, req, key)
		rc := kmsg.NewFindCoordinatorResponseCoordinator()
		rc.Key, rc.ErrorCode, rc.NodeID, rc.Host, rc.Port = key, f.code, f.id, f.host, f.port
		rc.ErrorMessage = text("")
		if !knownCoordinator(req) {
			rc.ErrorMessage = text(protocol.ErrorMessage(f.code))
		}
		resp.Coordinators = append(resp.Coordinators, rc)
	}
	return resp
}

// knownCoordinator is false for a kind of which Kafka knows nothing; it then answers with its text.
func knownCoordinator(req *kmsg.FindCoordinatorRequest) bool {
	return req.CoordinatorType >= groupCoordinator && req.CoordinatorType <= shareCoordinator
}

// found is where a coordinator is, or why that is not known.
type found struct {
	code protocol.ErrorCode
	id   int32
	host string
	port int32
}

func (h *Handlers) coordinatorOf(c *server.Call, req *kmsg.FindCoordinatorRequest, key string) found {
	none := found{code: protocol.CoordinatorNotAvailable, id: -1, port: -1}
	if !knownCoordinator(req) || req.CoordinatorType == shareCoordinator && req.Version < 6 {
		none.code = protocol.InvalidRequest
		return none
	}
	if req.CoordinatorType != groupCoordinator {
		return none
	}
	image := h.rooms.Metadata.Load()
	t, ok := image.Topic(groupTopic)
	if !ok || len(t.Partitions) == 0 {
		return none
	}
	p, ok := t.Partition(journal.PartitionFor(key, int32(len(t.Partitions))))
	if !ok {
		return none
	}
	b, ok := image.Broker(p.Leader)
	if !ok {
		return none
	}
	e, ok := b.Endpoint(c.Conn.Listener)
	if !ok {
		return none
	}
	return found{id: b.ID, host: e.Host, port: e.Port}
}

// creation lets one call at a time make the topic of the groups: a thousand clients of a new cluster ask at once.
type creation struct {
	mu      sync.Mutex
	ongoing bool
}

func (n *creation) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	begun := !n.ongoing
	n.ongoing = true
	return begun
}

func (n *creation) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ongoing = false
}

// createGroupTopic makes __consumer_offsets, unless another call is about to. Clients ask again until it has leaders.
func (h *Handlers) createGroupTopic(ctx context.Context) {
	if !h.creation.begin() {
		return
	}
	defer h.creation.end()
	t := autoTopic(h.rooms.Config.Broker(), groupTopic)
	err := h.rooms.Controller.CreateDirectly(ctx, t).Err
	if err != nil && !errors.Is(err, controller.ErrTopicExists) && ctx.Err() == nil {
		h.log.Warn("the topic of the groups cannot be created, clients will ask again", zap.Error(err))
	}
}

// autoTopic is a topic as it is made when a client asks for it and it does not exist (AutoTopicCreationManager.scala):
// those of the coordinators have settings of their own.
func autoTopic(b *config.Broker, name string) controller.NewTopic {
	switch name {
	case groupTopic:
		return controller.NewTopic{
			Name: name, Partitions: b.OffsetsTopicPartitions, ReplicationFactor: b.OffsetsTopicReplicationFactor,
			Config: map[string]*string{
				"cleanup.policy":   text("compact"),
				"compression.type": text("producer"), // batches stay as the coordinator wrote them
				"segment.bytes":    text(strconv.Itoa(int(b.OffsetsTopicSegmentBytes))),
			},
		}
	case transactionTopic:
		x := &b.Transactions
		return controller.NewTopic{
			Name: name, Partitions: x.TopicPartitions, ReplicationFactor: x.TopicReplicationFactor,
			Config: map[string]*string{
				"cleanup.policy":                 text("compact"),
				"compression.type":               text("uncompressed"),
				"min.insync.replicas":            text(strconv.Itoa(int(x.TopicMinISR))),
				"segment.bytes":                  text(strconv.Itoa(int(x.TopicSegmentBytes))),
				"unclean.leader.election.enable": text("false"), // a transaction that is forgotten is never ended
			},
		}
	}
	return controller.NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1}
}
