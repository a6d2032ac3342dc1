// Package exact holds kbroker's answers against those of Apache Kafka, value by value.
//
// A book is a list of questions that are put to one broker in order, earlier ones preparing later ones: single requests,
// each in every version that it has, and stories, which are such questions in a row. There are two books, since two
// releases of Apache Kafka know what kbroker knows: 3.9.2 with ZooKeeper, and 4.3.0 for what Kafka has only in KRaft mode.
//
// Kafka's answers are in testdata, as text, one file a book. TestAsRecorded asks kbroker and needs no Kafka;
// with the tag compat TestRecording asks Kafka, and fails when the recording is not what it says: `make record` writes it anew.
// What differs on purpose is in known_test.go, and told in docs/compatibility.md. TestEveryVersion walks the version
// table, and fails when an API has a version that no question is asked in.
//
// # Files
//
// book_test.go (books, questions, how a book is told), side_test.go (asking a broker), lines_test.go (an answer as
// lines of text), recording_test.go (the text of a recording), replay_test.go and kafka_test.go (the two tests),
// coverage_test.go (the version table), known_test.go (differences), questions_*_test.go (the questions).
//
// # Adding a question
//
// Write it into a questions file, run `make record` where a JDK and Maven are, look at the difference in
// testdata, and run the tests. Nothing in an answer may depend on when or where it was given: lines_test.go replaces what does.
package exact
