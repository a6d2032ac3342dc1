package vfs

import "golang.org/x/sys/unix"

// lockCommand takes a record lock that belongs to the open file. It excludes the locks of
// processes (what the Java virtual machine takes) and also a second broker in this
// process, which a lock of the process would not.
const lockCommand = unix.F_OFD_SETLK

// syncData makes data and size durable, not the times.
func syncData(fd int) error { return unix.Fdatasync(fd) }
