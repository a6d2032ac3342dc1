package controller

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ids prints broker ids as 1,2,3.
func ids(list []int32) string {
	text := make([]string, len(list))
	for i, id := range list {
		text[i] = strconv.Itoa(int(id))
	}
	return strings.Join(text, ",")
}

// describe prints a request of the controller, one line for the request and
// one for each partition.
func describe(to int32, r kmsg.Request) string {
	var b strings.Builder
	switch r := r.(type) {
	case *kmsg.LeaderAndISRRequest:
		fmt.Fprintf(&b, "-> %d LeaderAndIsr v%d controller=%d/%d broker_epoch=%d leaders=", to, r.Version, r.ControllerID, r.ControllerEpoch, r.BrokerEpoch)
		for i, l := range r.LiveLeaders {
			if i > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, "%d@%s:%d", l.BrokerID, l.Host, l.Port)
		}
		b.WriteString("\n")
		for _, t := range r.TopicStates {
			for _, p := range t.PartitionStates {
				fmt.Fprintf(&b, "     %s-%d leader=%d epoch=%d isr=%s version=%d replicas=%s controller_epoch=%d", t.Topic, p.Partition,
					p.Leader, p.LeaderEpoch, ids(p.ISR), p.ZKVersion, ids(p.Replicas), p.ControllerEpoch)
				if len(p.AddingReplicas)+len(p.RemovingReplicas) > 0 {
					fmt.Fprintf(&b, " adding=%s removing=%s", ids(p.AddingReplicas), ids(p.RemovingReplicas))
				}
				if p.IsNew {
					b.WriteString(" new")
				}
				if p.LeaderRecoveryState != 0 {
					b.WriteString(" recovering")
				}
				b.WriteString("\n")
			}
		}
	case *kmsg.UpdateMetadataRequest:
		fmt.Fprintf(&b, "-> %d UpdateMetadata v%d controller=%d/%d broker_epoch=%d brokers=", to, r.Version, r.ControllerID, r.ControllerEpoch, r.BrokerEpoch)
		for i, l := range r.LiveBrokers {
			if i > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, "%d", l.ID)
		}
		b.WriteString("\n")
		for _, t := range r.TopicStates {
			for _, p := range t.PartitionStates {
				fmt.Fprintf(&b, "     %s-%d leader=%d epoch=%d isr=%s version=%d replicas=%s", t.Topic, p.Partition,
					p.Leader, p.LeaderEpoch, ids(p.ISR), p.ZKVersion, ids(p.Replicas))
				if len(p.OfflineReplicas) > 0 {
					fmt.Fprintf(&b, " offline=%s", ids(p.OfflineReplicas))
				}
				b.WriteString("\n")
			}
		}
	case *kmsg.StopReplicaRequest:
		fmt.Fprintf(&b, "-> %d StopReplica v%d controller=%d/%d broker_epoch=%d\n", to, r.Version, r.ControllerID, r.ControllerEpoch, r.BrokerEpoch)
		for _, t := range r.Topics {
			for _, p := range t.PartitionStates {
				fmt.Fprintf(&b, "     %s-%d epoch=%d delete=%v\n", t.Topic, p.Partition, p.LeaderEpoch, p.Delete)
			}
		}
	}
	return b.String()
}
