package consumer

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/coordinator/journal"
)

// sayRecords tells records in readable form, one a line.
func (w *world) sayRecords(records []journal.Record) {
	if w.cheap {
		return
	}
	for _, r := range records {
		key, err := journal.ParseKey(r.Key)
		if err != nil {
			w.t.Fatal(err)
		}
		if k, ok := key.(*kmsg.GroupMetadataKey); ok {
			w.sayClassic(k, r.Value)
			continue
		}
		value, err := journal.ParseConsumer(key.(journal.ConsumerKey), r.Value)
		if err != nil {
			w.t.Fatal(err)
		}
		w.sayf("  + %s", w.show(decode(key.(journal.ConsumerKey), value)))
	}
}

func (w *world) sayClassic(k *kmsg.GroupMetadataKey, value []byte) {
	if value == nil {
		w.sayf("  + classic group gone")
		return
	}
	v, err := journal.ParseGroup(value)
	if err != nil {
		w.t.Fatal(err)
	}
	w.sayf("  + classic group %s generation %d %s/%s leader %s, %d members", k.Group, v.Generation, v.ProtocolType, text(v.Protocol), text(v.Leader), len(v.Members))
}

func (w *world) show(c change) string {
	switch c := c.(type) {
	case epochSet:
		return fmt.Sprintf("epoch %d", c.epoch)
	case epochGone:
		return "epoch gone"
	case memberSet:
		return "member " + showMember(c.m)
	case memberGone:
		return "member " + c.id + " gone"
	case targetEpochSet:
		return fmt.Sprintf("target epoch %d", c.epoch)
	case targetEpochGone:
		return "target epoch gone"
	case targetSet:
		return "target " + c.id + ": " + w.named(c.partitions)
	case targetGone:
		return "target " + c.id + " gone"
	case currentSet:
		m := c.m
		s := fmt.Sprintf("current %s: epoch %d after %d, %v, %s", m.id, m.epoch, m.previousEpoch, m.state, w.named(m.assigned.partitions()))
		if len(m.revoking) > 0 {
			s += ", revoking " + w.named(m.revoking.partitions())
		}
		return s
	case currentGone:
		return "current " + c.id + " gone"
	case regexSet:
		return fmt.Sprintf("regex %s: %s", c.regex, strings.Join(c.resolution.topics, " "))
	case regexGone:
		return "regex " + c.regex + " gone"
	case partitionMetadataGone:
		return "partition metadata gone"
	default:
		return fmt.Sprintf("%T", c)
	}
}

func showMember(m *member) string {
	s := m.id + ":"
	if m.instance != nil {
		s += " instance " + *m.instance
	}
	if m.rack != nil {
		s += " rack " + *m.rack
	}
	s += " topics " + strings.Join(m.sub.topics, ",")
	if m.sub.regex != "" {
		s += " regex " + m.sub.regex
	}
	if m.assignor != "" {
		s += " assignor " + m.assignor
	}
	if m.classic != nil {
		var names []string
		for _, p := range m.classic.protocols {
			names = append(names, p.Name)
		}
		s += fmt.Sprintf(" classic %s session %v", strings.Join(names, ","), m.classic.sessionTimeout)
	}
	return s
}
