package exact

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/protocol/record"
)

// keyFields name an element of a list, so that lists compare whatever their order.
var keyFields = []string{"Topic", "TopicID", "Name", "Partition", "PartitionIndex", "NodeID", "ResourceName", "ConfigName", "ApiKey", "Dir", "ProducerID", "FirstOffset", "Group", "Key", "MemberID"}

// blurred are values that differ from one broker to the next: of them only is told whether there is one.
var blurred = []string{"ClusterID", "Timestamp", "LogAppendTime", "TotalBytes", "UsableBytes", "LastTimestamp", "SessionID", "ThrottleMillis", "Documentation", "ProducerID"}

// moments are times in error messages.
var moments = regexp.MustCompile(`\b1[78]\d{11}\b`)

// strangers are ids that the broker gave to members who do not know them yet.
var strangers = regexp.MustCompile(`\bdiffer-[0-9a-f-]{36}\b`)

// lines writes an answer as one line for each value, each with its place, in order.
func (s *side) lines(response kmsg.Response) []string {
	var lines []string
	s.write(&lines, "", reflect.ValueOf(response).Elem())
	slices.Sort(lines)
	for i := range lines {
		// Values that are there twice at one place count twice.
		if n := i - slices.Index(lines, lines[i]); n > 0 {
			lines[i] += fmt.Sprintf(" (%d more)", n)
		}
	}
	return lines
}

func (s *side) write(lines *[]string, place string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			*lines = append(*lines, place+": null")
			return
		}
		s.write(lines, place, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			switch {
			case name == "UnknownTags", name == "Version":
			case strings.HasSuffix(place, "]") && slices.Contains(keyFields, name) && v.Field(i).Kind() != reflect.Slice: // in the place
			case name == "RecordBatches":
				*lines = append(*lines, place+"."+name+": "+batches(v.Field(i).Bytes()))
			case slices.Contains(blurred, name):
				*lines = append(*lines, place+"."+name+": "+blur(v.Field(i)))
			default:
				s.write(lines, place+"."+name, v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Struct {
			*lines = append(*lines, fmt.Sprintf("%s: %#v", place, v.Interface()))
			return
		}
		*lines = append(*lines, fmt.Sprintf("%s: %d of them", place, v.Len()))
		for i := range v.Len() {
			s.write(lines, place+"["+s.key(v.Index(i))+"]", v.Index(i))
		}
	default:
		*lines = append(*lines, place+": "+s.text(v))
	}
}

// blur tells of a value whether it is one.
func blur(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		return fmt.Sprint("present ", !v.IsNil())
	case reflect.String:
		return "text"
	default:
		if v.CanInt() && v.Int() >= 0 {
			if after := v.Int() - began; after >= 0 && after < 30_000 {
				return fmt.Sprintf("the beginning and %d", after)
			}
			return "some"
		}
		return fmt.Sprintf("%v", v)
	}
}

func (s *side) key(v reflect.Value) string {
	var parts []string
	for _, name := range keyFields {
		if f := v.FieldByName(name); f.IsValid() {
			parts = append(parts, s.text(f))
		}
	}
	return strings.Join(parts, " ")
}

// text writes a value with what is the broker's own replaced: port, topic ids.
func (s *side) text(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "null"
		}
		v = v.Elem()
	}
	if id, ok := v.Interface().([16]byte); ok {
		for name, known := range s.ids {
			if id == known {
				return "id of " + name
			}
		}
		if id == [16]byte{} {
			return "no id"
		}
		return "an id"
	}
	// What is no UTF-8 comes back from Java's strings with this in it.
	text := strings.ToValidUTF8(fmt.Sprintf("%v", v.Interface()), "\ufffd")
	_, port, _ := net.SplitHostPort(s.address) // it has a port
	if _, err := strconv.Atoi(text); err == nil && text != port {
		return text
	}
	text = strings.ReplaceAll(moments.ReplaceAllString(text, "MOMENT"), "\n", "\\n")
	for id, name := range s.members {
		text = strings.ReplaceAll(text, id, name)
	}
	text = strangers.ReplaceAllString(text, "an id of a member")
	return strings.NewReplacer(port, "PORT", s.dir, "DIR", s.zookeeper, "ZOOKEEPER").Replace(text)
}

// batches writes what is in fetched records. What the broker stamps is left out.
func batches(b []byte) string {
	var list []string
	for len(b) > 0 {
		size, magic, err := record.EntrySize(b)
		if err != nil || size == 0 || size > len(b) {
			break // a rest that clients pass over; converting for old ones, Kafka fills up with one
		}
		if magic < 2 {
			content := fmt.Sprintf("%x", oldChecksum(b[:size], magic))
			if b[17]&7 != 0 {
				content = "compressed" // one codec's encoders differ
			}
			list = append(list, fmt.Sprintf("%d:%s", binary.BigEndian.Uint64(b), content))
			b = b[size:]
			continue
		}
		one, rest, err := record.Parse(b)
		if err == nil && !one.ValidCRC() {
			err = errors.New("a wrong checksum")
		}
		if err != nil {
			return strings.Join(append(list, err.Error()), ", ")
		}
		b = rest
		stamp := uint32(0)
		if one.TimestampType() == record.LogAppendTime {
			list = append(list, "stamped")
		} else {
			stamp = checksum(one)
		}
		list = append(list, fmt.Sprintf("%d+%d of %d bytes %x, epoch %d", one.BaseOffset(), one.LastOffset()-one.BaseOffset(), len(one), stamp, one.PartitionLeaderEpoch()))
	}
	return strings.Join(list, ", ")
}

// checksum is that of a batch, were its records of the year 1970 instead of the time of the test.
func checksum(b record.Batch) uint32 {
	b = slices.Clone(b)
	for _, place := range []int{27, 35} { // the timestamps
		binary.BigEndian.PutUint64(b[place:], binary.BigEndian.Uint64(b[place:])-uint64(began))
	}
	return b.ComputeCRC()
}

// oldChecksum is the same of a message of the formats before.
func oldChecksum(b []byte, magic int8) uint32 {
	b = slices.Clone(b[16:])
	if magic == 1 {
		binary.BigEndian.PutUint64(b[2:], binary.BigEndian.Uint64(b[2:])-uint64(began))
	}
	return crc32.ChecksumIEEE(b)
}
