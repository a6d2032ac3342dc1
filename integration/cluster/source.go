package cluster

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ownerOf returns which of some processes (names by process id) has opened a connection that was accepted here, or "". The
// kernel knows: the connection's other end is a line of /proc/net/tcp, with the inode that is among the process's files.
func ownerOf(accepted net.Conn, names map[int]string) string {
	remote, ok := accepted.RemoteAddr().(*net.TCPAddr)
	local, ok2 := accepted.LocalAddr().(*net.TCPAddr)
	if !ok || !ok2 {
		return ""
	}
	inode := inodeOf(remote.Port, local.Port)
	if inode == "" {
		return ""
	}
	want := "socket:[" + inode + "]"
	for pid, name := range names {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil {
			continue
		}
		for _, file := range files {
			if target, err := os.Readlink(file); err == nil && target == want { // a file may be closed meanwhile
				return name
			}
		}
	}
	return ""
}

// inodeOf finds the socket with a local and a remote port. A JVM's sockets are those of IPv6.
func inodeOf(localPort, remotePort int) string {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue // a kernel without IPv6
		}
		inode := scanSockets(f, localPort, remotePort)
		f.Close()
		if inode != "" {
			return inode
		}
	}
	return ""
}

func scanSockets(f *os.File, localPort, remotePort int) string {
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
		fields := strings.Fields(lines.Text())
		if len(fields) >= 10 && portOf(fields[1]) == localPort && portOf(fields[2]) == remotePort && fields[9] != "0" {
			return fields[9]
		}
	}
	return ""
}

// portOf reads the port of address:port in hexadecimal.
func portOf(address string) int {
	_, port, _ := strings.Cut(address, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return -1
	}
	return int(n)
}
