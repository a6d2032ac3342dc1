package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// jsonRecord is a record as consume -o json prints it and produce --input json reads it. Bytes that are not text are in the
// fields whose names end in Base64.
type jsonRecord struct {
	Topic       string       `json:"topic,omitempty"`
	Partition   int32        `json:"partition"`
	Offset      int64        `json:"offset"`
	Timestamp   int64        `json:"timestamp"` // milliseconds since 1970
	Key         *string      `json:"key"`
	KeyBase64   []byte       `json:"keyBase64,omitempty"`
	Headers     []jsonHeader `json:"headers"`
	Value       *string      `json:"value"`
	ValueBase64 []byte       `json:"valueBase64,omitempty"`
}

type jsonHeader struct {
	Key         string  `json:"key"`
	Value       *string `json:"value"`
	ValueBase64 []byte  `json:"valueBase64,omitempty"`
}

// textOr splits bytes into text, or bytes that are none. Both are nil for null.
func textOr(b []byte) (*string, []byte) {
	switch {
	case b == nil:
		return nil, nil
	case utf8.Valid(b):
		s := string(b)
		return &s, nil
	}
	return nil, b
}

// bytesOf is the way back.
func bytesOf(text *string, raw []byte) []byte {
	switch {
	case text != nil:
		return append([]byte{}, *text...)
	case len(raw) > 0:
		return raw
	}
	return nil
}

func writeJSON(w io.Writer, r *kgo.Record) error {
	j := jsonRecord{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Headers: []jsonHeader{}}
	j.Key, j.KeyBase64 = textOr(r.Key)
	j.Value, j.ValueBase64 = textOr(r.Value)
	for _, h := range r.Headers {
		text, raw := textOr(h.Value)
		j.Headers = append(j.Headers, jsonHeader{h.Key, text, raw})
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(j)
}

// parseRecord reads what writeJSON writes. What the log decides does not count: topic, partition and offset. Without a timestamp it
// is now.
func parseRecord(text []byte) (*kgo.Record, error) {
	var j jsonRecord
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, err
	}
	r := &kgo.Record{Key: bytesOf(j.Key, j.KeyBase64), Value: bytesOf(j.Value, j.ValueBase64)}
	if j.Timestamp > 0 {
		r.Timestamp = time.UnixMilli(j.Timestamp)
	}
	for _, h := range j.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: bytesOf(h.Value, h.ValueBase64)})
	}
	return r, nil
}

// fields that can be printed beside the value, in the order in which they are.
var fields = []string{"topic", "timestamp", "partition", "offset", "headers", "key", "value"}

// lineFormat prints records as lines.
type lineFormat struct {
	show      []string
	separator string
	null      string
}

func newLineFormat(show, separator, null string) (*lineFormat, error) {
	f := &lineFormat{separator: unescape(separator), null: null}
	wanted := map[string]bool{"value": true}
	for _, field := range strings.Split(show, ",") {
		if field = strings.TrimSpace(field); field == "" {
			continue
		}
		if !slices.Contains(fields, field) {
			return nil, fmt.Errorf("--show %s: must be of %s", field, strings.Join(fields, ", "))
		}
		wanted[field] = true
	}
	for _, field := range fields {
		if wanted[field] {
			f.show = append(f.show, field)
		}
	}
	return f, nil
}

func (f *lineFormat) write(w io.Writer, r *kgo.Record) error {
	line := []byte{}
	for i, field := range f.show {
		if i > 0 {
			line = append(line, f.separator...)
		}
		switch field {
		case "topic":
			line = append(line, r.Topic...)
		case "timestamp":
			line = strconv.AppendInt(line, r.Timestamp.UnixMilli(), 10)
		case "partition":
			line = strconv.AppendInt(line, int64(r.Partition), 10)
		case "offset":
			line = strconv.AppendInt(line, r.Offset, 10)
		case "headers":
			line = append(line, f.headers(r)...)
		case "key":
			line = append(line, f.orNull(r.Key)...)
		case "value":
			line = append(line, f.orNull(r.Value)...)
		}
	}
	_, err := w.Write(append(line, '\n'))
	return err
}

func (f *lineFormat) orNull(b []byte) []byte {
	if b == nil {
		return []byte(f.null)
	}
	return b
}

func (f *lineFormat) headers(r *kgo.Record) string {
	var list []string
	for _, h := range r.Headers {
		list = append(list, h.Key+"="+string(f.orNull(h.Value)))
	}
	return strings.Join(list, ",")
}
