package zkmeta

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Entity names a config znode: Type is topics, brokers, clients, users, ips or groups; the default entity's Name is
// "<default>"; a client under a user has the Name "<user>/clients/<client>", sanitised. Groups, whose names are sanitised
// too, are an addition of kbroker's: Apache Kafka has them only without ZooKeeper. Its brokers log an error at the
// notification of such a change, and go on with the next one (ZkNodeChangeNotificationListener.processNotification).
type Entity struct{ Type, Name string }

// DefaultEntity is the name of the entity whose config holds for those that have none of their own.
const DefaultEntity = "<default>"

const configChangePrefix = "config_change_"

func (e Entity) path() string { return configPath + "/" + e.Type + "/" + e.Name }

// Sanitize makes a user, client id or group fit for a path (Sanitizer.java: URL encoding as Java does it, with * and
// spaces escaped too). DefaultEntity as a name is not to be sanitised.
func Sanitize(name string) string {
	var out strings.Builder
	for i := 0; i < len(name); i++ {
		switch b := name[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '.', b == '-', b == '_':
			out.WriteByte(b)
		default:
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String()
}

// Desanitize is the inverse of Sanitize.
func Desanitize(name string) (string, error) { return url.QueryUnescape(name) }

// configZNode is /config/<type>/<name>.
type configZNode map[string]string

func (z configZNode) encode() []byte {
	config := map[string]string(z)
	if config == nil {
		config = map[string]string{}
	}
	return encodeJSON(struct {
		Version int               `json:"version"`
		Config  map[string]string `json:"config"`
	}{1, config})
}

// decodeConfig takes a znode without data or without the key as an empty config, as Kafka does.
func decodeConfig(data []byte) (configZNode, error) {
	var raw struct {
		Config map[string]string `json:"config"`
	}
	if len(data) > 0 {
		if err := decodeJSON("config", data, &raw); err != nil {
			return nil, err
		}
	}
	if raw.Config == nil {
		raw.Config = map[string]string{}
	}
	return raw.Config, nil
}

// configChangeZNode is /config/changes/config_change_<n>, written as version 2.
type configChangeZNode Entity

func (configChangeZNode) path() string { return configChangesPath + "/" + configChangePrefix }

func (z configChangeZNode) encode() []byte {
	return encodeJSON(struct {
		Version    int    `json:"version"`
		EntityPath string `json:"entity_path"`
	}{2, z.Type + "/" + z.Name})
}

func decodeConfigChange(data []byte) (configChangeZNode, error) {
	const what = "config change"
	var raw struct {
		Version    *int32 `json:"version"`
		EntityPath string `json:"entity_path"`
		EntityType string `json:"entity_type"` // version 1
		EntityName string `json:"entity_name"`
	}
	if err := decodeJSON(what, data, &raw); err != nil {
		return configChangeZNode{}, err
	}
	version, err := need(what, "version", raw.Version)
	if err != nil {
		return configChangeZNode{}, err
	}
	var z configChangeZNode
	switch version {
	case 1:
		z = configChangeZNode{raw.EntityType, raw.EntityName}
		if z.Type != "topics" && z.Type != "clients" || z.Name == "" {
			return configChangeZNode{}, errors.New("decode config change of version 1: no topic or client is named")
		}
	case 2:
		z.Type, z.Name, _ = strings.Cut(raw.EntityPath, "/")
		if !knownEntityType(z.Type) || z.Name == "" {
			return configChangeZNode{}, fmt.Errorf("decode config change: entity_path %q names no entity", raw.EntityPath)
		}
	default:
		return configChangeZNode{}, fmt.Errorf("decode config change: version %d is unknown", version)
	}
	return z, nil
}

func knownEntityType(t string) bool {
	switch t {
	case "topics", "brokers", "clients", "users", "ips", "groups":
		return true
	}
	return false
}
