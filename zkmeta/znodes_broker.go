package zkmeta

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Endpoint is one advertised listener.
type Endpoint struct {
	Listener, Protocol, Host string
	Port                     int32
}

// String is LISTENER://host:port, an IPv6 host in brackets.
func (e Endpoint) String() string {
	return e.Listener + "://" + net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}

// Broker is /brokers/ids/<id>.
type Broker struct {
	ID        int32
	Epoch     int64 // czxid; filled by reads
	Endpoints []Endpoint
	Rack      *string
}

// brokerZNode is /brokers/ids/<id>, written as version 5 (KIP-584), read from version 1 on.
type brokerZNode struct {
	ID          int32 // in the path only
	Endpoints   []Endpoint
	Rack        *string
	JMXPort     int32
	TimestampMs int64
	Features    map[string]map[string]int32 // what a peer said of itself; ours is empty
}

func newBrokerZNode(b Broker) brokerZNode {
	return brokerZNode{ID: b.ID, Endpoints: b.Endpoints, Rack: b.Rack, JMXPort: -1, TimestampMs: time.Now().UnixMilli()}
}

func (z brokerZNode) path() string { return brokerPath(z.ID) }

func brokerPath(id int32) string { return brokerIDsPath + "/" + strconv.Itoa(int(id)) }

func (z brokerZNode) encode() []byte {
	raw := struct {
		Version   int                         `json:"version"`
		Host      *string                     `json:"host"`
		Port      int32                       `json:"port"`
		JMXPort   int32                       `json:"jmx_port"`
		Timestamp string                      `json:"timestamp"`
		Endpoints []string                    `json:"endpoints"`
		Protocols map[string]string           `json:"listener_security_protocol_map"`
		Rack      *string                     `json:"rack,omitempty"`
		Features  map[string]map[string]int32 `json:"features"`
	}{
		Version: 5, Port: -1, JMXPort: z.JMXPort, Timestamp: strconv.FormatInt(z.TimestampMs, 10),
		Endpoints: []string{}, Protocols: map[string]string{}, Rack: z.Rack, Features: z.Features,
	}
	if raw.Features == nil {
		raw.Features = map[string]map[string]int32{}
	}
	for _, e := range z.Endpoints {
		raw.Endpoints = append(raw.Endpoints, e.String())
		raw.Protocols[e.Listener] = e.Protocol
	}
	// Clients that know version 1 only speak plaintext.
	if at := slices.IndexFunc(z.Endpoints, func(e Endpoint) bool { return e.Protocol == "PLAINTEXT" }); at >= 0 {
		raw.Host, raw.Port = &z.Endpoints[at].Host, z.Endpoints[at].Port
	}
	return encodeJSON(raw)
}

func decodeBroker(data []byte) (brokerZNode, error) {
	const what = "broker registration"
	var raw struct {
		Version   *int32                      `json:"version"`
		Host      *string                     `json:"host"`
		Port      *int32                      `json:"port"`
		JMXPort   *int32                      `json:"jmx_port"`
		Timestamp any                         `json:"timestamp"` // not interpreted
		Endpoints []string                    `json:"endpoints"`
		Protocols map[string]string           `json:"listener_security_protocol_map"`
		Rack      *string                     `json:"rack"`
		Features  map[string]map[string]int32 `json:"features"`
	}
	if err := decodeJSON(what, data, &raw); err != nil {
		return brokerZNode{}, err
	}
	version, err := need(what, "version", raw.Version)
	if err != nil {
		return brokerZNode{}, err
	}
	z := brokerZNode{Rack: raw.Rack, JMXPort: -1, Features: raw.Features}
	if raw.JMXPort != nil {
		z.JMXPort = *raw.JMXPort
	}
	if text, ok := raw.Timestamp.(string); ok {
		z.TimestampMs, _ = strconv.ParseInt(text, 10, 64)
	}
	switch {
	case version < 1:
		return brokerZNode{}, fmt.Errorf("decode %s: version %d is not supported", what, version)
	case version == 1:
		if raw.Host == nil || raw.Port == nil {
			return brokerZNode{}, fmt.Errorf("decode %s of version 1: host or port is missing", what)
		}
		z.Endpoints = []Endpoint{{"PLAINTEXT", "PLAINTEXT", *raw.Host, *raw.Port}}
		return z, nil
	case raw.Endpoints == nil:
		return brokerZNode{}, fmt.Errorf("decode %s: key \"endpoints\" is missing", what)
	}
	for _, text := range raw.Endpoints {
		e, err := parseEndpoint(text)
		if err != nil {
			return brokerZNode{}, fmt.Errorf("decode %s: %w", what, err)
		}
		// Before version 4 a listener had the name of its protocol.
		e.Protocol = e.Listener
		if raw.Protocols != nil {
			if e.Protocol = raw.Protocols[e.Listener]; e.Protocol == "" {
				return brokerZNode{}, fmt.Errorf("decode %s: no security protocol for listener %q", what, e.Listener)
			}
		}
		z.Endpoints = append(z.Endpoints, e)
	}
	return z, nil
}

// parseEndpoint reads LISTENER://host:port.
func parseEndpoint(text string) (Endpoint, error) {
	listener, address, ok := strings.Cut(text, "://")
	host, port, err := net.SplitHostPort(address)
	if !ok || listener == "" || err != nil {
		return Endpoint{}, fmt.Errorf("endpoint %q is not LISTENER://host:port", text)
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil || number < -1 || number > 65535 {
		return Endpoint{}, fmt.Errorf("endpoint %q has no valid port", text)
	}
	return Endpoint{Listener: listener, Host: host, Port: int32(number)}, nil
}

// broker is the exported form of what was read.
func (z brokerZNode) broker(id int32, epoch int64) Broker {
	return Broker{ID: id, Epoch: epoch, Endpoints: z.Endpoints, Rack: z.Rack}
}
