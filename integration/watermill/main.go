// Command watermill publishes and subscribes with Watermill, whose Kafka part rests on Sarama.
//
// usage: watermill publish ADDRESS TOPIC COUNT              the values v0, v1, ...
//
//	watermill subscribe ADDRESS TOPIC GROUP NAME       a worker of package story
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 5 && os.Args[1] == "publish":
		err = publish(os.Args[2], os.Args[3], os.Args[4])
	case len(os.Args) == 6 && os.Args[1] == "subscribe":
		err = subscribe(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	default:
		fmt.Fprintln(os.Stderr, "usage: watermill publish ADDRESS TOPIC COUNT | subscribe ADDRESS TOPIC GROUP NAME")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "watermill:", err)
		os.Exit(1)
	}
}

func publish(address, topic, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return fmt.Errorf("count: %w", err)
	}
	p, err := kafka.NewPublisher(kafka.PublisherConfig{Brokers: []string{address}, Marshaler: kafka.DefaultMarshaler{}}, logger())
	if err != nil {
		return fmt.Errorf("new publisher: %w", err)
	}
	for i := range n {
		if err := p.Publish(topic, message.NewMessage(watermill.NewUUID(), fmt.Appendf(nil, "v%d", i))); err != nil {
			return fmt.Errorf("publish v%d: %w", i, err)
		}
	}
	return p.Close()
}

func subscribe(address, topic, group, name string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	config := kafka.DefaultSaramaSubscriberConfig()
	config.ClientID = name
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Interval = 100 * time.Millisecond
	config.Consumer.Group.Session.Timeout = 3 * time.Second
	config.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	config.Consumer.MaxWaitTime = 300 * time.Millisecond
	s, err := kafka.NewSubscriber(kafka.SubscriberConfig{
		Brokers: []string{address}, Unmarshaler: kafka.DefaultMarshaler{}, ConsumerGroup: group, OverwriteSaramaConfig: config,
		NackResendSleep: 100 * time.Millisecond, ReconnectRetrySleep: 200 * time.Millisecond,
	}, logger())
	if err != nil {
		return fmt.Errorf("new subscriber: %w", err)
	}
	messages, err := s.Subscribe(context.Background(), topic) // ended by Close alone, which leaves the group
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	closed := make(chan error, 1)
	go func() {
		<-ctx.Done()
		closed <- s.Close()
	}()
	out := json.NewEncoder(os.Stdout)
	for m := range messages {
		partition, _ := kafka.MessagePartitionFromCtx(m.Context()) // every message that comes from Kafka has them
		offset, _ := kafka.MessagePartitionOffsetFromCtx(m.Context())
		event := map[string]any{"event": "record", "partition": partition, "offset": offset, "value": string(m.Payload)}
		if err := out.Encode(event); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		m.Ack()
	}
	return <-closed
}

func logger() watermill.LoggerAdapter { return watermill.NewStdLoggerWithOut(os.Stderr, false, false) }
