package controller

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/zkmeta"
)

// kafkaStorageError is the code by which a broker says that a replica's log
// directory is offline (Kafka: Errors.java).
const kafkaStorageError = 56

// answered takes a broker's answer to the owner, where it says something that
// matters. It runs on the sender's goroutine.
func (t *term) answered(ctx context.Context, b zkmeta.Broker, request kmsg.Request, response kmsg.Response) {
	var handle func(ctx context.Context) error
	name := ""
	switch r := response.(type) {
	case *kmsg.LeaderAndISRResponse:
		t.logRefused(b, request, r.ErrorCode)
		if r.ErrorCode != 0 {
			return
		}
		name, handle = "leader_and_isr_response", func(ctx context.Context) error { return t.leaderAndISRAnswered(ctx, b.ID, r) }
	case *kmsg.StopReplicaResponse:
		t.logRefused(b, request, r.ErrorCode)
		deleted := toDelete(request.(*kmsg.StopReplicaRequest))
		if len(deleted) == 0 {
			return
		}
		name, handle = "stop_replica_response", func(ctx context.Context) error { return t.stopReplicaAnswered(ctx, b.ID, deleted, r) }
	case *kmsg.UpdateMetadataResponse:
		t.logRefused(b, request, r.ErrorCode)
		return
	}
	// When ctx ends the sender was stopped, and the answer is void.
	_ = t.c.mail.post(ctx, event{name: name, handle: func(ctx context.Context) error {
		if !t.current() || t.brokers[b.ID].Epoch != b.Epoch {
			return nil
		}
		return handle(ctx)
	}})
}

// logRefused: the broker knows of a newer controller, or is a newer process
// than the request was for; either will show in ZooKeeper.
func (t *term) logRefused(b zkmeta.Broker, request kmsg.Request, code int16) {
	if code != 0 {
		t.log.Error("broker refused a request of the controller", zap.Int32("broker", b.ID),
			zap.String("request", kmsg.NameForKey(request.Key())), zap.Int16("error_code", code))
	}
}

// leaderAndISRAnswered learns which log directories failed.
func (t *term) leaderAndISRAnswered(ctx context.Context, broker int32, r *kmsg.LeaderAndISRResponse) error {
	var failed, working []*partition
	for _, topic := range r.Topics {
		for _, answer := range topic.Partitions {
			p := t.partition(zkmeta.TopicPartition{Topic: t.names[topic.TopicID], Partition: answer.Partition})
			switch {
			case p == nil:
			case answer.ErrorCode == kafkaStorageError:
				failed = append(failed, p)
			case answer.ErrorCode == 0:
				working = append(working, p)
			}
		}
	}
	return t.dirsAnswered(ctx, broker, failed, working)
}

// toDelete lists what a StopReplica deletes.
func toDelete(r *kmsg.StopReplicaRequest) map[zkmeta.TopicPartition]bool {
	deleted := map[zkmeta.TopicPartition]bool{}
	for _, topic := range r.Topics {
		for _, p := range topic.PartitionStates {
			if p.Delete {
				deleted[zkmeta.TopicPartition{Topic: topic.Topic, Partition: p.Partition}] = true
			}
		}
	}
	return deleted
}

// stopReplicaAnswered carries the deletion of topics on.
func (t *term) stopReplicaAnswered(ctx context.Context, broker int32, deleted map[zkmeta.TopicPartition]bool, r *kmsg.StopReplicaResponse) error {
	var failed, gone []replica
	for _, answer := range r.Partitions {
		tp := zkmeta.TopicPartition{Topic: answer.Topic, Partition: answer.Partition}
		p := t.partition(tp)
		if p == nil || !p.topic.started || !deleted[tp] {
			continue
		}
		if r.ErrorCode != 0 || answer.ErrorCode != 0 {
			failed = append(failed, replica{p, broker})
		} else {
			gone = append(gone, replica{p, broker})
		}
	}
	if err := t.failDeletion(ctx, failed); err != nil {
		return err
	}
	if len(gone) == 0 {
		return nil
	}
	return t.completeDeletion(ctx, gone)
}
