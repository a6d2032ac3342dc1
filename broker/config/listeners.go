package config

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// endpointForm is NAME://host:port (SocketServerConfigs.java). An IPv6 host is in brackets.
var endpointForm = regexp.MustCompile(`^(.*)://\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$`)

// hostForm is what Kafka takes for a host or address.
var hostForm = regexp.MustCompile(`^[0-9a-zA-Z\-%._:]*$`)

// listenerName is the form in which listener names are compared (ListenerName.normalised).
func listenerName(name string) string { return strings.ToUpper(name) }

func knownProtocol(name string) bool {
	return slices.Contains([]string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}, name)
}

// csvList cuts at commas and drops empty items (Csv.parseCsvList).
func csvList(s string) []string {
	return slices.DeleteFunc(splitList(trim(s)), func(item string) bool { return item == "" })
}

// csvMap reads comma-separated key:value pairs, cut at the last colon (Csv.parseCsvMap).
func csvMap(name, s string) (map[string]string, *Invalid) {
	m := make(map[string]string)
	for _, pair := range splitList(s) {
		i := strings.LastIndex(pair, ":")
		if i < 0 {
			return nil, &Invalid{
				Key: name, Value: s,
				Message: fmt.Sprintf("Error parsing configuration property '%s': %q is not of the form key:value", name, pair),
			}
		}
		m[trim(pair[:i])] = trim(pair[i+1:])
	}
	return m, nil
}

// parseOverrides reads max.connections.per.ip.overrides.
func parseOverrides(s string) (map[string]int32, *Invalid) {
	const name = "max.connections.per.ip.overrides"
	pairs, bad := csvMap(name, s)
	if bad != nil {
		return nil, bad
	}
	counts := make(map[string]int32, len(pairs))
	for _, address := range sortedKeys(pairs) {
		n, err := strconv.ParseInt(pairs[address], 10, 32)
		if err != nil {
			return nil, &Invalid{
				Key: name, Value: s,
				Message: fmt.Sprintf("Invalid value %s for configuration %s: %q is not a number of connections", s, name, pairs[address]),
			}
		}
		if !hostForm.MatchString(address) {
			return nil, &Invalid{Key: name, Value: s, Message: name + " contains invalid addresses : " + address}
		}
		counts[address] = int32(n)
	}
	return counts, nil
}

// protocolMap reads listener.security.protocol.map.
func protocolMap(s string) (map[string]string, *Invalid) {
	const name = "listener.security.protocol.map"
	pairs, bad := csvMap(name, s)
	if bad != nil {
		return nil, bad
	}
	protocols := make(map[string]string, len(pairs))
	for _, listener := range sortedKeys(pairs) {
		protocol := strings.ToUpper(pairs[listener])
		if !knownProtocol(protocol) {
			return nil, &Invalid{
				Key: name, Value: s,
				Message: fmt.Sprintf("Invalid security protocol `%s` defined in %s", pairs[listener], name),
			}
		}
		protocols[listenerName(listener)] = protocol
	}
	return protocols, nil
}

// parseEndpoints reads listeners or advertised.listeners (CoreUtils.listenerListToEndPoints).
func parseEndpoints(name, s string, protocols map[string]string) ([]Endpoint, *Invalid) {
	wrong := func(format string, args ...any) *Invalid {
		problem := fmt.Sprintf(format, args...)
		return &Invalid{Key: name, Value: s, Message: fmt.Sprintf("Error creating broker listeners from '%s': %s", s, problem)}
	}
	var endpoints []Endpoint
	for _, entry := range csvList(s) {
		parts := endpointForm.FindStringSubmatch(entry)
		if parts == nil {
			return nil, wrong("Unable to parse %s to a broker endpoint", entry)
		}
		port, err := strconv.ParseInt(parts[3], 10, 32)
		if err != nil || port < 0 || port > 65535 {
			return nil, wrong("port %s is not between 0 and 65535", parts[3])
		}
		listener := listenerName(parts[1])
		protocol, ok := protocols[listener]
		if !ok {
			return nil, wrong("No security protocol defined for listener %s", listener)
		}
		for _, e := range endpoints {
			if e.Listener == listener {
				return nil, &Invalid{
					Key: name, Value: s, required: true,
					Message: "Each listener must have a different name, listeners: " + s,
				}
			}
		}
		endpoints = append(endpoints, Endpoint{Listener: listener, Protocol: protocol, Host: parts[2], Port: int32(port)})
	}
	return endpoints, nil
}

// checkPorts refuses two listeners on one port, unless one is bound to an IPv4 and the other
// to an IPv6 address. Port 0 is always free.
func checkPorts(s string, endpoints []Endpoint) *Invalid {
	byPort := make(map[int32][]Endpoint)
	for _, e := range endpoints {
		if e.Port != 0 {
			byPort[e.Port] = append(byPort[e.Port], e)
		}
	}
	for _, port := range slices.Sorted(maps.Keys(byPort)) {
		shared := byPort[port]
		if len(shared) == 1 || len(shared) == 2 && oneOfEachFamily(shared[0].Host, shared[1].Host) {
			continue
		}
		return &Invalid{
			Key: "listeners", Value: s, required: true,
			Message: "Each listener must have a different port, listeners: " + s,
		}
	}
	return nil
}

func oneOfEachFamily(a, b string) bool {
	first, err := netip.ParseAddr(a)
	if err != nil {
		return false
	}
	second, err := netip.ParseAddr(b)
	return err == nil && first.Is4() != second.Is4()
}

// readListeners reads the listeners and picks those between brokers. The rules that tie
// them together are in rules.go.
func (b *Broker) readListeners(vs values, effective map[string]string) []*Invalid {
	protocols, bad := protocolMap(vs.text("listener.security.protocol.map"))
	if bad != nil {
		return []*Invalid{bad}
	}
	if b.Listeners, bad = parseEndpoints("listeners", vs.text("listeners"), protocols); bad != nil {
		return []*Invalid{bad}
	}
	if bad = checkPorts(vs.text("listeners"), b.Listeners); bad != nil {
		return []*Invalid{bad}
	}
	b.Advertised = b.Listeners
	if advertised := vs.get("advertised.listeners"); advertised.set {
		if b.Advertised, bad = parseEndpoints("advertised.listeners", advertised.text, protocols); bad != nil {
			return []*Invalid{bad}
		}
	}
	var broken []*Invalid
	if bad = b.readInterBroker(vs, effective, protocols); bad != nil {
		broken = append(broken, bad)
	}
	if name := vs.get("control.plane.listener.name"); name.set {
		b.ControlPlaneListener = listenerName(name.text)
		if protocols[b.ControlPlaneListener] == "" {
			broken = append(broken, &Invalid{
				Key: "control.plane.listener.name", Value: name.text,
				Message: fmt.Sprintf("Listener with %s defined in control.plane.listener.name not found in listener.security.protocol.map.",
					b.ControlPlaneListener),
			})
		}
	}
	return broken
}

func (b *Broker) readInterBroker(vs values, effective, protocols map[string]string) *Invalid {
	const byName, byProtocol = "inter.broker.listener.name", "security.inter.broker.protocol"
	name := vs.get(byName)
	if !name.set {
		b.InterBrokerListener = vs.text(byProtocol)
		return nil
	}
	b.InterBrokerListener = listenerName(name.text)
	if _, both := effective[byProtocol]; both {
		return &Invalid{
			Key: byName, Value: name.text,
			Message: fmt.Sprintf("Only one of %s and %s should be set.", byName, byProtocol),
		}
	}
	if protocols[b.InterBrokerListener] == "" {
		return &Invalid{
			Key: byName, Value: name.text,
			Message: fmt.Sprintf("Listener with name %s defined in %s not found in listener.security.protocol.map.", b.InterBrokerListener, byName),
		}
	}
	return nil
}
