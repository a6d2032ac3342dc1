package zkmetatest

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/kbroker/kbroker/zkmeta"
)

// golden is the tree of an Apache Kafka 3.9.2 broker: path, kind, data version, data.
//
//go:embed testdata/znodes.txt
var golden string

// Line is one znode of the golden tree.
type Line struct {
	Path, Kind string
	Version    int32
	Data       string // "null" when there is none
}

// Golden is the tree of a real Kafka.
func Golden() ([]Line, error) {
	var lines []Line
	for scanner := bufio.NewScanner(strings.NewReader(golden)); scanner.Scan(); {
		fields := strings.SplitN(scanner.Text(), "\t", 4)
		if len(fields) != 4 {
			return nil, fmt.Errorf("not a znode: %q", scanner.Text())
		}
		version, err := strconv.ParseInt(fields[2], 10, 32)
		if err != nil {
			return nil, err
		}
		lines = append(lines, Line{fields[0], fields[1], int32(version), fields[3]})
	}
	return lines, nil
}

// testTree does what Kafka did and compares what is there then.
func testTree(e *env) {
	lines, err := Golden()
	e.must(err)
	c, _ := e.client()
	e.grow(c, lines)

	want := make(map[string]Line)
	for _, line := range lines[1:] { // without the root
		want[line.Path] = line
	}
	got := make(map[string]Line)
	e.dump("", got)
	for path, w := range want {
		g, ok := got[path]
		switch {
		case !ok:
			e.Errorf("%s is missing", path)
		case g.Kind != w.Kind || g.Version != w.Version:
			e.Errorf("%s is %s with version %d, want %s with version %d", path, g.Kind, g.Version, w.Kind, w.Version)
		case !reflect.DeepEqual(normal(g.Data), normal(w.Data)):
			e.Errorf("%s holds\n%s, want\n%s", path, g.Data, w.Data)
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			e.Errorf("%s is one too many", path)
		}
	}
}

// grow brings the golden tree about through the package alone.
func (e *env) grow(c *zkmeta.Client, lines []Line) {
	e.must(c.EnsureRoots(e.ctx))
	_, err := c.ClusterID(e.ctx)
	e.must(err)
	rack := "r1"
	_, err = c.RegisterBroker(e.ctx, zkmeta.Broker{
		ID: 1, Rack: &rack,
		Endpoints: []zkmeta.Endpoint{{Listener: "PLAINTEXT", Protocol: "PLAINTEXT", Host: "127.0.0.1", Port: 29092}},
	})
	e.must(err)
	l, err := c.Elect(e.ctx, 1)
	e.must(err)
	e.must(c.EnsureFeature(e.ctx, l))
	_, err = c.AllocateProducerIDs(e.ctx, l, 1)
	e.must(err)

	for _, line := range lines {
		name, ok := strings.CutPrefix(line.Path, "/brokers/topics/")
		if ok && !strings.Contains(name, "/") {
			e.growTopic(c, l, line, name, configOf(e, lines, "/config/topics/"+name))
		}
	}
	for _, entity := range []zkmeta.Entity{{Type: "clients", Name: "slow"}, {Type: "brokers", Name: zkmeta.DefaultEntity}, {Type: "users", Name: "alice"}} {
		e.must(c.SetConfig(e.ctx, entity, configOf(e, lines, "/config/"+entity.Type+"/"+entity.Name)))
	}
}

// growTopic creates a topic as the golden line has it.
func (e *env) growTopic(c *zkmeta.Client, l zkmeta.Lease, line Line, name string, config map[string]string) {
	var raw struct {
		Partitions map[string][]int32 `json:"partitions"`
		ID         string             `json:"topic_id"`
	}
	e.must(json.Unmarshal([]byte(line.Data), &raw))
	id, err := base64.RawURLEncoding.DecodeString(raw.ID)
	e.must(err)
	a := zkmeta.TopicAssignment{Topic: name, ID: [16]byte(id), Partitions: make(map[int32][]int32)}
	for key, replicas := range raw.Partitions {
		p, err := strconv.Atoi(key)
		e.must(err)
		a.Partitions[int32(p)] = replicas
	}
	e.must(c.CreateTopic(e.ctx, &l, a, config))
	outcomes, err := c.CreatePartitionStates(e.ctx, l, firstStates(a, l))
	e.must(err)
	for _, o := range outcomes {
		e.must(o.Err)
	}
}

func configOf(e *env, lines []Line, path string) map[string]string {
	at := slices.IndexFunc(lines, func(l Line) bool { return l.Path == path })
	if at < 0 {
		e.Fatalf("no %s in the golden tree", path)
	}
	var raw struct {
		Config map[string]string `json:"config"`
	}
	e.must(json.Unmarshal([]byte(lines[at].Data), &raw))
	return raw.Config
}

// dump reads all below path.
func (e *env) dump(path string, out map[string]Line) {
	names, _, err := e.raw().Children(e.chroot + path)
	e.must(err)
	for _, name := range names {
		child := path + "/" + name
		data, stat, err := e.raw().Get(e.chroot + child)
		e.must(err)
		line := Line{child, "persistent", stat.Version, string(data)}
		if stat.EphemeralOwner != 0 {
			line.Kind = "ephemeral"
		}
		if data == nil {
			line.Data = "null"
		}
		out[child] = line
		e.dump(child, out)
	}
}

// normal is JSON without order, times and the random id of the cluster.
func normal(data string) any {
	decoder := json.NewDecoder(bytes.NewReader([]byte(data)))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return data
	}
	if object, ok := v.(map[string]any); ok {
		if text, ok := object["timestamp"].(string); ok {
			object["timestamp"] = len(text)
		}
		if text, ok := object["id"].(string); ok {
			object["id"] = len(text)
		}
	}
	return v
}
