package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/kbroker/kbroker/protocol/record"
)

// dumpedBatch is a batch with the names that Kafka's dump tool gives its fields.
type dumpedBatch struct {
	BaseOffset    int64  `json:"baseOffset"`
	LastOffset    int64  `json:"lastOffset"`
	Count         int32  `json:"count"`
	BaseSequence  int32  `json:"baseSequence"`
	LastSequence  int32  `json:"lastSequence"`
	ProducerID    int64  `json:"producerId"`
	ProducerEpoch int16  `json:"producerEpoch"`
	LeaderEpoch   int32  `json:"partitionLeaderEpoch"`
	Transactional bool   `json:"isTransactional"`
	Control       bool   `json:"isControl"`
	DeleteHorizon *int64 `json:"deleteHorizonMs"`
	Position      int64  `json:"position"`
	TimestampType string `json:"timestampType"`
	MaxTimestamp  int64  `json:"maxTimestamp"`
	Size          int    `json:"size"`
	Magic         int8   `json:"magic"`
	Codec         string `json:"compresscodec"`
	CRC           uint32 `json:"crc"`
	Valid         bool   `json:"isvalid"`
}

// dumpedRecord is a record; key and value are decoded, text, or Go-quoted bytes.
type dumpedRecord struct {
	Offset    int64             `json:"offset"`
	Timestamp int64             `json:"timestamp"`
	KeySize   int               `json:"keySize"` // -1 null
	ValueSize int               `json:"valueSize"`
	Headers   map[string]string `json:"headers,omitempty"`
	Control   string            `json:"control,omitempty"`
	Key       any               `json:"key"`
	Value     any               `json:"payload"`
}

// segment prints the batches of a segment, up to the first that is not whole.
func (d *dump) segment(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	topic := d.decode
	if topic == "" {
		topic = topicOf(path)
	}
	in := bufio.NewReaderSize(file, 1<<20)
	for position := int64(0); ; {
		header, err := in.Peek(entryHeader)
		if len(header) == 0 && errors.Is(err, io.EOF) {
			return nil
		}
		size, magic, err := record.EntrySize(header)
		if err != nil {
			return fmt.Errorf("position %d: %w", position, err)
		}
		if size == 0 || int64(size) > info.Size()-position {
			return fmt.Errorf("position %d: the file ends within a batch: %d bytes are left", position, info.Size()-position)
		}
		entry := make([]byte, size)
		if _, err := io.ReadFull(in, entry); err != nil {
			return fmt.Errorf("position %d: %w", position, err)
		}
		if err := d.entry(path, topic, entry, magic, position); err != nil {
			return fmt.Errorf("position %d: %w", position, err)
		}
		position += int64(size)
	}
}

// entryHeader is as much of an entry as tells its size and format.
const entryHeader = 17

// topicOf is the topic of a segment, by its folder.
func topicOf(path string) string {
	folder := filepath.Base(filepath.Dir(path))
	if at := strings.LastIndexByte(folder, '-'); at > 0 {
		return folder[:at]
	}
	return ""
}

// entry prints a batch, or a message of an old format, and its records.
func (d *dump) entry(path, topic string, entry []byte, magic int8, position int64) error {
	control := false
	if magic == 2 {
		b, _, err := record.Parse(entry)
		if err != nil {
			return err
		}
		control = b.IsControl()
		if err := d.line(path, "batch", describeBatch(b, position)); err != nil {
			return err
		}
		if !b.ValidCRC() {
			return nil // its records say nothing
		}
	} else if err := d.line(path, "message", struct {
		Position int64 `json:"position"`
		Size     int   `json:"size"`
		Magic    int8  `json:"magic"`
	}{position, len(entry), magic}); err != nil {
		return err
	}
	if !d.records {
		return nil
	}
	it, err := record.IterateEntry(entry)
	if err != nil {
		return err
	}
	defer it.Close()
	for it.Next() {
		if !d.asJSON {
			io.WriteString(d.out, "| ")
		}
		if err := d.line(path, "record", describeRecord(topic, it.Record(), control)); err != nil {
			return err
		}
	}
	return it.Err()
}

func describeBatch(b record.Batch, position int64) dumpedBatch {
	d := dumpedBatch{
		BaseOffset: b.BaseOffset(), LastOffset: b.LastOffset(), Count: b.Count(),
		BaseSequence: b.BaseSequence(), LastSequence: b.LastSequence(), ProducerID: b.ProducerID(), ProducerEpoch: b.ProducerEpoch(),
		LeaderEpoch: b.PartitionLeaderEpoch(), Transactional: b.IsTransactional(), Control: b.IsControl(),
		Position: position, TimestampType: "CreateTime", MaxTimestamp: b.MaxTimestamp(), Size: b.Size(), Magic: 2,
		Codec: b.Codec().String(), CRC: b.CRC(), Valid: b.ValidCRC(),
	}
	if horizon, ok := b.DeleteHorizon(); ok {
		d.DeleteHorizon = &horizon
	}
	if b.TimestampType() == record.LogAppendTime {
		d.TimestampType = "LogAppendTime"
	}
	return d
}

func describeRecord(topic string, r record.Record, control bool) dumpedRecord {
	d := dumpedRecord{Offset: r.Offset, Timestamp: r.Timestamp, KeySize: len(r.Key), ValueSize: len(r.Value)}
	if r.Key == nil {
		d.KeySize = -1
	}
	if r.Value == nil {
		d.ValueSize = -1
	}
	for key, value := range r.Headers() {
		if d.Headers == nil {
			d.Headers = map[string]string{}
		}
		d.Headers[string(key)] = readable(value)
	}
	switch {
	case control:
		d.Control = describeControl(r)
	default:
		d.Key, d.Value = decodeRecord(topic, r.Key, r.Value)
	}
	return d
}

func describeControl(r record.Record) string {
	switch t, err := record.ParseControlType(r.Key); {
	case err != nil:
		return err.Error()
	case t == record.CommitMarker:
		return "COMMIT"
	case t == record.AbortMarker:
		return "ABORT"
	default:
		return fmt.Sprint("type ", t)
	}
}

// readable gives bytes as they are if they are text, else quoted.
func readable(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return fmt.Sprintf("%q", b)
}
