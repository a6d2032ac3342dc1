package record

import (
	"fmt"
	"math"
)

// RetainMessages makes a message set of magic 0 or 1 that has only those records of an entry which keep
// wants: keep is called once for each, in order. The records keep their offsets; the offset of the result is that of
// the last one, as in Kafka (MemoryRecords.buildRetainedRecordsInto). Without any it is empty. An entry that is not
// compressed has one record. The error wraps ErrCorrupt.
func RetainMessages(entry []byte, keep func(Record) bool) ([]byte, error) {
	outer, err := parseMessage(entry)
	if err != nil {
		return nil, fmt.Errorf("retain messages: %w", err)
	}
	it, err := IterateEntry(entry)
	if err != nil {
		return nil, fmt.Errorf("retain messages: %w", err)
	}
	defer it.Close()
	if outer.codec() == None {
		if it.Next() && keep(it.Record()) {
			return entry, nil
		}
		return nil, it.Err()
	}
	out := appender{limit: math.MaxInt32}
	facts := entryFacts{codec: outer.codec(), stamped: outer.stamped()}
	if err := wrap(&out, it, outer.magic, facts, keep); err != nil {
		return nil, fmt.Errorf("retain messages: %w", err)
	}
	return out.b, nil
}
