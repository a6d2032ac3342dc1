package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cpuSeconds is the user and system time of all threads of a process so far, those that ended
// included. /proc/PID/stat has the same sum in ticks of 10 ms; the process's clock has it in nanoseconds.
func cpuSeconds(pid int) (float64, error) {
	// clock_getcpuclockid(3) of Linux: the complement of the pid above three bits, of which 2 says
	// the scheduler's sum for the whole process.
	const wholeProcess = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|wholeProcess), &t); err != nil {
		return 0, fmt.Errorf("read the CPU time of process %d: %w", pid, err)
	}
	return float64(t.Sec) + float64(t.Nsec)/1e9, nil
}

func rssNow(pid int) float64  { return statusMB(pid, "VmRSS:") }
func peakRSS(pid int) float64 { return statusMB(pid, "VmHWM:") }

func statusMB(pid int, key string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, found := strings.Cut(string(text), key)
	if !found {
		return 0
	}
	kilobytes, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64) // the kernel writes numbers
	return kilobytes / 1024
}
