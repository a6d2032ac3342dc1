package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// ApiVersions (key 18), versions 0 to 4.
//
// Lists the APIs that this broker handles with their versions. It is the one API whose unknown versions are answered, so
// that a newer client can learn which to use.
//
//	v1  throttle time
//	v3  flexible encoding, always with response header v0; the client's software (KIP-511); features (KIP-584)
//	v4  features may have 0 as their lowest version (KIP-1022)
func (h *Handlers) apiVersions(_ context.Context, c *server.Call) (server.Reply, error) {
	row, _ := protocol.Lookup(protocol.KeyApiVersions)
	version := c.Header.Version
	if !row.Supports(version) {
		// v0, which every client can read, and only the range to choose from.
		r := kmsg.NewPtrApiVersionsResponse()
		r.ErrorCode = protocol.UnsupportedVersion
		r.ApiKeys = []kmsg.ApiVersionsResponseApiKey{advertise(row)}
		return server.Reply{Response: h.encode(r)}, nil
	}
	q, err := decode[kmsg.ApiVersionsRequest](c)
	if err != nil {
		return server.Reply{}, err
	}
	r := q.ResponseKind().(*kmsg.ApiVersionsResponse)
	if version >= 3 {
		if !softwareName(q.ClientSoftwareName) || !softwareName(q.ClientSoftwareVersion) {
			r.ErrorCode = protocol.InvalidRequest
			return server.Reply{Response: h.encode(r)}, nil
		}
		c.Conn.SetSoftware(q.ClientSoftwareName, q.ClientSoftwareVersion)
	}
	// No feature exists without KRaft; the epoch is the version of /feature, which thus never changes.
	r.FinalizedFeaturesEpoch = 0
	for _, a := range protocol.APIs() {
		if h.rows[a.Key] != nil {
			r.ApiKeys = append(r.ApiKeys, advertise(a))
		}
	}
	return server.Reply{Response: h.encode(r)}, nil
}

func advertise(a protocol.API) kmsg.ApiVersionsResponseApiKey {
	k := kmsg.NewApiVersionsResponseApiKey()
	k.ApiKey, k.MinVersion, k.MaxVersion = a.Key, a.Min, a.Max
	return k
}

// softwareName reports whether s is letters, digits, dashes and dots, with a
// letter or digit at both ends.
func softwareName(s string) bool {
	for i := range len(s) {
		b := s[i]
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9':
		case (b == '-' || b == '.') && i > 0 && i < len(s)-1:
		default:
			return false
		}
	}
	return s != ""
}
