package api

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/controller"
	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/zkmeta"
	"github.com/kbroker/kbroker/zkmeta/zkserver"
	"github.com/kbroker/kbroker/zkmeta/zkserver/zktest"
)

// elected is a broker that is controller of a cluster of three; the others are registered and answer nobody.
type elected struct {
	*broker
	zk     *zkmeta.Client
	epochs map[int32]int64
}

func newElected(t *testing.T) *elected {
	t.Helper()
	b := newBroker(t)
	network := zktest.NewNetwork()
	zookeeper, err := zkserver.New(zkserver.Options{Listener: network, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { zookeeper.Close() })
	e := &elected{broker: b, epochs: map[int32]int64{}}
	connect := func() *zkmeta.Client {
		c, err := zkmeta.Connect(t.Context(), zkmeta.Options{
			Connect: "127.0.0.1:2181", SessionTimeout: 18 * time.Second, ConnectionTimeout: 18 * time.Second,
			MaxInFlight: 10, Dial: network.Dial, Logger: zap.NewNop(),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	e.zk = connect()
	register := func(ctx context.Context, id int32, zk *zkmeta.Client) (int64, error) {
		if err := zk.EnsureRoots(ctx); err != nil {
			return 0, err
		}
		epoch, err := zk.RegisterBroker(ctx, zkmeta.Broker{ID: id, Endpoints: []zkmeta.Endpoint{
			{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: "b", Port: 9092 + id},
		}})
		e.epochs[id] = epoch
		return epoch, err
	}
	for _, id := range []int32{2, 3} {
		if _, err := register(t.Context(), id, connect()); err != nil {
			t.Fatal(err)
		}
	}
	control := controller.New(controller.Options{
		BrokerID: 1, ZooKeeper: e.zk, Config: b.rooms.Config, Metadata: b.rooms.Metadata, Registerer: prometheus.NewRegistry(), Logger: zap.NewNop(),
		Register: func(ctx context.Context) (int64, error) { return register(ctx, 1, e.zk) },
		Dial: func(_ context.Context, address string) (net.Conn, error) {
			if address != "b:9093" {
				return nil, errors.New("nobody answers")
			}
			near, far := net.Pipe()
			go e.obey(far)
			return near, nil
		},
	})
	b.rooms.Controller = control
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	registered := make(chan struct{})
	go func() {
		defer close(done)
		if err := control.Run(ctx, registered); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	<-registered
	e.await(func() bool { return len(b.rooms.Metadata.Load().Brokers()) == 3 })
	return e
}

// obey answers the controller's requests, as the server does.
func (e *elected) obey(conn net.Conn) {
	defer conn.Close()
	var pool protocol.Buffers
	for {
		frame, err := protocol.ReadFrame(conn, 1<<20, &pool)
		if err != nil {
			return
		}
		c := &server.Call{Conn: &server.Conn{}}
		if c.Header, c.Body, err = protocol.ParseHeader(frame); err != nil {
			return
		}
		out, _ := e.answer(c)
		head := protocol.AppendResponseHeader([]byte{0, 0, 0, 0}, c.Header)
		out = append(head, out...)
		out[2], out[3] = byte((len(out)-4)>>8), byte(len(out)-4)
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// await waits until the metadata is as wanted.
func (e *elected) await(done func() bool) {
	e.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		changed := e.rooms.Metadata.Changed()
		if done() {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			e.t.Fatal("the metadata never was as wanted")
		}
	}
}

// create makes a topic with these replicas, through the API.
func (e *elected) create(topic string, replicas ...[]int32) (id [16]byte) {
	e.t.Helper()
	q := kmsg.NewPtrCreateTopicsRequest()
	q.Version, q.TimeoutMillis = 7, 10_000
	qt := kmsg.NewCreateTopicsRequestTopic()
	qt.Topic, qt.NumPartitions, qt.ReplicationFactor = topic, -1, -1
	for i, r := range replicas {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = int32(i), r
		qt.ReplicaAssignment = append(qt.ReplicaAssignment, a)
	}
	q.Topics = append(q.Topics, qt)
	r := e.ask(q).(*kmsg.CreateTopicsResponse)
	if r.Topics[0].ErrorCode != 0 {
		e.t.Fatalf("create %s: %d", topic, r.Topics[0].ErrorCode)
	}
	return r.Topics[0].TopicID
}

func TestAlterPartitionInEveryVersion(t *testing.T) {
	e := newElected(t)
	id := e.create("t", []int32{2, 3, 1}, []int32{2, 3, 1}, []int32{2, 3, 1}, []int32{2, 3, 1})
	for _, version := range versionsOf(t, 56) {
		alter := func(epoch int64, partition, partitionEpoch int32, isr ...int32) *kmsg.AlterPartitionResponse {
			q := kmsg.NewPtrAlterPartitionRequest()
			q.Version, q.BrokerID, q.BrokerEpoch = version, 2, epoch
			qt := kmsg.NewAlterPartitionRequestTopic()
			qt.Topic, qt.TopicID = "t", id
			p := kmsg.NewAlterPartitionRequestTopicPartition()
			p.Partition, p.PartitionEpoch, p.NewISR = partition, partitionEpoch, isr
			for _, id := range isr {
				n := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
				n.BrokerID, n.BrokerEpoch = id, -1
				p.NewEpochISR = append(p.NewEpochISR, n)
			}
			qt.Partitions = append(qt.Partitions, p)
			q.Topics = append(q.Topics, qt)
			return e.ask(q).(*kmsg.AlterPartitionResponse)
		}
		code := func(r *kmsg.AlterPartitionResponse) protocol.ErrorCode {
			return r.Topics[0].Partitions[0].ErrorCode
		}
		own := int32(version) // a partition for each version
		if r := alter(e.epochs[2]+1, own, 0, 2); r.ErrorCode != protocol.StaleBrokerEpoch || len(r.Topics) != 0 {
			t.Errorf("v%d, stale: %+v", version, r)
		}
		refused := protocol.IneligibleReplica
		if version < 2 {
			refused = protocol.OperationNotAttempted
		}
		if c := code(alter(e.epochs[2], own, 0, 2, 9)); c != refused {
			t.Errorf("v%d, ineligible: %d", version, c)
		}
		r := alter(e.epochs[2], own, 0, 2, 1)
		if version >= 2 && r.Topics[0].TopidID != id || version < 2 && r.Topics[0].Topic != "t" {
			t.Errorf("v%d: topic %+v", version, r.Topics[0])
		}
		p := r.Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.Partition != own || p.LeaderID != 2 || p.LeaderEpoch != 0 || p.PartitionEpoch != 1 || !slices.Equal(p.ISR, []int32{2, 1}) {
			t.Errorf("v%d: %+v", version, p)
		}
		if c := code(alter(e.epochs[2], own, 0, 2)); c != protocol.InvalidUpdateVersion {
			t.Errorf("v%d, again: %d", version, c)
		}
		if c := code(alter(e.epochs[2], 77, 0, 2)); c != protocol.UnknownTopicOrPartition {
			t.Errorf("v%d, unknown: %d", version, c)
		}
	}
	q := kmsg.NewPtrAlterPartitionRequest()
	q.Version, q.BrokerID, q.BrokerEpoch = 3, 2, e.epochs[2]
	qt := kmsg.NewAlterPartitionRequestTopic()
	qt.TopicID, qt.Partitions = [16]byte{1}, append(qt.Partitions, kmsg.NewAlterPartitionRequestTopicPartition())
	q.Topics = append(q.Topics, qt)
	r := e.ask(q).(*kmsg.AlterPartitionResponse)
	if r.Topics[0].TopidID != qt.TopicID || r.Topics[0].Partitions[0].ErrorCode != protocol.UnknownTopicID {
		t.Errorf("unknown id: %+v", r)
	}
}

func TestControlledShutdownInEveryVersion(t *testing.T) {
	e := newElected(t)
	e.create("t", []int32{2, 3}, []int32{2, 1})
	for _, version := range versionsOf(t, 7) {
		shut := func(id int32, epoch int64) *kmsg.ControlledShutdownResponse {
			q := kmsg.NewPtrControlledShutdownRequest()
			q.Version, q.BrokerID, q.BrokerEpoch = version, id, epoch
			return e.ask(q).(*kmsg.ControlledShutdownResponse)
		}
		if version >= 2 {
			if r := shut(2, e.epochs[2]-1); r.ErrorCode != protocol.StaleBrokerEpoch {
				t.Errorf("v%d, stale: %+v", version, r)
			}
		}
		if r := shut(9, -1); r.ErrorCode != protocol.BrokerNotAvailable {
			t.Errorf("v%d, unknown: %+v", version, r)
		}
		if r := shut(2, e.epochs[2]); r.ErrorCode != 0 || len(r.PartitionsRemaining) != 0 {
			t.Errorf("v%d: %+v", version, r)
		}
		r := shut(3, e.epochs[3])
		if r.ErrorCode != 0 || len(r.PartitionsRemaining) != 1 || r.PartitionsRemaining[0].Topic != "t" || r.PartitionsRemaining[0].Partition != 0 {
			t.Errorf("v%d, nobody else: %+v", version, r)
		}
	}
	// The header of version 0 has no client id.
	conn := e.serve(t)
	if _, err := conn.Write([]byte{0, 0, 0, 12, 0, 7, 0, 0, 0, 0, 0, 5, 0, 0, 0, 9}); err != nil {
		t.Fatal(err)
	}
	var pool protocol.Buffers
	frame, err := protocol.ReadFrame(conn, 1<<20, &pool)
	if want := []byte{0, 0, 0, 5, 0, 8, 0, 0, 0, 0}; err != nil || !slices.Equal(frame, want) {
		t.Errorf("answer %x, %v", frame, err)
	}
}

func TestElectLeadersInEveryVersion(t *testing.T) {
	e := newElected(t)
	e.create("t", []int32{2, 1}, []int32{1, 2}, []int32{3, 1})
	elect := func(version int16, unclean int8, partitions ...int32) map[int32]protocol.ErrorCode {
		q := kmsg.NewPtrElectLeadersRequest()
		q.Version, q.ElectionType, q.TimeoutMillis = version, unclean, 10_000
		if partitions != nil {
			qt := kmsg.NewElectLeadersRequestTopic()
			qt.Topic, qt.Partitions = "t", partitions
			q.Topics = append(q.Topics, qt)
		}
		r := e.ask(q).(*kmsg.ElectLeadersResponse)
		codes := map[int32]protocol.ErrorCode{}
		if r.ErrorCode != 0 {
			codes[-1] = r.ErrorCode
		}
		for _, rt := range r.Topics {
			for _, p := range rt.Partitions {
				codes[p.Partition] = p.ErrorCode
			}
		}
		return codes
	}
	want := func(got map[int32]protocol.ErrorCode, want map[int32]protocol.ErrorCode) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("codes %v, want %v", got, want)
		}
		for p, c := range want {
			if got[p] != c {
				t.Errorf("codes %v, want %v", got, want)
			}
		}
	}
	for _, version := range versionsOf(t, 43) {
		want(elect(version, 0, 1, 7), map[int32]protocol.ErrorCode{1: protocol.ElectionNotNeeded, 7: protocol.UnknownTopicOrPartition})
		if version >= 1 {
			want(elect(version, 1, 1), map[int32]protocol.ErrorCode{1: protocol.ElectionNotNeeded})
			want(elect(version, 2, 1), map[int32]protocol.ErrorCode{-1: protocol.InvalidRequest})
		}
		want(elect(version, 0), nil) // of all partitions none needs it
	}
	q := kmsg.NewPtrControlledShutdownRequest()
	q.Version, q.BrokerID, q.BrokerEpoch = 3, 2, e.epochs[2]
	e.ask(q)
	want(elect(2, 0), map[int32]protocol.ErrorCode{0: protocol.PreferredLeaderNotAvailable})
	image := e.rooms.Metadata.Load()
	if topic, _ := image.Topic("t"); topic.Partitions[0].Leader != 1 {
		e.await(func() bool { topic, _ := e.rooms.Metadata.Load().Topic("t"); return topic.Partitions[0].Leader == 1 })
	}
}

func TestAllocateProducerIds(t *testing.T) {
	e := newElected(t)
	allocate := func(id int32, epoch int64) *kmsg.AllocateProducerIDsResponse {
		q := kmsg.NewPtrAllocateProducerIDsRequest()
		q.BrokerID, q.BrokerEpoch = id, epoch
		return e.ask(q).(*kmsg.AllocateProducerIDsResponse)
	}
	first, second := allocate(2, e.epochs[2]), allocate(3, e.epochs[3])
	if first.ErrorCode != 0 || first.ProducerIDLen != 1000 || second.ProducerIDStart != first.ProducerIDStart+1000 {
		t.Errorf("%+v, %+v", first, second)
	}
	if r := allocate(2, e.epochs[2]+1); r.ErrorCode != protocol.StaleBrokerEpoch {
		t.Errorf("%+v", r)
	}
	if r := allocate(9, 1); r.ErrorCode != protocol.BrokerIDNotRegistered {
		t.Errorf("%+v", r)
	}
}

func TestUpdateFeaturesRefusesAsZooKeeperMode(t *testing.T) {
	e := newElected(t)
	for _, version := range versionsOf(t, 57) {
		q := kmsg.NewPtrUpdateFeaturesRequest()
		q.Version = version
		for _, u := range []struct {
			name    string
			level   int16
			kind    int8
			message string
		}{
			{"", 1, 1, "Feature name can not be empty."},
			{"metadata.version", 5, 1, "Could not apply finalized feature update because the provided feature is not supported."},
			{"a", 0, 2, "Can not delete non-existing finalized feature."},
			{"b", 0, 1, "Can not provide versionLevel: 0 less than 1 without setting the SAFE downgradeType in the request."},
			{"c", 3, 0, "Received unknown upgrade type."},
		} {
			if version == 0 && u.kind == 0 {
				continue
			}
			n := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
			n.Feature, n.MaxVersionLevel, n.UpgradeType, n.AllowDowngrade = u.name, u.level, u.kind, u.kind == 2
			q.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{n}
			r := e.ask(q).(*kmsg.UpdateFeaturesResponse)
			if r.ErrorCode != 0 || len(r.Results) != 1 || r.Results[0].Feature != u.name ||
				r.Results[0].ErrorCode != protocol.InvalidRequest || *r.Results[0].ErrorMessage != u.message {
				t.Errorf("v%d: %+v", version, r)
			}
		}
	}
}

// A broker that is not the controller says so in the way of each API.
func TestNotTheController(t *testing.T) {
	b := newBroker(t)
	b.rooms.Controller = controller.New(controller.Options{Registerer: prometheus.NewRegistry(), Logger: zap.NewNop()})
	if r := b.ask(kmsg.NewPtrAlterPartitionRequest()).(*kmsg.AlterPartitionResponse); r.ErrorCode != protocol.NotController {
		t.Errorf("%+v", r)
	}
	if r := b.ask(kmsg.NewPtrControlledShutdownRequest()).(*kmsg.ControlledShutdownResponse); r.ErrorCode != protocol.StaleControllerEpoch {
		t.Errorf("%+v", r)
	}
	if r := b.ask(kmsg.NewPtrAllocateProducerIDsRequest()).(*kmsg.AllocateProducerIDsResponse); r.ErrorCode != protocol.NotController {
		t.Errorf("%+v", r)
	}
	if r := b.ask(kmsg.NewPtrUpdateFeaturesRequest()).(*kmsg.UpdateFeaturesResponse); r.ErrorCode != protocol.NotController || r.ErrorMessage == nil {
		t.Errorf("%+v", r)
	}
	q := kmsg.NewPtrElectLeadersRequest()
	q.Version = 2
	qt := kmsg.NewElectLeadersRequestTopic()
	qt.Topic, qt.Partitions = "t", []int32{4}
	q.Topics = append(q.Topics, qt)
	r := b.ask(q).(*kmsg.ElectLeadersResponse)
	if p := r.Topics[0].Partitions[0]; r.ErrorCode != 0 || p.Partition != 4 || p.ErrorCode != protocol.NotController || p.ErrorMessage != nil {
		t.Errorf("%+v", r)
	}
}
