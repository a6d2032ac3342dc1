package broker

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/alterisr"
	"github.com/kbroker/kbroker/broker/fetcher"
	"github.com/kbroker/kbroker/broker/peer"
	"github.com/kbroker/kbroker/protocol"
)

// Versions of requests to the controller, unless it takes only older ones.
const (
	controlledShutdownVersion  = 3
	allocateProducerIDsVersion = 0
)

// buildPeers makes what this broker asks of other brokers: records of leaders, and decisions of the controller.
func (b *Broker) buildPeers(o Options) {
	b.fetchers = fetcher.New(fetcher.Options{
		BrokerID:    b.id,
		BrokerEpoch: func() int64 { return b.replicas.BrokerEpoch() },
		Config:      b.config,
		Metadata:    b.metadata,
		Dial:        o.Dial,
		Registerer:  o.Registry,
		Logger:      o.Logger,
	})
	// Of its own, so that nothing that waits for the controller holds the in-sync replicas up.
	b.isrChannel = b.toController(o, "isr")
	b.isr = alterisr.New(alterisr.Options{
		BrokerID:    b.id,
		BrokerEpoch: func() int64 { return b.replicas.BrokerEpoch() },
		Request:     b.isrChannel.Request,
		Logger:      o.Logger.Named("isr"),
	})
	b.controllerChannel = b.toController(o, "controller-channel")
}

func (b *Broker) toController(o Options, name string) *peer.ToController {
	c := b.config.Broker()
	first, most := c.ConnectWithin(c.ControllerSocketLimit)
	return peer.NewToController(peer.ControllerOptions{
		Options: peer.Options{
			ClientID: strconv.Itoa(int(b.id)), Dial: o.Dial,
			ConnectTimeout: first, ConnectTimeoutMax: most, RequestTimeout: c.ControllerSocketLimit,
		},
		Find:   b.findController,
		Logger: o.Logger.Named(name),
	})
}

// findController tells where the controller listens, as the last UpdateMetadata had it.
func (b *Broker) findController() (address string, ok bool, changed <-chan struct{}) {
	changed = b.metadata.Changed()
	c := b.config.Broker()
	listener := c.ControlPlaneListener
	if listener == "" {
		listener = c.InterBrokerListener
	}
	image := b.metadata.Load()
	controller, ok := image.Broker(image.ControllerID)
	if !ok {
		return "", false, changed
	}
	e, ok := controller.Endpoint(listener)
	if !ok {
		return "", false, changed
	}
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))), true, changed
}

// producerIDBlock takes a block of producer ids from the controller, which may be this broker.
func (b *Broker) producerIDBlock(ctx context.Context) (first int64, count int32, err error) {
	if b.control.Active() {
		return b.control.AllocateProducerIDs(ctx, b.id, b.replicas.BrokerEpoch())
	}
	r := kmsg.NewPtrAllocateProducerIDsRequest()
	r.SetVersion(allocateProducerIDsVersion)
	r.BrokerID, r.BrokerEpoch = b.id, b.replicas.BrokerEpoch()
	response, err := b.controllerChannel.Request(ctx, r)
	if err != nil {
		return 0, 0, err
	}
	a := response.(*kmsg.AllocateProducerIDsResponse)
	if a.ErrorCode != 0 {
		return 0, 0, fmt.Errorf("the controller gives no producer ids: %v", protocol.ErrorCode(a.ErrorCode))
	}
	return a.ProducerIDStart, a.ProducerIDLen, nil
}

// HandOver asks the controller to have other brokers lead what this one leads, so that stopping it disturbs nobody (Kafka:
// KafkaServer.controlledShutdown). It tries controlled.shutdown.max.retries times, and gives up with ctx. A broker
// that knows of no other has nobody to hand anything to. It is to be called before Stop, while everything still runs.
func (b *Broker) HandOver(ctx context.Context) {
	c := b.config.Broker()
	if !c.ControlledShutdown || len(b.metadata.Load().Brokers()) < 2 {
		return
	}
	begin := time.Now()
	for try := range c.ControlledShutdownRetries {
		if try > 0 {
			select {
			case <-time.After(c.ControlledShutdownBackoff):
			case <-ctx.Done():
			}
		}
		remaining, err := b.askToStop(ctx)
		switch {
		case err == nil && remaining == 0:
			b.log.Info("handed leaderships over", zap.Duration("took", time.Since(begin)))
			return
		case err != nil:
			b.log.Warn("the controller did not take leaderships over", zap.Error(err))
		default:
			b.log.Warn("the controller found no other leader for some partitions", zap.Int("partitions", remaining))
		}
		if ctx.Err() != nil {
			break
		}
	}
	b.log.Warn("stopping while partitions are led here: they are without a leader until the controller notices")
}

// askToStop makes one try, and returns how many partitions are still led here.
func (b *Broker) askToStop(ctx context.Context) (remaining int, err error) {
	r := kmsg.NewPtrControlledShutdownRequest()
	r.SetVersion(controlledShutdownVersion)
	r.BrokerID, r.BrokerEpoch = b.id, b.replicas.BrokerEpoch()
	response, err := b.controllerChannel.Request(ctx, r)
	if err != nil {
		return 0, err
	}
	a := response.(*kmsg.ControlledShutdownResponse)
	if a.ErrorCode != 0 {
		return 0, fmt.Errorf("ControlledShutdown: %v", protocol.ErrorCode(a.ErrorCode))
	}
	return len(a.PartitionsRemaining), nil
}
