package story

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// Kcat is the command of kcat as a worker, with properties of librdkafka on top.
func Kcat(properties ...string) func(s Seat) *exec.Cmd {
	return func(s Seat) *exec.Cmd {
		args := []string{"-b", s.Address, "-u", "-E", "-f", `record %p %o %s\n`}
		for _, p := range append([]string{
			"session.timeout.ms=3000", "heartbeat.interval.ms=300", "auto.commit.interval.ms=100", "enable.partition.eof=false",
			"auto.offset.reset=earliest", "client.id=" + s.Name,
		}, properties...) {
			args = append(args, "-X", p)
		}
		return exec.Command("kcat", append(args, "-G", s.Group, s.Topic)...)
	}
}

var kcatPartition = regexp.MustCompile(`\[(\d+)\]`)

// KcatPartitions are the partitions of one topic in a list as kcat prints it.
func KcatPartitions(list string) []int32 {
	var partitions []int32
	for _, m := range kcatPartition.FindAllStringSubmatch(list, -1) {
		partition, err := strconv.ParseInt(m[1], 10, 32)
		if err != nil {
			continue // no partition has such a number
		}
		partitions = append(partitions, int32(partition))
	}
	return partitions
}

// ReadKcat reads what kcat prints in the format of Kcat, and its lines about rebalances of an eager group.
func ReadKcat(line string) ([]Event, error) {
	if rest, ok := strings.CutPrefix(line, "record "); ok {
		fields := strings.SplitN(rest, " ", 3)
		partition, err := strconv.ParseInt(fields[0], 10, 32)
		if err != nil {
			return nil, err
		}
		offset, err := strconv.ParseInt(fields[1], 10, 64)
		return []Event{{Event: "record", Partition: int32(partition), Offset: offset, Value: fields[2]}}, err
	}
	if !strings.Contains(line, "rebalanced") {
		return nil, nil
	}
	owns := Event{Event: "owns", Generation: -1}
	if _, assigned, ok := strings.Cut(line, "assigned: "); ok {
		owns.Partitions = KcatPartitions(assigned)
	}
	return []Event{owns}, nil
}
