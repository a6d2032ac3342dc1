package broker

import (
	"syscall"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/server"
)

// Bounds on pipelined calls of one connection. Java producers keep at most five requests in
// flight, librdkafka's default is a million; beyond these figures reading stops until answers
// have left. Large batches are bounded by bytes, small ones by count.
const (
	maxPending      = 256
	maxPendingBytes = 64 << 20
)

// limitsOf picks what the server needs of the effective configuration; memory is Options'.
func limitsOf(c *config.Broker, memory int64) server.Limits {
	return server.Limits{
		RequestMaxBytes:   c.SocketRequestMaxBytes,
		QueuedMaxBytes:    queuedMaxBytes(c.QueuedMaxRequestBytes, memory),
		MaxConnections:    c.MaxConnections,
		MaxPerIP:          c.MaxConnectionsPerIP,
		MaxPerIPOverrides: c.MaxConnectionsPerIPOverrides,
		MaxCreationRate:   c.MaxConnectionCreationRate,
		MaxIdle:           c.ConnectionsMaxIdle,
		SendBuffer:        socketBuffer(c.SocketSendBuffer),
		ReceiveBuffer:     socketBuffer(c.SocketReceiveBuffer),
		MaxPending:        maxPending,
		MaxPendingBytes:   maxPendingBytes,
	}
}

// queuedMaxBytes bounds the frames in flight also where queued.max.request.bytes does not. Kafka's default has no bound but the
// Java heap; ours is a quarter of the memory, since dead frames may take as much again until they are collected.
func queuedMaxBytes(configured, memory int64) int64 {
	if configured > 0 {
		return configured
	}
	return memory / 4
}

// socketBuffer leaves the size of a socket's buffer to the system where it is Kafka's default: the kernel adapts buffers
// of which nobody has set the size. With 100 KiB for receiving, a broker wakes up ten times for 1 MB: producing took 0.68
// to 0.75 s of CPU a GB, without it 0.62 to 0.63 (make bench, 1 MB batches).
func socketBuffer(size int32) int32 {
	const kafkaDefault = 100 << 10
	if size == kafkaDefault {
		return -1
	}
	return size
}

// maxOpenSegments gives storage half of the file descriptors that the process may open; the
// rest is for connections. Go has raised the soft limit to the hard one already.
func maxOpenSegments() int {
	const leastUseful = 64
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return leastUseful
	}
	return max(leastUseful, int(min(limit.Cur/2, 1<<20)))
}
