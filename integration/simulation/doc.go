// Package simulation runs a whole cluster in one process and in virtual time: three brokers, the embedded ZooKeeper server and
// clients, on a network and on disks in memory, in one bubble of testing/synctest. Half a minute of a cluster's life takes
// about a second. A seed decides what goes wrong and when.
//
//	make simulate                          200 seeds, and some under the race detector
//	KBROKER_SIM_FOR=1h make simulate       for an hour (KBROKER_SIM_SEED=n: from seed n on, KBROKER_SIM_SEEDS=n: so many)
//	integration/simulation/planted/prove   shows that planted bugs are found
//
// # What a run does
//
// It starts the brokers, creates topics and starts clients (work_*.go): idempotent producers with acks=all, one with acks=1,
// readers of leaders and of followers, members of a group, one who commits ever higher offsets, observers of leaders and high
// watermarks, and in some runs an administrator. Then faults happen (faults.go, one at a time in calm runs, several at once in
// others). Then all is healed, and the cluster has 90 virtual seconds until everybody is up, every replica is in sync, and every
// broker tells clients what ZooKeeper holds (converge.go). Everything is read back, and checked by integration/history (what clients
// saw) and disks.go (all replicas are the same, byte for byte).
//
// # Faults, and how true they are
//
//   - kill: the network and the disk of a broker do nothing from that moment on, and the goroutines of the dead end by
//     themselves. What it had written is there for the next, synced or not.
//   - power loss: the same, but of what was not synced a part chosen by the seed is gone, torn or out of order (vfs.Mem.CrashClone),
//     and peers hear nothing until the machine is back. One copy at a time, when all are in sync: acks=all promises no more.
//   - pause: all links of a broker stall. Its clock goes on, unlike with SIGSTOP: there is one clock in a bubble.
//   - a failing write, sync, creation or renaming; a write may be torn. A log directory fails; if it is the only one, the broker gives up.
//   - links that stall (both ways or one way, between brokers or to ZooKeeper) or are slow; connections that are reset.
//   - sessions that expire, connections that ZooKeeper drops, a ZooKeeper that hangs.
//   - clean restarts.
//
// # Debugging a seed
//
// A seed that fails prints how to repeat it, and where its journal is: faults and logs of all processes in one timeline. The order in
// which goroutines run is not the seed's, so a rare interleaving may take several repetitions (go test -count). With
// KBROKER_SIM_DEBUG=1 everybody logs more; KBROKER_SIM_ONLY names the only fault that happens; KBROKER_SIM_JOURNAL names a file that
// the journal is written to as it grows, for runs that do not come to an end: goroutines that are left over end the test program, as
// does a bubble in which everybody waits for ever.
//
// The build tag synctests has the client library wait in a way that synctest knows (its mutexes are channels then).
//
// # Files
//
//	memnet/     the network
//	journal.go  what happened          node.go   a broker's machine: start, stop, kill, power off
//	world.go    the cluster            run.go    a run from its plan to its result
//	workload.go work_*.go  clients     faults.go what goes wrong
//	converge.go inspect.go disks.go    what must hold in the end
package simulation
