package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/urfave/cli/v2"
)

const produceDescription = `A record is a line of standard input or of --file; with --key-separator, what stands before its first occurrence is the key.
With --input json a line is an object as consume -o json prints it: key, value, headers and timestamp count.
What could not be delivered is told by line, and the exit code is then 1. The topic is created if brokers do that.`

func produceCommand() *cli.Command {
	return &cli.Command{
		Name:        "produce",
		Usage:       "write records from lines",
		ArgsUsage:   "TOPIC",
		Description: produceDescription,
		Flags: connectFlags(
			&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, Usage: "for the delivery of each record"},
			&cli.StringFlag{Name: "file", Usage: "read from `FILE`, not from standard input"},
			&cli.StringFlag{Name: "input", Aliases: []string{"i"}, Value: "lines", Usage: "`FORMAT`: lines, json with an object on each line, or whole for one record of all there is"},
			&cli.StringFlag{Name: "key-separator", Aliases: []string{"k"}, Usage: "what stands between key and value; \\t is a tab"},
			&cli.StringFlag{Name: "null", Usage: "values and keys that are `TEXT` are null; a null value is a tombstone"},
			&cli.StringSliceFlag{Name: "header", Usage: "`KEY=VALUE` on every record; may be repeated"},
			&cli.IntFlag{Name: "partition", Aliases: []string{"p"}, Value: -1, Usage: "to `PARTITION`; chosen by key, or by chance, when absent"},
			&cli.StringFlag{Name: "compression", Aliases: []string{"z"}, Value: "none", Usage: "`CODEC`: none, gzip, snappy, lz4 or zstd"},
			&cli.StringFlag{Name: "acks", Value: "all", Usage: "`WHOSE` acknowledgement is waited for: all in-sync replicas, 1 (the leader), 0 (nobody)"},
			&cli.IntFlag{Name: "max-message-bytes", Value: 1000012, Usage: "the largest batch, in `BYTES`; the topic's max.message.bytes must allow it"},
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "tell partition and offset of each record on standard error"},
		),
		Action: produce,
	}
}

func produce(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return errors.New("name one topic to produce to")
	}
	reader, err := newRecordReader(c)
	if err != nil {
		return err
	}
	defer reader.Close()
	options, err := produceOptions(c)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, err := connect(ctx, c, options...)
	if err != nil {
		return err
	}
	defer client.Close()
	return deliver(ctx, c, client, reader)
}

// unknownTopicRetries gives brokers a few seconds to create the topic, at minMetadataAge between two looks or more.
const unknownTopicRetries = 20

func produceOptions(c *cli.Context) ([]kgo.Opt, error) {
	options := []kgo.Opt{
		kgo.DefaultProduceTopic(c.Args().First()), kgo.AllowAutoTopicCreation(), kgo.RecordDeliveryTimeout(c.Duration("timeout")),
		kgo.ProducerBatchMaxBytes(int32(min(max(c.Int("max-message-bytes"), 1), 1<<30))), kgo.UnknownTopicRetries(unknownTopicRetries),
	}
	switch codec := c.String("compression"); codec {
	case "none":
		options = append(options, kgo.ProducerBatchCompression(kgo.NoCompression()))
	case "gzip":
		options = append(options, kgo.ProducerBatchCompression(kgo.GzipCompression()))
	case "snappy":
		options = append(options, kgo.ProducerBatchCompression(kgo.SnappyCompression()))
	case "lz4":
		options = append(options, kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	case "zstd":
		options = append(options, kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	default:
		return nil, fmt.Errorf("--compression %s: must be none, gzip, snappy, lz4 or zstd", codec)
	}
	switch acks := c.String("acks"); acks { // only acks=all can be idempotent
	case "all", "-1":
		options = append(options, kgo.RequiredAcks(kgo.AllISRAcks()))
	case "1":
		options = append(options, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	case "0":
		options = append(options, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	default:
		return nil, fmt.Errorf("--acks %s: must be all, 1 or 0", acks)
	}
	if c.Int("partition") >= 0 {
		options = append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	return options, nil
}

// mostTold is how many failed records are told one by one.
const mostTold = 10

// deliver produces all records and waits for what becomes of them.
func deliver(ctx context.Context, c *cli.Context, client *kgo.Client, reader *recordReader) error {
	var mu sync.Mutex // promises are called by the client's goroutines
	sent, failed := 0, 0
	var broken error
	for {
		record, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			broken = err
			break
		}
		if ctx.Err() != nil {
			broken = fmt.Errorf("interrupted at line %d", reader.line)
			break
		}
		line := reader.line
		sent++
		client.Produce(ctx, record, func(r *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && c.Bool("verbose"):
				fmt.Fprintf(c.App.ErrWriter, "line %d: partition %d, offset %d\n", line, r.Partition, r.Offset)
			case err != nil:
				if failed++; failed <= mostTold {
					fmt.Fprintf(c.App.ErrWriter, "line %d: %s\n", line, inWords(err))
				}
			}
		})
	}
	if err := client.Flush(context.WithoutCancel(ctx)); err != nil { // bounded by the delivery timeout of each record
		broken = errors.Join(broken, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if more := failed - mostTold; more > 0 {
		fmt.Fprintf(c.App.ErrWriter, "and %d more\n", more)
	}
	if failed > 0 {
		broken = errors.Join(broken, fmt.Errorf("%d of %d records were not delivered", failed, sent))
	}
	return broken
}

// recordReader reads records as flags say.
type recordReader struct {
	lines     *bufio.Reader
	close     func() error
	format    string
	separator string
	null      *string
	headers   []kgo.RecordHeader
	partition int32
	line      int // of the record last read
}

func newRecordReader(c *cli.Context) (*recordReader, error) {
	r := &recordReader{
		lines: bufio.NewReaderSize(c.App.Reader, 1<<16), close: func() error { return nil }, format: c.String("input"),
		separator: unescape(c.String("key-separator")), partition: int32(c.Int("partition")),
	}
	if r.format != "lines" && r.format != "json" && r.format != "whole" {
		return nil, fmt.Errorf("--input %s: must be lines, json or whole", r.format)
	}
	if c.IsSet("null") {
		null := c.String("null")
		r.null = &null
	}
	headers, err := keyValues("header", c.StringSlice("header"))
	if err != nil {
		return nil, err
	}
	for _, h := range headers {
		r.headers = append(r.headers, kgo.RecordHeader{Key: h.key, Value: []byte(h.value)})
	}
	if path := c.String("file"); path != "" && path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("--file: %w", err)
		}
		r.lines, r.close = bufio.NewReaderSize(f, 1<<16), f.Close
	}
	return r, nil
}

func (r *recordReader) Close() error { return r.close() }

// unescape lets a tab or a newline be written on a command line.
func unescape(s string) string {
	return strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\0`, "\x00").Replace(s)
}

// Next returns the next record, or io.EOF.
func (r *recordReader) Next() (*kgo.Record, error) {
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	if r.format == "json" {
		record, err := parseRecord(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", r.line, err)
		}
		record.Headers, record.Partition = append(record.Headers, r.headers...), max(r.partition, 0)
		return record, nil
	}
	record := &kgo.Record{Headers: r.headers, Partition: max(r.partition, 0)}
	value := string(text)
	if r.separator != "" {
		key, rest, ok := strings.Cut(value, r.separator)
		if !ok {
			return nil, fmt.Errorf("line %d: there is no key: --key-separator %q does not occur", r.line, r.separator)
		}
		value = rest
		record.Key = r.orNull(key)
	}
	record.Value = r.orNull(value)
	return record, nil
}

func (r *recordReader) orNull(s string) []byte {
	if r.null != nil && s == *r.null {
		return nil
	}
	return append([]byte{}, s...)
}

// text is the next line without its end, or everything.
func (r *recordReader) text() ([]byte, error) {
	r.line++
	if r.format == "whole" {
		if r.line > 1 {
			return nil, io.EOF
		}
		return io.ReadAll(r.lines)
	}
	line, err := r.lines.ReadBytes('\n')
	if len(line) == 0 && err != nil {
		return nil, err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	return line, nil
}
