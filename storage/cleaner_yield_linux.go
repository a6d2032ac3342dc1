package storage

import "syscall"

// yieldCore lets other threads that are ready run first. Go's scheduler is not told: it could give the place of this
// thread to another, which the kernel would start somewhere, in the way of those for whom this is done.
func yieldCore() { _, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) } // it cannot fail
