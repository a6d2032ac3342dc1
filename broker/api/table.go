package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// table is every API that this broker handles, by key. What is not here is not advertised.
func table() []row {
	return []row{
		raw(protocol.KeyProduce, (*Handlers).produce),
		raw(protocol.KeyFetch, (*Handlers).fetch),
		blocking((*Handlers).listOffsets),
		blocking((*Handlers).clusterMetadata),
		blocking((*Handlers).leaderAndISR),
		raw(protocol.KeyStopReplica, (*Handlers).stopReplica),
		blocking((*Handlers).updateMetadata),
		blocking((*Handlers).controlledShutdown),
		blocking((*Handlers).offsetCommit),
		raw(protocol.KeyOffsetFetch, (*Handlers).offsetFetch),
		raw(protocol.KeyFindCoordinator, (*Handlers).findCoordinator),
		blocking((*Handlers).joinGroup),
		raw(protocol.KeyHeartbeat, (*Handlers).heartbeat),
		blocking((*Handlers).leaveGroup),
		blocking((*Handlers).syncGroup),
		blocking((*Handlers).describeGroups),
		blocking((*Handlers).listGroups),
		raw(protocol.KeyApiVersions, (*Handlers).apiVersions),
		blocking((*Handlers).createTopics),
		blocking((*Handlers).deleteTopics),
		blocking((*Handlers).deleteRecords),
		blocking((*Handlers).initProducerID),
		prompt((*Handlers).offsetForLeaderEpoch),
		blocking((*Handlers).describeConfigs),
		blocking((*Handlers).alterConfigs),
		blocking((*Handlers).alterReplicaLogDirs),
		blocking((*Handlers).describeLogDirs),
		blocking((*Handlers).createPartitions),
		blocking((*Handlers).deleteGroups),
		blocking((*Handlers).electLeaders),
		blocking((*Handlers).incrementalAlterConfigs),
		blocking((*Handlers).alterPartitionReassignments),
		blocking((*Handlers).listPartitionReassignments),
		blocking((*Handlers).offsetDelete),
		blocking((*Handlers).alterPartition),
		prompt((*Handlers).updateFeatures),
		prompt((*Handlers).describeCluster),
		prompt((*Handlers).describeProducers),
		blocking((*Handlers).allocateProducerIDs),
		blocking((*Handlers).consumerGroupHeartbeat),
		blocking((*Handlers).consumerGroupDescribe),
		blocking((*Handlers).listConfigResources),
		prompt((*Handlers).describeTopicPartitions),
	}
}

// row is one API: how a call of it is decoded and answered. The error of start says that the body is malformed.
type row struct {
	key   int16
	start func(h *Handlers, ctx context.Context, c *server.Call) (server.Reply, error)
}

// request is a pointer to a kmsg request struct.
type request[T any] interface {
	*T
	kmsg.Request
}

// prompt is an API whose method never waits: it runs in the read loop of the connection.
func prompt[T any, R request[T]](method func(*Handlers, context.Context, *server.Call, R) kmsg.Response) row {
	return row{key: R(new(T)).Key(), start: func(h *Handlers, ctx context.Context, c *server.Call) (server.Reply, error) {
		r, err := decode[T, R](c)
		if err != nil {
			return server.Reply{}, err
		}
		return server.Reply{Response: h.respond(c, method(h, ctx, c, r))}, nil
	}}
}

// blocking is an API whose method may wait: it runs in the answering goroutine of the connection.
func blocking[T any, R request[T]](method func(*Handlers, context.Context, *server.Call, R) kmsg.Response) row {
	return row{key: R(new(T)).Key(), start: func(h *Handlers, _ context.Context, c *server.Call) (server.Reply, error) {
		r, err := decode[T, R](c)
		if err != nil {
			return server.Reply{}, err
		}
		return server.Reply{Await: func(ctx context.Context) server.Response {
			return h.respond(c, method(h, ctx, c, r))
		}}, nil
	}}
}

// raw is an API that decodes its body and encodes its answer by itself.
func raw(key int16, start func(*Handlers, context.Context, *server.Call) (server.Reply, error)) row {
	return row{key: key, start: start}
}

// decode reads the body of a call. Byte slices in the result alias the frame. Like Kafka it ignores
// what follows the last field that it knows.
func decode[T any, R request[T]](c *server.Call) (R, error) {
	r := R(new(T))
	r.SetVersion(c.Header.Version)
	if err := r.ReadFrom(c.Body); err != nil {
		return nil, err
	}
	return r, nil
}

// Handled lists the keys of the APIs that are handled, for documentation.
func Handled() []int16 {
	var keys []int16
	for _, r := range table() {
		keys = append(keys, r.key)
	}
	return keys
}
