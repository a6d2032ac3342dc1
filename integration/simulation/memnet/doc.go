// Package memnet is a network in memory: hosts with names, listeners, and connections that carry bytes as TCP does, with
// faults on demand. All time is package time's, and all waiting is on condition variables and channels made where they
// are used, so that it runs under testing/synctest.
//
// A link is the way from one host to another; each pair of hosts has two, so that a partition can be one-sided. A link
// delays what it carries, keeping the order within a connection. A stalled link holds everything, the end of a
// connection included, until it is let go: what a lost cable looks like to TCP, which repeats what was not confirmed.
// Writing blocks when a window full is not read yet. Connections can be reset.
//
// A host dies with its process (Kill: the kernel resets its connections) or with its machine (PowerOff: nobody hears of it, and
// those who write to it wait, until a new host of that name answers with resets).
//
// # Files
//
//	network.go   Network, links, resets
//	host.go      Host: listening, dialling, dying
//	conn.go      Conn: reading, writing, deadlines
//	flow.go      what is on its way to one end of a connection
package memnet
