package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sys/unix"

	"github.com/kbroker/kbroker/protocol/record"
)

// floorServer is the least that a server can do to look like a broker of one replica: it reads
// the frames, takes the CRC-32C of each batch, numbers it and writes it to a file, and it answers
// fetches with sendfile. No checks, no indexes, no recovery.
type floorServer struct {
	host string
	port int32
	dir  string

	mu         sync.Mutex
	partitions map[string]int32 // by topic
	logs       map[floorKey]*floorLog
}

type floorKey struct {
	topic     string
	partition int32
}

// floorLog is one file with the position of every batch.
type floorLog struct {
	mu      sync.Mutex
	file    *os.File
	size    int64
	offset  int64
	batches []floorBatch
}

type floorBatch struct{ offset, position int64 }

func serveFloor(address, dir string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	s := &floorServer{host: host, port: int32(n), dir: dir, partitions: map[string]int32{}, logs: map[floorKey]*floorLog{}}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			if err := s.serve(c.(*net.TCPConn)); err != nil && err != io.EOF {
				fmt.Fprintln(os.Stderr, "floor:", err)
			}
		}()
	}
}

// serve answers one connection's requests in order.
func (s *floorServer) serve(c *net.TCPConn) error {
	defer c.Close()
	r := bufio.NewReaderSize(c, 64<<10)
	var frame []byte
	for {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		size := int(binary.BigEndian.Uint32(head[:]))
		if cap(frame) < size {
			frame = make([]byte, size)
		}
		frame = frame[:size]
		if _, err := io.ReadFull(r, frame); err != nil {
			return err
		}
		if err := s.answer(c, frame); err != nil {
			return err
		}
	}
}

func (s *floorServer) answer(c *net.TCPConn, frame []byte) error {
	key, version := int16(binary.BigEndian.Uint16(frame)), int16(binary.BigEndian.Uint16(frame[2:]))
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	body := frame[8:]
	body = body[2+int(int16(binary.BigEndian.Uint16(body))):]
	if req.IsFlexible() {
		body = body[1:]
	}
	if err := req.ReadFrom(body); err != nil {
		return err
	}
	var files []floorRange
	response := req.ResponseKind()
	switch r := req.(type) {
	case *kmsg.ApiVersionsRequest:
		s.versions(response.(*kmsg.ApiVersionsResponse))
	case *kmsg.MetadataRequest:
		s.metadata(r, response.(*kmsg.MetadataResponse))
	case *kmsg.ProduceRequest:
		if err := s.produce(r, response.(*kmsg.ProduceResponse)); err != nil {
			return err
		}
	case *kmsg.CreateTopicsRequest:
		s.create(r, response.(*kmsg.CreateTopicsResponse))
	case *kmsg.DeleteTopicsRequest:
		s.remove(r, response.(*kmsg.DeleteTopicsResponse))
	case *kmsg.ListOffsetsRequest:
		s.listOffsets(r, response.(*kmsg.ListOffsetsResponse))
	case *kmsg.FetchRequest:
		var err error
		if files, err = s.fetch(r, response.(*kmsg.FetchResponse)); err != nil {
			return err
		}
	default:
		return fmt.Errorf("the floor knows no API %d", key)
	}
	out := make([]byte, 4, 256)
	out = append(out, frame[4:8]...)
	if response.IsFlexible() && key != 18 {
		out = append(out, 0)
	}
	return send(c, response.AppendTo(out), files)
}

// floorRange is a piece of a file that stands for the records of an answer.
type floorRange struct {
	file           *os.File
	position, size int64
}

// placeholder marks in an encoded fetch answer where a range belongs.
var placeholder = []byte("records-come-here")

// send writes size, bytes and ranges; every range replaces one placeholder, whose
// length, one byte, is widened.
func send(c *net.TCPConn, out []byte, files []floorRange) error {
	if len(files) == 0 {
		binary.BigEndian.PutUint32(out, uint32(len(out)-4))
		_, err := c.Write(out)
		return err
	}
	f := files[0] // the floor answers one partition at a time
	at := lastIndex(out, placeholder)
	tail := append([]byte(nil), out[at+len(placeholder):]...)
	out = binary.AppendUvarint(out[:at-1], uint64(f.size)+1)
	binary.BigEndian.PutUint32(out, uint32(int64(len(out)-4+len(tail))+f.size))
	if _, err := c.Write(out); err != nil {
		return err
	}
	if err := sendFile(c, f); err != nil {
		return err
	}
	_, err := c.Write(tail)
	return err
}

func lastIndex(b, sep []byte) int {
	for i := len(b) - len(sep); i >= 0; i-- {
		if string(b[i:i+len(sep)]) == string(sep) {
			return i
		}
	}
	return -1
}

func sendFile(c *net.TCPConn, f floorRange) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	position, left := f.position, f.size
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for left > 0 {
			n, err := unix.Sendfile(int(fd), int(f.file.Fd()), &position, int(left))
			left -= int64(max(n, 0))
			if err == unix.EAGAIN {
				return false
			}
			if failed = err; err != nil {
				return true
			}
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return err
}

func (s *floorServer) log(topic string, partition int32) (*floorLog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := floorKey{topic, partition}
	l := s.logs[key]
	if l == nil {
		f, err := os.Create(filepath.Join(s.dir, fmt.Sprintf("floor-%s-%d", topic, partition)))
		if err != nil {
			return nil, err
		}
		l = &floorLog{file: f}
		s.logs[floorKey{strings.Clone(topic), partition}] = l
	}
	return l, nil
}

func (s *floorServer) create(req *kmsg.CreateTopicsRequest, r *kmsg.CreateTopicsResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range req.Topics {
		s.partitions[t.Topic] = t.NumPartitions
		rt := kmsg.NewCreateTopicsResponseTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = t.Topic, t.NumPartitions, 1
		r.Topics = append(r.Topics, rt)
	}
}

// remove deletes topics with their files.
func (s *floorServer) remove(req *kmsg.DeleteTopicsRequest, r *kmsg.DeleteTopicsResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, topic := range req.TopicNames {
		for key, l := range s.logs {
			if key.topic == topic {
				_ = os.Remove(l.file.Name()) // the folder goes at the end in any case
				_ = l.file.Close()
				delete(s.logs, key)
			}
		}
		delete(s.partitions, topic)
		rt := kmsg.NewDeleteTopicsResponseTopic()
		rt.Topic = &topic
		r.Topics = append(r.Topics, rt)
	}
}

func (s *floorServer) versions(r *kmsg.ApiVersionsResponse) {
	for key, most := range map[int16]int16{0: 9, 1: 12, 2: 6, 3: 9, 18: 3, 19: 5, 20: 5} {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = key, most, most
		if key == 18 {
			k.MinVersion = 0
		}
		r.ApiKeys = append(r.ApiKeys, k)
	}
}

func (s *floorServer) metadata(req *kmsg.MetadataRequest, r *kmsg.MetadataResponse) {
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID, b.Host, b.Port = 1, s.host, s.port
	r.Brokers, r.ControllerID = append(r.Brokers, b), 1
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, asked := range req.Topics {
		t := kmsg.NewMetadataResponseTopic()
		t.Topic = asked.Topic
		for p := range s.partitions[*asked.Topic] {
			mp := kmsg.NewMetadataResponseTopicPartition()
			mp.Partition, mp.Leader, mp.Replicas, mp.ISR = p, 1, []int32{1}, []int32{1}
			t.Partitions = append(t.Partitions, mp)
		}
		r.Topics = append(r.Topics, t)
	}
}

func (s *floorServer) produce(req *kmsg.ProduceRequest, r *kmsg.ProduceResponse) error {
	for _, t := range req.Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			batch, _, err := record.Parse(p.Records)
			if err != nil {
				return err
			}
			if !batch.ValidCRC() {
				return record.ErrCorrupt
			}
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition = p.Partition
			l, err := s.log(t.Topic, p.Partition)
			if err != nil {
				return err
			}
			if rp.BaseOffset, err = l.append(batch); err != nil {
				return err
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		r.Topics = append(r.Topics, rt)
	}
	return nil
}

func (l *floorLog) append(b record.Batch) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	base := l.offset
	b.SetBaseOffset(base)
	if _, err := l.file.WriteAt(b, l.size); err != nil {
		return 0, err
	}
	l.batches = append(l.batches, floorBatch{base, l.size})
	l.size += int64(len(b))
	l.offset = b.NextOffset()
	return base, nil
}

func (s *floorServer) listOffsets(req *kmsg.ListOffsetsRequest, r *kmsg.ListOffsetsResponse) {
	for _, t := range req.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewListOffsetsResponseTopicPartition()
			rp.Partition, rp.Offset, rp.Timestamp = p.Partition, 0, -1
			rt.Partitions = append(rt.Partitions, rp)
		}
		r.Topics = append(r.Topics, rt)
	}
}

// fetch answers the first partition that has records, with all up to its limit.
func (s *floorServer) fetch(req *kmsg.FetchRequest, r *kmsg.FetchResponse) ([]floorRange, error) {
	var files []floorRange
	for _, t := range req.Topics {
		rt := kmsg.NewFetchResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewFetchResponseTopicPartition()
			l, err := s.log(t.Topic, p.Partition)
			if err != nil {
				return nil, err
			}
			f, end := l.read(p.FetchOffset, int64(p.PartitionMaxBytes))
			rp.Partition, rp.HighWatermark, rp.LastStableOffset, rp.RecordBatches = p.Partition, end, end, []byte{}
			if f.size > 0 && len(files) == 0 {
				rp.RecordBatches = placeholder
				files = append(files, f)
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		r.Topics = append(r.Topics, rt)
	}
	return files, nil
}

func (l *floorLog) read(offset, most int64) (floorRange, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	low, high := 0, len(l.batches)
	for low < high {
		if mid := (low + high) / 2; l.batches[mid].offset < offset {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == len(l.batches) {
		return floorRange{}, l.offset
	}
	from := l.batches[low].position
	return floorRange{file: l.file, position: from, size: min(most, l.size-from)}, l.offset
}
