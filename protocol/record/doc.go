// Package record is the format of Kafka's record batches: a checked view over
// their bytes, validation as the leader does it, lazy iteration, the codecs,
// control records, and the message sets of old (magic 0 and 1).
//
// It is all of kbroker that storage may import. It must not know files,
// sockets or topics.
package record
