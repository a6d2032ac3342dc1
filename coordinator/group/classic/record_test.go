package classic

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// What Apache Kafka 3.9.2 wrote for a group of one member (librdkafka), and when that had left.
const (
	kafkaKey = "0002000772656164657273"
	kafkaOne = `
00030008636f6e73756d657200000001000572616e6765002c72646b61666b612d38316435623433392d663366322d346439332d383165612d656434
333561353230663738000001a20bb0fb1f00000001002c72646b61666b612d38316435623433392d663366322d346439332d383165612d6564343335
61353230663738ffff000772646b61666b61000a2f3132372e302e302e31000493e00000afc800000023000100000002000a636f6465632d6e6f6e65
000764656c6574656400000000000000000000002f000000000002000a636f6465632d6e6f6e650000000100000000000764656c6574656400000001
0000000000000000`
	kafkaNone = `
00030008636f6e73756d657200000002ffffffff000001a20bb0fff000000000`
)

func TestRecordsAreKafkas(t *testing.T) {
	for _, text := range []string{kafkaOne, kafkaNone} {
		value, err := hex.DecodeString(strings.ReplaceAll(text, "\n", ""))
		if err != nil {
			t.Fatal(err)
		}
		var v kmsg.GroupMetadataValue
		if err := v.ReadFrom(value); err != nil {
			t.Fatal(err)
		}
		r := Load("readers", &v, &Config{}).Record(time.Time{})
		if hex.EncodeToString(r.Key) != kafkaKey || !bytes.Equal(r.Value, value) {
			t.Errorf("made %x %x\nof %x", r.Key, r.Value, value)
		}
	}
}

func TestSubscriptionsAreReadAsFarAsAllVersionsAgree(t *testing.T) {
	for name, test := range map[string]struct {
		metadata string
		topics   int // -1: not known
	}{
		"of v0":                  {"0000 00000002 0001 74 0001 75 ffffffff", 2},
		"a topic twice":          {"0000 00000002 0001 74 0001 74 00000000", 1},
		"of a version to come":   {"7fff 00000001 0001 74 00000001 78 0123456789", 1},
		"nothing":                {"", -1},
		"no count":               {"0000 0000", -1},
		"a negative count":       {"0000 ffffffff ffffffff", -1},
		"fewer topics than said": {"0000 7fffffff 0001 74 ffffffff", -1},
		"no size":                {"0000 00000001 00", -1},
		"a topic cut short":      {"0000 00000001 0005 74 00000000", -1},
		"no user data":           {"0000 00000001 0001 74 0000", -1},
		"user data cut short":    {"0000 00000001 0001 74 00000002 78", -1},
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(test.metadata, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		topics := map[string]struct{}{}
		if ok := addTopics(topics, b); ok != (test.topics >= 0) || ok && len(topics) != test.topics {
			t.Errorf("%s: %v, %d topics", name, ok, len(topics))
		}
	}
}
