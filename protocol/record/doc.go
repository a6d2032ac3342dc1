// Package record is the format of Kafka's record batches: a checked view over
// their bytes, validation as the leader does it, lazy iteration, the codecs,
// control records, and the message sets of old (magic 0 and 1).
//
// It is all of kbroker that storage may import. It must not know files,
// sockets or topics.
//
//	batch.go        Batch: accessors over the bytes of a batch of magic 2
//	iterate.go      Iterator: records with key, value and headers as views
//	walk.go         Walker: the same without keys and values, in fixed memory
//	stream.go       the bytes of records, decompressed piece by piece
//	compress.go     compressors, their levels and pools
//	lz4.go          LZ4 frames as Kafka reads and writes them
//	snappy.go       snappy as snappy-java frames it, and bare
//	validate.go     Validate: what a leader demands of a produce request
//	refusal.go      why it refuses, in the words that clients see
//	convert.go      another codec for a batch that passed
//	upconvert.go    validation of message sets, which become one batch
//	downconvert.go  batches as old fetch requests need them
//	legacy.go       messages of magic 0 and 1; EntrySize for an entry of any magic
//	builder.go      Builder: batches from records
//	control.go      transaction markers
//	varint.go       zig-zag varints
//
// Invariants:
//
//   - No length is believed before it is compared to the bytes that are there, and
//     no memory is taken in proportion to a length that was only claimed. A block
//     that decompresses to much is read through a buffer of fixed size.
//   - What Validate lets pass, every other part of the package can read.
//   - Walking, iterating and validating allocate nothing that grows with the number of
//     records, but for conversion, whose result is new.
//   - Views (Batch, Record) own nothing. Those into a compressed batch last until
//     the next call of Next.
package record
