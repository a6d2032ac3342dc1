package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// taskTimeout bounds what one task may take; the package report gives it less.
const taskTimeout = 30 * time.Second

// library is a client's way to do the tasks of package report.
type library interface {
	produce(ctx context.Context, topic, codec string, list []message) error
	idempotent(ctx context.Context, topic string, list []message) error
	consume(ctx context.Context, topic string, count int) ([]message, error)
	lookUp(ctx context.Context, topic string, at time.Time) (offset int64, err error)
	create(ctx context.Context, topic string, partitions int, configs map[string]string) error
	describe(ctx context.Context, topic string) (partitions int, err error)
	remove(ctx context.Context, topic string) error
	alter(ctx context.Context, topic, key, value string) error
	config(ctx context.Context, topic, key string) (string, error)
}

// message is a record of partition 0.
type message struct {
	key, value string
	headers    [][2]string
	offset     int64     // of one that was consumed
	at         time.Time // the same
}

func messages(count int) []message {
	var list []message
	for i := range count {
		list = append(list, message{key: fmt.Sprintf("k%d", i), value: fmt.Sprintf("v%d%s", i, strings.Repeat(".", 500))})
	}
	return list
}

// doTasks does the tasks that come in on standard input, until it ends.
func doTasks(lib library) {
	var t teller
	t.tell(map[string]any{"event": "ready"})
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		ctx, cancel := context.WithTimeout(context.Background(), taskTimeout)
		err := doTask(ctx, &t, lib, strings.Fields(lines.Text()))
		cancel()
		if err != nil {
			t.tell(map[string]any{"event": "failed", "why": err.Error()})
			continue
		}
		t.tell(map[string]any{"event": "done"})
	}
}

func doTask(ctx context.Context, t *teller, lib library, words []string) error {
	if len(words) < 2 {
		return fmt.Errorf("task %q", words)
	}
	topic, rest := words[1], append(words[2:], "", "") // a task has at most two more words
	switch words[0] {
	case "produce":
		return lib.produce(ctx, topic, rest[0], messages(10))
	case "idempotent":
		return lib.idempotent(ctx, topic, messages(10))
	case "headers":
		list := messages(1)
		list[0].headers = [][2]string{{"a", "1"}, {"b", "2"}}
		return lib.produce(ctx, topic, "none", list)
	case "create":
		return lib.create(ctx, topic, 3, map[string]string{"retention.ms": "3600000"})
	case "delete":
		return lib.remove(ctx, topic)
	case "alter":
		return lib.alter(ctx, topic, rest[0], rest[1])
	default:
		return answer(ctx, t, lib, words[0], topic, rest[0])
	}
}

// answer does a task that asks for something.
func answer(ctx context.Context, t *teller, lib library, task, topic, word string) error {
	switch task {
	case "consume":
		count, err := strconv.Atoi(word)
		if err != nil {
			return err
		}
		list, err := lib.consume(ctx, topic, count)
		for _, m := range list {
			headers := []string{}
			for _, h := range m.headers {
				headers = append(headers, h[0]+"="+h[1])
			}
			t.tell(map[string]any{
				"event": "record", "partition": 0, "offset": m.offset, "timestamp": m.at.UnixMilli(), "key": m.key, "value": m.value,
				"headers": headers,
			})
		}
		return err
	case "look-up":
		at, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return err
		}
		offset, err := lib.lookUp(ctx, topic, time.UnixMilli(at))
		t.tell(map[string]any{"event": "offset", "offset": offset})
		return err
	case "describe":
		count, err := lib.describe(ctx, topic)
		t.tell(map[string]any{"event": "topic", "count": count})
		return err
	case "configs":
		value, err := lib.config(ctx, topic, word)
		t.tell(map[string]any{"event": "config", "value": value})
		return err
	default:
		return fmt.Errorf("no task %s", task)
	}
}
