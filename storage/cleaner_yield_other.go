//go:build !linux

package storage

// yieldCore leaves it at what Go's scheduler does.
func yieldCore() {}
