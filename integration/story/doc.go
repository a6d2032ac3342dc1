// Package story tells one story of a consumer group with the workers of any client library, and checks what every group
// promises whatever the client: each record is delivered at least once, committed offsets never move back, no partition has
// two owners in one generation.
//
// The conductor (Tell) starts three workers, adds one, lets one leave, kills one with SIGKILL, kills the broker in the middle
// of a rebalance and starts it again, all while records are produced. On a cluster (TellOnCluster) the coordinator is killed
// during a rebalance, during commits and, twice in a row, during loading, moved by an election, has to wait for a replica that
// dies, and is stopped; no worker may be away for longer than its session and the fail-over. A worker is a process that joins a group with its
// library's ordinary consumer. It is given, as arguments, the broker's address (of a cluster: several, with commas), the topic, the group, and its own name; it
// reads from the topic's start what has no committed offset; it commits what it has shown, not more; at SIGTERM it leaves the
// group and exits with 0. It prints a line of JSON for each event:
//
//	{"event":"owns","generation":3,"partitions":[0,4]}    all that it owns now; generation -1 when the client does not tell
//	{"event":"record","partition":0,"offset":17,"value":"v17"}    before its offset is committed
//	{"event":"committed","partition":0,"offset":18}
//
// Session timeouts are 3 s, heartbeats every 300 ms. Workers are in integration/workers and integration/peers.
package story
