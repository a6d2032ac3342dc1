package main

import (
	"encoding/base64"
	"reflect"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/journal"
)

const consumerOffsets = "__consumer_offsets"

// decodeRecord turns key and value of a topic's record into what JSON can show: those of __consumer_offsets are decoded, others are text
// where they can be. What does not decode is shown with the reason.
func decodeRecord(topic string, key, value []byte) (decodedKey, decodedValue any) {
	if topic != consumerOffsets {
		return text(key), text(value)
	}
	k, err := journal.ParseKey(key)
	if err != nil {
		return undecoded(key, err), text(value)
	}
	if value == nil {
		return typed(k), nil
	}
	var v any
	switch k := k.(type) {
	case *kmsg.OffsetCommitKey:
		v, err = journal.ParseOffset(value)
	case *kmsg.GroupMetadataKey:
		return typed(k), decodeGroup(value)
	case journal.ConsumerKey:
		v, err = journal.ParseConsumer(k, value)
	}
	if err != nil {
		return typed(k), undecoded(value, err)
	}
	return typed(k), present(reflect.ValueOf(v))
}

// decodeGroup decodes the record of a classic group, and what its members subscribe to and are assigned if they are consumers.
func decodeGroup(value []byte) any {
	g, err := journal.ParseGroup(value)
	if err != nil {
		return undecoded(value, err)
	}
	shown, ok := present(reflect.ValueOf(g)).(map[string]any)
	if !ok || g.ProtocolType != "consumer" {
		return shown
	}
	members, _ := shown["members"].([]any)
	for i, m := range g.Members {
		fields, ok := members[i].(map[string]any)
		if !ok {
			continue
		}
		var subscription kmsg.ConsumerMemberMetadata
		if err := subscription.ReadFrom(m.Subscription); err == nil {
			fields["subscription"] = subscription.Topics
		}
		var assignment kmsg.ConsumerMemberAssignment
		if err := assignment.ReadFrom(m.Assignment); err == nil {
			assigned := map[string][]int32{}
			for _, t := range assignment.Topics {
				assigned[t.Topic] = t.Partitions
			}
			fields["assignment"] = assigned
		}
	}
	return shown
}

func undecoded(b []byte, err error) any {
	return map[string]any{"error": err.Error(), "bytes": text(b)}
}

// typed shows a key with the name of its type.
func typed(key any) any {
	shown, ok := present(reflect.ValueOf(key)).(map[string]any)
	if ok {
		name := reflect.TypeOf(key).Elem().Name()
		shown["type"] = strings.TrimSuffix(name, "Key")
	}
	return shown
}

// present shows a struct of a record as JSON does, but ids and bytes as people write them.
func present(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return present(v.Elem())
	case reflect.Struct:
		fields := map[string]any{}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "UnknownTags" {
				fields[lowerFirst(f.Name)] = present(v.Field(i))
			}
		}
		return fields
	case reflect.Array: // a topic id
		id, ok := v.Interface().([16]byte)
		if !ok {
			return v.Interface()
		}
		return base64.RawURLEncoding.EncodeToString(id[:])
	case reflect.Slice:
		if b, ok := v.Interface().([]byte); ok {
			return text(b)
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = present(v.Index(i))
		}
		return list
	default:
		return v.Interface()
	}
}

func lowerFirst(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// text is bytes as text, or null.
func text(b []byte) any {
	if b == nil {
		return nil
	}
	return readable(b)
}
