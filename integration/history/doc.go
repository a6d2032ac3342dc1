// Package history keeps what clients of a cluster did and saw while faults were injected, and checks it against what Kafka
// promises. It knows no network, no process and no clock: a history is filled by integration/load, or written down by a unit
// test that plants one violation, and each checker is a pure function over it.
//
//   - history.go   the facts: acknowledgements, reads, high watermarks, leaders, commits, and the log as it was at the end
//   - recorder.go  the same, filled by many goroutines
//   - records.go   checkers of records: lost, duplicated, remapped, vanished, misordered, invented, gaps
//   - progress.go  checkers of what must not move back: high watermarks, leader epochs, committed offsets
//   - check.go     the table of checkers
//
// What is a violation and what is not follows Apache Kafka with unclean elections off and min.insync.replicas=2, whatever
// fails, as long as disks keep what was written. It is deliberately no more: a deposed leader that does not know it yet may
// serve old records and old committed offsets (never wrong ones), a fetch from a new leader may show a high watermark that is
// not yet up to date (ListOffsets may not, KIP-207), and acks=1 promises nothing but that an offset holds one record.
//
// If you want to add a promise: a checker, its row in check.go, and a planted history in its test that it catches.
package history
