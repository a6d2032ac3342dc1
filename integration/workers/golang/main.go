// Command golang is a worker of package story, and of package report, for the clients that are written in Go.
//
// usage: golang CLIENT ADDRESS TOPIC GROUP NAME
// CLIENT: franz-cooperative, franz-eager, franz-consumer (the protocol of KIP-848), sarama, sarama-cooperative, kafka-go
//
//	golang LIBRARY tasks ADDRESS
//
// LIBRARY: franz-go, sarama, kafka-go
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	sessionTimeout    = 3 * time.Second
	heartbeatInterval = 300 * time.Millisecond
)

// seat is what the conductor tells a worker.
type seat struct{ address, topic, group, name string }

func main() {
	workers := map[string]func(ctx context.Context, s seat) error{
		"franz-cooperative": franzCooperative, "franz-eager": franzEager, "franz-consumer": franzConsumer,
		"sarama": saramaEager, "sarama-cooperative": saramaCooperative, "kafka-go": kafkaGoWorker,
	}
	if len(os.Args) == 4 && os.Args[2] == "tasks" {
		address := os.Args[3]
		libraries := map[string]library{
			"franz-go": franzTasks{address}, "sarama": saramaTasks{address}, "kafka-go": kafkaGoTasks{address},
		}
		if lib := libraries[os.Args[1]]; lib != nil {
			doTasks(lib)
			return
		}
	}
	if len(os.Args) != 6 || workers[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: golang CLIENT ADDRESS TOPIC GROUP NAME")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := workers[os.Args[1]](ctx, seat{os.Args[2], os.Args[3], os.Args[4], os.Args[5]}); err != nil {
		fmt.Fprintln(os.Stderr, os.Args[1]+":", err)
		os.Exit(1)
	}
}

// teller prints events.
type teller struct {
	mu   sync.Mutex
	owns []int32
}

func (t *teller) tell(event map[string]any) {
	line, err := json.Marshal(event)
	if err != nil {
		panic(err) // of numbers and strings
	}
	if _, err := os.Stdout.Write(append(line, '\n')); err != nil {
		os.Exit(1) // nobody listens
	}
}

// own tells what is owned now.
func (t *teller) own(generation int32, partitions []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.owns = slices.Clone(partitions)
	t.tellOwns(generation)
}

// change adds and takes away partitions.
func (t *teller) change(generation int32, added, removed []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.owns = slices.DeleteFunc(append(t.owns, added...), func(p int32) bool { return slices.Contains(removed, p) })
	t.tellOwns(generation)
}

func (t *teller) tellOwns(generation int32) {
	// The names of the fields in the order in which encoding/json writes them begin with "event".
	t.tell(map[string]any{"event": "owns", "generation": generation, "partitions": append([]int32{}, t.owns...)})
}

func (t *teller) record(partition int32, offset int64, value []byte) {
	t.tell(map[string]any{"event": "record", "partition": partition, "offset": offset, "value": string(value)})
}

func (t *teller) committed(partition int32, offset int64) {
	t.tell(map[string]any{"event": "committed", "partition": partition, "offset": offset})
}
