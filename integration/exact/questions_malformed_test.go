package exact

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/protocol"
)

// askMalformed sends bodies that break off, or have null and impossible sizes where a text or a list is: of every
// API in every version, for every text in it.
func askMalformed(apis []protocol.API) func() []question {
	return func() (questions []question) {
		for _, row := range apis {
			questions = append(questions, malformed(row)...)
		}
		return questions
	}
}

// damage is what happens to the body at a text: start is where its length begins, and size how long it is with that.
type damage struct {
	what string
	list bool // of a list that begins with the text
	do   func(body []byte, start, size int, flexible bool) []byte
}

func damages() []damage {
	put := func(classic, compact []byte) func([]byte, int, int, bool) []byte {
		return func(body []byte, start, size int, flexible bool) []byte {
			length := classic
			if flexible {
				length = compact
			}
			return slices.Concat(body[:start], length, body[start+size:])
		}
	}
	list := func(classic, compact []byte) func([]byte, int, int, bool) []byte {
		return func(body []byte, start, _ int, flexible bool) []byte {
			// Before the first text of a list's first element is the length of the list: 1.
			if flexible {
				return slices.Concat(body[:start-1], compact, body[start:])
			}
			return slices.Concat(body[:start-4], classic, body[start:])
		}
	}
	huge := binary.AppendUvarint(nil, 1<<31-1)
	return []damage{
		{"null instead of", false, put([]byte{0xff, 0xff}, []byte{0})},
		{"nothing in", false, put([]byte{0, 0}, []byte{1})},
		{"a negative size of", false, put([]byte{0xff, 0xfe}, binary.AppendUvarint(nil, 1<<32-2))},
		{"more than there is in", false, put([]byte{0x7f, 0xff}, binary.AppendUvarint(nil, 1<<15))},
		{"too large a size of", false, put([]byte{0x7f, 0xff}, huge)},
		{"bytes that are no UTF-8 in", false, put([]byte{0, 2, 0xc3, 0x28}, []byte{3, 0xc3, 0x28})},
		{"the end after", false, func(body []byte, start, size int, _ bool) []byte { return body[:start+size] }},
		{"a cut in", false, func(body []byte, start, size int, _ bool) []byte { return body[:start+size-3] }},
		{"null for the list of", true, list([]byte{0xff, 0xff, 0xff, 0xff}, []byte{0})},
		{"a negative size of the list of", true, list([]byte{0xff, 0xff, 0xff, 0xfe}, binary.AppendUvarint(nil, 1<<32-2))},
		{"a huge size of the list of", true, list([]byte{0x7f, 0xff, 0xff, 0xff}, huge)},
		{"more elements than there are of", true, list([]byte{0, 0, 0, 2}, []byte{3})},
	}
}

// malformed are the damages of every text of one API.
func malformed(row protocol.API) (questions []question) {
	filled := func() (kmsg.Request, []string) {
		r := kmsg.RequestForKey(row.Key)
		var places []string
		fill(reflect.ValueOf(r).Elem(), "", &places)
		if p, is := r.(*kmsg.ProduceRequest); is {
			p.Acks = -1 // one that is answered
		}
		return r, places
	}
	_, places := filled()
	for i, place := range places {
		for _, d := range damages() {
			from, to := int16(-1), int16(-1)
			for v := row.Min; v <= row.Max; v++ {
				r, _ := filled()
				r.SetVersion(v)
				body := r.AppendTo(nil)
				if start, _ := marked(body, i, r.IsFlexible()); start < 0 || d.list && !startsList(body, start, r.IsFlexible()) {
					continue
				}
				if from < 0 {
					from = v
				}
				to = v
			}
			if from < 0 {
				continue
			}
			questions = append(questions, question{fmt.Sprintf("%s: %s %s", row.Name, d.what, place), from, to, func(*side) kmsg.Request {
				r, _ := filled()
				return disguised{Request: r, change: func(body []byte) []byte {
					start, size := marked(body, i, r.IsFlexible())
					if start < 0 {
						return body
					}
					return d.do(body, start, size, r.IsFlexible())
				}}
			}})
		}
	}
	whole := func(change func([]byte) []byte) func(*side) kmsg.Request {
		return func(*side) kmsg.Request {
			r, _ := filled()
			return disguised{Request: r, change: change}
		}
	}
	return append(
		questions,
		question{row.Name + ": no body", row.Min, row.Max, whole(func([]byte) []byte { return nil })},
		question{row.Name + ": a byte too few", row.Min, row.Max, whole(func(b []byte) []byte { return b[:max(len(b)-1, 0)] })},
		question{row.Name + ": bytes too many", row.Min, row.Max, whole(func(b []byte) []byte { return append(b, 1, 2, 3, 4, 5) })},
	)
}

// fill gives every text of a request a value of its own, and every list one element.
func fill(v reflect.Value, place string, places *[]string) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.String {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), place, places)
		}
	case reflect.String:
		v.SetString(marker(len(*places)))
		*places = append(*places, place)
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if name == "Version" || name == "UnknownTags" {
				continue
			}
			if place != "" {
				name = place + "." + name
			}
			fill(v.Field(i), name, places)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		if d, is := v.Index(0).Addr().Interface().(interface{ Default() }); is {
			d.Default()
		}
		fill(v.Index(0), place, places)
	}
}

// marker is the text that the i-th place has.
func marker(i int) string { return fmt.Sprintf("text-%02d", i) }

// marked finds a text in a body: where its length begins, and how long it is with that.
func marked(body []byte, i int, flexible bool) (start, size int) {
	text := []byte(marker(i))
	at := bytes.Index(body, text)
	if at < 0 {
		return -1, 0
	}
	if flexible {
		return at - 1, len(text) + 1
	}
	return at - 2, len(text) + 2
}

// startsList tells whether a list of one element begins before a text.
func startsList(body []byte, start int, flexible bool) bool {
	if flexible {
		return start >= 1 && body[start-1] == 2
	}
	return start >= 4 && bytes.Equal(body[start-4:start], []byte{0, 0, 0, 1})
}
