package history

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// History is what clients did to one topic and saw of it. Times count from its start. Slices are in the order in which things
// were noted, which for one client is the order in which they happened.
type History struct {
	Producers  map[string]Guarantee
	Sent       []Send
	Acks       []Ack
	Reads      []Read
	Answers    []Answer
	Watermarks []Watermark
	Leaders    []Leader
	Commits    []Commit
	Fetched    []Fetched

	// Final is each partition's log from its start, as its leader serves it after all faults are healed and all is flushed.
	Final map[int32][]Read

	// Launches are when each broker's process was started again. When all die at once a leader may come back to lead the same
	// epoch, and then begins with the high watermark of its checkpoint in fetch answers; ListOffsets waits for the true one.
	Launches map[int32][]time.Duration

	// StaleCoordinators allows a group coordinator to tell other offsets than the next: one that is deposed and cannot know it
	// tells old ones, and one that dies too soon has told what nobody else had. What was acknowledged stays.
	StaleCoordinators bool
}

// Guarantee is what a producer was promised.
type Guarantee struct {
	Idempotent bool // a record is in the log once at most
	Durable    bool // acks=all: an acknowledged record stays
}

// Send is a record handed to a producer, whose outcome may be unknown for ever.
type Send struct {
	Producer  string
	Partition int32
	Sequence  int64
}

// Ack is a record that a broker has acknowledged.
type Ack struct {
	Producer  string
	Partition int32
	Offset    int64
	Value     string
	At        time.Duration
}

// Read is a record that a consumer was given, by a leader or by a follower.
type Read struct {
	Reader      string
	Partition   int32
	Offset      int64
	LeaderEpoch int32 // of the record's batch; -1 when the reader does not tell
	Value       string
	At          time.Duration
}

// Answer is one partition of a fetch answer.
type Answer struct {
	Reader        string
	Broker        int32 // that answered
	Leading       bool  // it answered as the leader of LeaderEpoch
	LeaderEpoch   int32
	Partition     int32
	Asked         int64 // offset
	Next          int64 // offset after the last record; Asked when there was none
	HighWatermark int64
	OutOfRange    bool
	Began, Ended  time.Duration
}

// life counts the lives of the broker that answered.
func (h *History) life(a Answer) (n int) {
	for _, at := range h.Launches[a.Broker] {
		if at <= a.Ended {
			n++
		}
	}
	return n
}

// Source is how a high watermark was seen.
type Source int

const (
	ListOffsets Source = iota // of a leader asked for the latest offset
	EpochEnd                  // OffsetForLeaderEpoch of LeaderEpoch: no high watermark, but at least all that that epoch committed
)

// Watermark is an end of a partition that a leader told.
type Watermark struct {
	Source       Source
	Partition    int32
	LeaderEpoch  int32
	Offset       int64
	Began, Ended time.Duration
}

// Leader is what a broker's metadata says of a partition.
type Leader struct {
	Broker    int32 // that says it
	Partition int32
	Leader    int32 // -1: none
	Epoch     int32
	At        time.Duration
}

// Commit is an offset whose commit was acknowledged.
type Commit struct {
	Partition    int32
	Offset       int64
	Began, Ended time.Duration
}

// Fetched is a committed offset as OffsetFetch told it; -1 when there is none.
type Fetched struct {
	Coordinator  int32 // that answered
	Partition    int32
	Offset       int64
	Began, Ended time.Duration
}

// Value is what a record holds: who sent it, and its number, from 0, among those of that producer to that partition.
func Value(producer string, sequence int64) string {
	return producer + "/" + strconv.FormatInt(sequence, 10)
}

// Pad is the record's value on the wire, with ballast up to a size.
func Pad(value string, size int) []byte {
	return append([]byte(value+" "), bytes.Repeat([]byte{'.'}, max(0, size-len(value)-1))...)
}

// Unpad returns the value that Pad was given.
func Unpad(wire []byte) string {
	value, _, _ := bytes.Cut(wire, []byte{' '})
	return string(value)
}

// parse is Value backwards.
func parse(value string) (producer string, sequence int64, ok bool) {
	producer, number, ok := strings.Cut(value, "/")
	if !ok {
		return "", 0, false
	}
	sequence, err := strconv.ParseInt(number, 10, 64)
	return producer, sequence, err == nil
}
