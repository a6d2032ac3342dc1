package zkmeta_test

import (
	"encoding/json"
	"path"
	"reflect"
	"testing"

	"github.com/kbroker/kbroker/zkmeta"
	"github.com/kbroker/kbroker/zkmeta/zkmetatest"
)

// kindOf finds a path in the table.
func kindOf(t *testing.T, name string) zkmeta.ZNode {
	t.Helper()
	for _, z := range zkmeta.ZNodes() {
		if ok, err := path.Match(z.Path, name); err != nil {
			t.Fatal(err)
		} else if ok {
			return z
		}
	}
	t.Fatalf("%s is in no line of the table", name)
	return zkmeta.ZNode{}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return reflect.DeepEqual(x, y)
}

func TestKafkasZNodesAreUnderstoodWhole(t *testing.T) {
	lines, err := zkmetatest.Golden()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		z := kindOf(t, line.Path)
		if z.Recode == nil {
			if line.Data != "null" {
				t.Errorf("%s has data, the table says none", line.Path)
			}
			continue
		}
		again, err := z.Recode([]byte(line.Data))
		if err != nil {
			t.Errorf("%s: %v", line.Path, err)
			continue
		}
		if !sameJSON(t, again, []byte(line.Data)) {
			t.Errorf("%s:\n%s becomes\n%s", line.Path, line.Data, again)
		}
		if kind := string(z.Kind); kind != line.Kind && (kind != "sequential" || line.Kind != "persistent") {
			t.Errorf("%s is %s, the table says %s", line.Path, line.Kind, z.Kind)
		}
	}
}

// otherVersion is what an older or newer broker or tool writes. want is what we would write of it, "" when it must be
// refused.
type otherVersion struct{ name, path, data, want string }

func TestOtherVersionsOfBrokersAndTopics(t *testing.T) {
	understand(t, []otherVersion{
		{
			"registration version 1", "/brokers/ids/1", `{"version":1,"host":"h","port":9092,"jmx_port":9999,"timestamp":"5"}`,
			`{"version":5,"host":"h","port":9092,"jmx_port":9999,"timestamp":"5","endpoints":["PLAINTEXT://h:9092"],"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},"features":{}}`,
		},
		{
			"registration version 2", "/brokers/ids/1", `{"version":2,"host":"h","port":1,"jmx_port":-1,"timestamp":"5","endpoints":["PLAINTEXT://h:1","SSL://[::1]:2"]}`,
			`{"version":5,"host":"h","port":1,"jmx_port":-1,"timestamp":"5","endpoints":["PLAINTEXT://h:1","SSL://[::1]:2"],"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT","SSL":"SSL"},"features":{}}`,
		},
		{
			"registration with features", "/brokers/ids/1", `{"version":5,"host":null,"port":-1,"jmx_port":7,"timestamp":"5","endpoints":["A://h:1"],"listener_security_protocol_map":{"A":"SASL_SSL"},"rack":"r","features":{"f":{"min_version":1,"max_version":3}},"new":{}}`,
			`{"version":5,"host":null,"port":-1,"jmx_port":7,"timestamp":"5","endpoints":["A://h:1"],"listener_security_protocol_map":{"A":"SASL_SSL"},"rack":"r","features":{"f":{"min_version":1,"max_version":3}}}`,
		},
		{"registration without endpoints", "/brokers/ids/1", `{"version":4,"host":"h","port":1,"jmx_port":-1}`, ""},
		{"registration without protocol", "/brokers/ids/1", `{"version":4,"endpoints":["A://h:1"],"listener_security_protocol_map":{},"jmx_port":-1}`, ""},
		{"registration with a bad port", "/brokers/ids/1", `{"version":4,"endpoints":["A://h:70000"],"jmx_port":-1}`, ""},
		{"registration of version 0", "/brokers/ids/1", `{"version":0,"endpoints":[]}`, ""},

		{"controller version 1", "/controller", `{"version":1,"brokerid":3,"timestamp":"9"}`, `{"version":2,"brokerid":3,"timestamp":"9","kraftControllerEpoch":-1}`},
		{"controller without broker", "/controller", `{"version":1}`, ""},
		{"controller epoch", "/controller_epoch", `7`, `7`},
		{"controller epoch that is none", "/controller_epoch", ``, ""},

		{"assignment version 1", "/brokers/topics/t", `{"version":1,"partitions":{"0":[1,2]}}`, `{"version":3,"partitions":{"0":[1,2]},"adding_replicas":{},"removing_replicas":{}}`},
		{
			"assignment in motion", "/brokers/topics/t", `{"version":3,"partitions":{"0":[1,2],"1":[]},"adding_replicas":{"0":[2]},"removing_replicas":{"0":[]},"topic_id":"NvwSPOp0TV6FPEFPWzZNBA"}`,
			`{"version":3,"partitions":{"0":[1,2],"1":[]},"adding_replicas":{"0":[2]},"removing_replicas":{},"topic_id":"NvwSPOp0TV6FPEFPWzZNBA"}`,
		},
		{"assignment with a bad id", "/brokers/topics/t", `{"version":3,"partitions":{},"topic_id":"x"}`, ""},
		{"assignment with a bad partition", "/brokers/topics/t", `{"version":3,"partitions":{"-1":[]}}`, ""},

		{
			"state being recovered", "/brokers/topics/t/partitions/0/state", `{"version":1,"leader":-1,"leader_epoch":2,"controller_epoch":3,"isr":[1],"leader_recovery_state":1}`,
			`{"version":1,"leader":-1,"leader_epoch":2,"controller_epoch":3,"isr":[1],"leader_recovery_state":1}`,
		},
		{"state without isr", "/brokers/topics/t/partitions/0/state", `{"version":1,"leader":-1,"leader_epoch":2,"controller_epoch":3}`, ""},
		{"state of unknown recovery", "/brokers/topics/t/partitions/0/state", `{"version":1,"leader":-1,"leader_epoch":2,"controller_epoch":3,"isr":[],"leader_recovery_state":2}`, ""},
	})
}

func TestOtherVersionsOfTheRest(t *testing.T) {
	understand(t, []otherVersion{
		{"config without data", "/config/topics/t", ``, `{"version":1,"config":{}}`},
		{"config without config", "/config/topics/t", `{"version":1}`, `{"version":1,"config":{}}`},
		{"config that is no text", "/config/topics/t", `{"version":1,"config":{"a":1}}`, ""},
		{"change version 1", "/config/changes/config_change_0000000000", `{"version":1,"entity_type":"topics","entity_name":"t"}`, `{"version":2,"entity_path":"topics/t"}`},
		{"change of a client of a user", "/config/changes/config_change_0000000000", `{"version":2,"entity_path":"users/<default>/clients/c"}`, `{"version":2,"entity_path":"users/<default>/clients/c"}`},
		{"change version 1 of a user", "/config/changes/config_change_0000000000", `{"version":1,"entity_type":"users","entity_name":"t"}`, ""},
		{"change of nothing", "/config/changes/config_change_0000000000", `{"version":2,"entity_path":"topics/"}`, ""},
		{"change of an unknown type", "/config/changes/config_change_0000000000", `{"version":2,"entity_path":"things/g"}`, ""},
		{"change version 3", "/config/changes/config_change_0000000000", `{"version":3,"entity_path":"topics/t"}`, ""},

		{"feature version 1", "/feature", `{"version":1,"status":1,"features":{"f":{"min_version_level":2,"max_version_level":2}}}`, `{"version":1,"status":1,"features":{"f":{"min_version_level":2,"max_version_level":2}}}`},
		{"feature without status", "/feature", `{"version":2,"features":{}}`, ""},
		{"feature without levels", "/feature", `{"version":2,"status":1,"features":{"f":{}}}`, ""},
		{"block that ends before it begins", "/latest_producer_id_block", `{"version":1,"broker":1,"block_start":"5","block_end":"4"}`, ""},
		{"block of numbers", "/latest_producer_id_block", `{"version":1,"broker":1,"block_start":0,"block_end":999}`, ""},
		{"cluster without id", "/cluster/id", `{"version":"1"}`, ""},
		{"reassignment", "/admin/reassign_partitions", `{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1,2],"log_dirs":["any"]}]}`, `{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1,2]}]}`},
		{"reassignment of no partition", "/admin/reassign_partitions", `{"version":1,"partitions":[{"topic":"t"}]}`, ""},
		{"preferred election", "/admin/preferred_replica_election", `{"version":1,"partitions":[{"topic":"t","partition":0}]}`, `{"version":1,"partitions":[{"topic":"t","partition":0}]}`},
		{"isr change", "/isr_change_notification/isr_change_0000000000", `{"version":1,"partitions":[]}`, `{"version":1,"partitions":[]}`},
		{"log directory event", "/log_dir_event_notification/log_dir_event_0000000000", `{"version":1,"broker":2,"event":1}`, `{"version":1,"broker":2,"event":1}`},
	})
}

func understand(t *testing.T, tests []otherVersion) {
	t.Helper()
	for _, test := range tests {
		got, err := kindOf(t, test.path).Recode([]byte(test.data))
		switch {
		case test.want == "" && err == nil:
			t.Errorf("%s: accepted as %s", test.name, got)
		case test.want != "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && !sameJSON(t, got, []byte(test.want)):
			t.Errorf("%s:\n%s, want\n%s", test.name, got, test.want)
		}
	}
}

// TestJSONIsNotEscapedForHTML: old tools search for <default> in the text.
func TestJSONIsNotEscapedForHTML(t *testing.T) {
	const change = `{"version":2,"entity_path":"users/<default>"}`
	got, err := kindOf(t, "/config/changes/config_change_0000000000").Recode([]byte(change))
	if err != nil || string(got) != change {
		t.Fatalf("%s, %v", got, err)
	}
}

func TestSanitize(t *testing.T) {
	for name, want := range map[string]string{
		"plain-Name_1.x": "plain-Name_1.x",
		"a b+c*d":        "a%20b%2Bc%2Ad",
		"CN=ü,O=x/y":     "CN%3D%C3%BC%2CO%3Dx%2Fy",
		"~":              "%7E",
	} {
		if got := zkmeta.Sanitize(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
		if back, err := zkmeta.Desanitize(want); err != nil || back != name {
			t.Errorf("%q comes back as %q, %v", name, back, err)
		}
	}
}

// FuzzZNodes: no data of a znode can bring a decoder down, and what is understood once is understood again.
func FuzzZNodes(f *testing.F) {
	lines, err := zkmetatest.Golden()
	if err != nil {
		f.Fatal(err)
	}
	for _, line := range lines {
		f.Add([]byte(line.Data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, z := range zkmeta.ZNodes() {
			if z.Recode == nil {
				continue
			}
			once, err := z.Recode(data)
			if err != nil {
				continue
			}
			twice, err := z.Recode(once)
			if err != nil {
				t.Fatalf("%s: %s becomes %s: %v", z.Path, data, once, err)
			}
			if string(once) != string(twice) {
				t.Fatalf("%s: %s becomes %s", z.Path, once, twice)
			}
		}
	})
}
