// Package harness starts the real things for tests: kbroker as a process (built once with the
// race detector), Apache ZooKeeper from the distribution's package, kcat. Servers listen on
// 127.0.0.1 on free ports, keep their files in the test's temporary folder, and are ended, by
// process id, by the test that started them.
package harness
