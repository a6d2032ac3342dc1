package classic

import (
	"bytes"
	"cmp"
	"slices"
)

// Description is what DescribeGroups tells.
type Description struct {
	State        State
	ProtocolType string
	Protocol     string // "" unless Stable
	Members      []Member
}

// Member is a member as it is shown to operators.
type Member struct {
	ID         string
	InstanceID *string
	Client
	Metadata   []byte // of the chosen protocol; empty unless Stable
	Assignment []byte // empty unless Stable
}

// Describe copies what is asked for; members by id.
func (g *Group) Describe() Description {
	d := Description{State: g.state, ProtocolType: g.ProtocolType(), Members: make([]Member, 0, len(g.members))}
	if g.state == Stable {
		d.Protocol = text(g.protocol)
	}
	for m := range g.all() {
		v := m.view(d.Protocol)
		if g.state != Stable {
			v.Metadata, v.Assignment = nil, nil
		}
		d.Members = append(d.Members, v)
	}
	slices.SortFunc(d.Members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return d
}

func (m *member) view(protocol string) Member {
	return Member{
		ID:         m.id,
		InstanceID: m.instanceID,
		Client:     m.client,
		Metadata:   bytes.Clone(m.metadata(protocol)),
		Assignment: bytes.Clone(m.assignment),
	}
}
