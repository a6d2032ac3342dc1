//go:build !linux

package vfs

import "golang.org/x/sys/unix"

const lockCommand = unix.F_SETLK

func syncData(fd int) error { return unix.Fsync(fd) }
