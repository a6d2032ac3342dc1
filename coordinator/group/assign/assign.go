package assign

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// ErrUnknownTopic is the error of Assign when a member subscribes to a topic that Topics does not know.
var ErrUnknownTopic = errors.New("a member subscribes to an unknown topic")

// Topic is what an assignor knows of a topic.
type Topic struct {
	ID         [16]byte
	Partitions int32
	Racks      []map[string]struct{} // of the replicas, by partition; nil when no racks are known
}

// Topics finds topics by id. An assignor asks for every subscribed topic once or a few times; answers must not change
// during a call of Assign.
type Topics interface {
	Topic(id [16]byte) (Topic, bool)
}

// Partitions is partition numbers by topic id. Each list is sorted, without duplicates, and not empty. A value is never
// changed once it is made, neither map nor lists, so that it may be shared.
type Partitions map[[16]byte][]int32

// Equal tells whether both hold the same partitions. Of one and the same map it is known at once.
func (p Partitions) Equal(q Partitions) bool {
	if len(p) != len(q) {
		return false
	}
	return len(p) == 0 || reflect.ValueOf(p).Pointer() == reflect.ValueOf(q).Pointer() || maps.EqualFunc(p, q, slices.Equal)
}

// Member is what an assignor knows of a member.
type Member struct {
	ID         string
	InstanceID *string // group.instance.id of a static member, else nil
	Rack       *string // client.rack, nil when not said
	Subscribed map[[16]byte]struct{}
	Target     Partitions // what it was assigned before
}

// Group is what is to be assigned.
type Group struct {
	Members     []Member // by id
	Homogeneous bool     // all members subscribe to the same topics
}

// Assignor is a way to divide partitions among members. It has no state: any goroutine may call it.
type Assignor interface {
	// Name is what clients call it in group.remote.assignor.
	Name() string
	// Assign returns the target of every member, by id; it is empty for a member without partitions. The target of a
	// member that keeps what it has is the map in Member.Target itself, of which Equal is quick. The error is
	// ErrUnknownTopic, wrapped.
	Assign(g Group, topics Topics) (map[string]Partitions, error)
}

// find is Topic with an error.
func find(topics Topics, id [16]byte) (Topic, error) {
	t, ok := topics.Topic(id)
	if !ok {
		return Topic{}, fmt.Errorf("assign topic %x: %w", id, ErrUnknownTopic)
	}
	return t, nil
}

// compareIDs orders topic ids as Java's Uuid does: by halves, which are signed.
func compareIDs(a, b [16]byte) int {
	half := func(id []byte) int64 { return int64(binary.BigEndian.Uint64(id)) }
	if c := cmp.Compare(half(a[:8]), half(b[:8])); c != 0 {
		return c
	}
	return cmp.Compare(half(a[8:]), half(b[8:]))
}
