package config

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"
)

// readCSV reads a table of Kafka 3.9.2's own definitions: a map from column to value for each key.
func readCSV(t *testing.T, path string) map[string]map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]map[string]string)
	for _, record := range records[1:] {
		row := make(map[string]string)
		for i, column := range records[0] {
			row[column] = record[i]
		}
		rows[row["key"]] = row
	}
	return rows
}

// asRow shows a definition as the tables of Kafka do.
func asRow(d Definition) map[string]string {
	standard := null
	if d.Default != nil {
		standard = *d.Default
	}
	return map[string]string{
		"key": d.Name, "type": d.Type.String(), "default": standard, "valid": d.Valid,
		"importance": d.Importance.String(), "update_mode": d.Update.String(),
		"broker_synonyms": strings.Join(d.Synonyms, " "),
	}
}

// ours are the columns in which a row differs from Kafka 3.9 on purpose.
var ours = map[string]map[string]string{
	// Kafka 3.9 offers the consumer protocol in KRaft mode alone, kbroker always; so does 4.x.
	"group.coordinator.rebalance.protocols": {"default": "classic,consumer"},
}

func TestBrokerKeysAreThoseOfKafka(t *testing.T) {
	compareWithKafka(t, readCSV(t, "testdata/broker-configs.csv"), BrokerDefinitions(), 315)
}

func TestTopicKeysAreThoseOfKafka(t *testing.T) {
	compareWithKafka(t, readCSV(t, "testdata/topic-configs.csv"), TopicDefinitions(), 36)
}

func compareWithKafka(t *testing.T, want map[string]map[string]string, definitions []Definition, count int) {
	t.Helper()
	if len(want) != count {
		t.Fatalf("Kafka's table has %d keys, not %d", len(want), count)
	}
	for _, d := range definitions {
		if d.Internal || d.Update == DynamicOnly {
			if want[d.Name] != nil {
				t.Errorf("%s is an ordinary key in Kafka", d.Name)
			}
			continue
		}
		row := want[d.Name]
		if row == nil {
			t.Errorf("%s is not a key of Kafka, or twice here", d.Name)
			continue
		}
		delete(want, d.Name)
		got := asRow(d)
		if strings.HasSuffix(d.Name, "r.thread.pool.size") || strings.HasSuffix(d.Name, "expiration.thread.pool.size") {
			delete(row, "valid") // Kafka has a sentence there; ours says the same in our words
		}
		for column, text := range ours[d.Name] {
			row[column] = text
		}
		for column, text := range row {
			if got[column] != text {
				t.Errorf("%s: %s is %q, in Kafka %q", d.Name, column, got[column], text)
			}
		}
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
}

func TestRowsAreWhole(t *testing.T) {
	for _, tables := range [][]*section{brokerSections(), {&topicKeys}, {&perGroupKeys}} {
		seen := make(map[string]bool)
		for _, s := range tables {
			for i := range s.keys {
				checkRow(t, &s.keys[i], seen)
			}
		}
	}
}

func checkRow(t *testing.T, k *key, seen map[string]bool) {
	t.Helper()
	if seen[k.name] {
		t.Errorf("%s is there twice", k.name)
	}
	seen[k.name] = true
	if !strings.HasSuffix(k.doc, ".") || len(k.doc) < 20 {
		t.Errorf("%s: doc %q is not a sentence", k.name, k.doc)
	}
	if (k.effect == Acts) != (k.why == "") {
		t.Errorf("%s: effect %v with reason %q", k.name, k.effect, k.why)
	}
	if k.standard != null {
		if v, bad := k.parse(k.standard); bad != nil || v.text != k.standard {
			t.Errorf("%s: default %q reads as %q, %v", k.name, k.standard, v.text, bad)
		}
	}
}

func TestSynonymsAreBrokerKeys(t *testing.T) {
	for name, synonyms := range topicSynonyms {
		if topicTable.byName[name] == nil {
			t.Errorf("%s is not a topic key", name)
		}
		for _, s := range synonyms {
			if brokerTable.byName[s] == nil {
				t.Errorf("%s, synonym of %s, is not a broker key", s, name)
			}
		}
	}
}

func TestListKeys(t *testing.T) {
	for _, c := range []struct {
		topic bool
		name  string
		want  bool
	}{
		{true, "cleanup.policy", true},
		{true, "retention.ms", false},
		{true, "log.cleanup.policy", false},
		{false, "log.cleanup.policy", true},
		{false, "nothing.like.it", false},
	} {
		if got := IsListKey(c.topic, c.name); got != c.want {
			t.Errorf("IsListKey(%v, %s) = %v", c.topic, c.name, got)
		}
	}
}

func TestMarkdownHasEveryKeyOnce(t *testing.T) {
	var b strings.Builder
	if err := WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	broker, topic, _ := strings.Cut(b.String(), "### Topic keys")
	topic, group, _ := strings.Cut(topic, "### Group keys")
	for text, definitions := range map[string][]Definition{
		broker: BrokerDefinitions(), topic: TopicDefinitions(), group: GroupDefinitions(),
	} {
		for _, d := range definitions {
			if n := strings.Count(text, "| `"+d.Name+"` |"); n != 1 {
				t.Errorf("%s is there %d times", d.Name, n)
			}
		}
	}
}
