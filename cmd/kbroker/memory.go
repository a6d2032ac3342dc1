package main

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// boundMemory returns the bytes that this process may use: GOMEMLIMIT where that is set, or else what the machine and the
// control groups around the process allow, and then the garbage collector is told to stay below nine tenths of it. It returns 0
// where nothing can be found out.
func boundMemory(root string) int64 {
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	allowed := allowedMemory(root)
	if allowed > 0 {
		debug.SetMemoryLimit(allowed - allowed/10)
	}
	return allowed
}

// allowedMemory reads what Linux allows below root, "/" but for tests: the least of the machine's memory and the limits of
// the control groups, of version 2 or 1, from that of the process up. Within a container only the outermost of them can be seen.
func allowedMemory(root string) int64 {
	least := int64(0)
	take := func(n int64) {
		if n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	info, _ := os.ReadFile(filepath.Join(root, "proc/meminfo")) // absent outside Linux
	_, total, _ := strings.Cut(string(info), "MemTotal:")
	if fields := strings.Fields(total); len(fields) > 0 {
		take(number(fields[0]) << 10)
	}
	groups, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	for lines := bufio.NewScanner(bytes.NewReader(groups)); lines.Scan(); {
		// hierarchy:controllers:path
		_, rest, _ := strings.Cut(lines.Text(), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		folder, file := "sys/fs/cgroup", "memory.max"
		if controllers == "memory" {
			folder, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		} else if controllers != "" {
			continue
		}
		for path = filepath.Join("/", path); ; path = filepath.Dir(path) {
			limit, _ := os.ReadFile(filepath.Join(root, folder, path, file))
			take(number(strings.TrimSpace(string(limit)))) // "max" is none
			if path == "/" {
				break
			}
		}
	}
	return least
}

// number reads a positive number, or is 0.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
