package cluster

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ownerOf returns which of some processes (names by process id) has opened a connection that was accepted here, or "". The
// kernel knows: the connection's other end is a socket, whose inode is among the process's files.
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

// inodeOf finds the socket with a local and a remote port on 127.0.0.1.
func inodeOf(localPort, remotePort int) string {
	if inode, err := askKernel(localPort, remotePort); err == nil {
		return inode
	}
	// A kernel without sock_diag. A JVM's sockets are those of IPv6.
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

// askKernel looks one socket up through sock_diag(7), which costs the same however many there are. It returns "" when there is
// none, and an error when the kernel does not answer such questions.
func askKernel(localPort, remotePort int) (string, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	const header, request, byFamily = 16, 56, 20 // sizes of nlmsghdr and inet_diag_req_v2; SOCK_DIAG_BY_FAMILY
	q := make([]byte, header+request)
	binary.NativeEndian.PutUint32(q, uint32(len(q)))
	binary.NativeEndian.PutUint16(q[4:], byFamily)
	binary.NativeEndian.PutUint16(q[6:], unix.NLM_F_REQUEST)
	q[header], q[header+1] = unix.AF_INET, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(q[header+4:], ^uint32(0)) // any state
	id := q[header+8:]
	binary.BigEndian.PutUint16(id, uint16(localPort))
	binary.BigEndian.PutUint16(id[2:], uint16(remotePort))
	copy(id[4:], []byte{127, 0, 0, 1})
	copy(id[20:], []byte{127, 0, 0, 1})
	binary.NativeEndian.PutUint64(id[40:], ^uint64(0)) // no cookie
	if err := unix.Sendto(fd, q, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return "", err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return "", err
	}
	const inodeAt = header + 68 // in inet_diag_msg
	switch {
	case n >= header+4 && binary.NativeEndian.Uint16(answer[4:]) == unix.NLMSG_ERROR:
		if errno := unix.Errno(-int32(binary.NativeEndian.Uint32(answer[header:]))); errno != unix.ENOENT {
			return "", fmt.Errorf("sock_diag: %w", errno)
		}
		return "", nil
	case n < inodeAt+4:
		return "", fmt.Errorf("sock_diag answers with %d bytes", n)
	}
	if inode := binary.NativeEndian.Uint32(answer[inodeAt:]); inode != 0 {
		return strconv.FormatUint(uint64(inode), 10), nil
	}
	return "", nil
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
