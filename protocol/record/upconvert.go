package record

import "errors"

// validateMessages checks a set of messages of magic 0 or 1 and makes one batch of
// magic 2 of it, as a leader appends it: since Kafka 3.0 its log has no other
// format. As in Kafka a compressed message must be the only one of its set.
func validateMessages(b []byte, rules *Rules, now int64) (Checked, error) {
	source, refusal := checkEntries(b, rules)
	if refusal != nil {
		return Checked{}, refusal
	}
	target, level := rules.target(source)
	attributes := int16(target)
	if rules.TimestampType == LogAppendTime {
		attributes |= flagLogAppendTime
	}
	n := newBuilder(newHeader(attributes), level, now, rules.MaxMessageBytes)
	for len(b) > 0 {
		size, _, refusal := firstEntry(b)
		if refusal != nil || size == 0 { // the rest is cut off; checkEntries saw no error
			break
		}
		if refusal := appendMessages(n, b[:size], rules, now); refusal != nil {
			_, _ = n.Build() // only to give its buffers back
			return Checked{}, refusal
		}
		b = b[size:]
	}
	batch, err := n.Build()
	if err != nil {
		return Checked{}, conversionRefusal(err, rules)
	}
	return Checked{Batch: batch, AppendTime: rules.appendTime(now), Converted: true}, nil
}

// checkEntries checks the entries of a set without looking into them and returns
// the codec that they are compressed with.
func checkEntries(b []byte, rules *Rules) (Codec, *Refusal) {
	source, count, firstMagic, mixed := None, 0, int8(b[posMagic]), false
	for {
		size, magic, refusal := firstEntry(b)
		if refusal != nil {
			return 0, refusal
		}
		if size == 0 {
			break
		}
		if size > rules.MaxMessageBytes {
			return 0, refuse(TooLarge, "message of %d bytes is larger than %d%s", size, rules.MaxMessageBytes, rules.where())
		}
		if magic != firstMagic {
			mixed = true // Kafka looks at sizes and checksums of all before it says so
		} else {
			m, err := parseMessage(b[:size])
			if err != nil {
				return 0, refuse(Corrupt, "%v%s", err, rules.where())
			}
			if !m.validCRC() {
				return 0, refuse(Corrupt, "message has a wrong checksum%s", rules.where())
			}
			if m.codec() != None {
				source = m.codec()
			}
		}
		count++
		b = b[size:]
	}
	switch {
	case mixed:
		return 0, refuse(InvalidRecord, "messages of several magics%s", rules.where())
	case source != None && count > 1:
		return 0, refuse(InvalidRecord, "compressed message is not alone in its set%s", rules.where())
	}
	return source, nil
}

// appendMessages checks the messages of an entry and appends them to the builder.
func appendMessages(n *Builder, entry []byte, rules *Rules, now int64) *Refusal {
	var r messageReader
	defer r.close()
	if err := r.open(entry); err != nil {
		return refuse(InvalidRecord, "%v%s", err, rules.where())
	}
	var bad faults
	var last int64
	for r.next() {
		m := &r.m
		last = m.offset
		index := int32(r.count - 1)
		if m.magic != r.outer.magic {
			bad.add(index, InvalidRecord, "magic %d does not match outer magic %d%s", m.magic, r.outer.magic, rules.where())
			continue
		}
		if r.inner != nil && !m.validCRC() {
			return refuse(Corrupt, "inner message has a wrong checksum%s", rules.where())
		}
		rules.checkMessage(&bad, index, m, &r.outer, now)
		if bad.count == 0 {
			n.AppendRecord(Record{Offset: n.lastOffset + 1, Timestamp: m.timestamp, Key: m.key, Value: m.value})
		}
		if errors.Is(n.err, ErrBlockTooLarge) {
			break
		}
	}
	switch {
	case r.err != nil:
		return refuse(InvalidRecord, "%v%s", r.err, rules.where())
	case r.inner != nil && r.outer.magic == 1 && r.outer.offset != 0 && r.outer.offset < last:
		return refuse(InvalidRecord, "outer offset %d is less than inner offset %d%s", r.outer.offset, last, rules.where())
	case bad.count > 0:
		return bad.refusal()
	}
	return nil
}

// checkMessage is checkRecord for a message of magic 0 or 1.
func (r *Rules) checkMessage(bad *faults, index int32, m, outer *message, now int64) {
	switch {
	case r.Compacted && m.key == nil:
		bad.add(index, InvalidRecord, "Compacted topic cannot accept message without key%s", r.where())
	case r.TimestampType == CreateTime && m.timestamp != NoTimestamp:
		if !r.timely(m.timestamp, now) {
			bad.add(index, InvalidTimestamp, "%s", r.untimely(Outline{Offset: m.offset, Timestamp: m.timestamp}, now))
		}
	case outer.timestampType() == LogAppendTime:
		bad.add(index, InvalidTimestamp, "Invalid timestamp type in message at offset %d. "+
			"Producer should not set timestamp type to LogAppendTime.", m.offset)
	}
}
