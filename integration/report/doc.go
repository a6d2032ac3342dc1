// Package report asks client libraries what works with a broker, and keeps the answers in docs/clients.md: a row for each
// client, a column for each thing that clients do. Behind the tag compat, `make report` runs every cell against a fresh kbroker and
// writes the page; what fails there is asked of Apache Kafka, too (3.9.2, or 4.3.0 for the groups of KIP-848). In `make compat`
// the same test holds the page: a cell that it calls passed has to pass. KBROKER_REPORT=kcat,Java asks some clients only.
//
// The clients are driven by the workers of package story (integration/workers, integration/peers/clients), which besides
// membership of a group know tasks: a worker that is started with the words `tasks ADDRESS` prints {"event":"ready"}, then reads a
// task a line from standard input and prints, after its events, {"event":"done"}, or
// {"event":"failed","why":"..."}; at the end of its input it exits.
//
//	produce TOPIC CODEC      ten records to partition 0: key "k0", value "v0" and 500 dots, and so on to k9
//	idempotent TOPIC         the same, uncompressed, with the idempotent producer
//	headers TOPIC            the first of them, with the headers a=1 and b=2
//	consume TOPIC COUNT      {"event":"record","partition":0,"offset":0,"timestamp":17,"key":"k0","value":"v0","headers":["a=1"]}
//	                         for each of partition 0 from its start
//	look-up TOPIC TIME       {"event":"offset","offset":5} of partition 0
//	create TOPIC             three partitions, one replica, retention.ms=3600000
//	describe TOPIC           {"event":"topic","count":3}
//	delete TOPIC
//	alter TOPIC KEY VALUE
//	configs TOPIC KEY        {"event":"config","value":"3600000"}
//
// A member of a group may print {"event":"ready"} before it joins, when its process takes long to start; that is not counted.
// Every task goes through the API that the library's users have for it. What Kafka holds afterwards, and what it held before, is
// looked at and written by franz-go. It must not know what brokers are made of.
//
// Files: roster.go (which clients), worker.go (a process that does tasks), kcat.go (tasks by command line), cell.go (columns,
// one trial), records.go, admin.go and group.go (the columns' questions), card.go (all cells), page.go (the page).
package report
