package config

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the tables of every key of brokers, topics and groups for the documentation: what
// Kafka defines and what kbroker makes of it.
func WriteMarkdown(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprint(out, "### Broker keys\n")
	writeTables(out, BrokerDefinitions())
	fmt.Fprint(out, "\n### Topic keys\n")
	writeTables(out, TopicDefinitions())
	fmt.Fprint(out, "\n### Group keys\n")
	writeTables(out, GroupDefinitions())
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the tables of configuration keys: %w", err)
	}
	return nil
}

// writeTables writes one table for each theme. Errors stay in out until it is flushed.
func writeTables(out *bufio.Writer, all []Definition) {
	theme := ""
	for _, d := range all {
		if d.Theme != theme {
			theme = d.Theme
			fmt.Fprintf(out, "\n#### %s\n\n", theme)
			fmt.Fprint(out, "| key | type | default | legal values | importance | update | synonyms | meaning | in kbroker |\n")
			fmt.Fprint(out, "|---|---|---|---|---|---|---|---|---|\n")
		}
		fmt.Fprintf(out, "| `%s` | %s | %s | %s | %s | %s | %s | %s | %s |\n",
			d.Name, strings.ToLower(d.Type.String()), code(d.defaultText()), cell(d.Valid), strings.ToLower(d.Importance.String()),
			d.Update, cell(strings.Join(d.otherSynonyms(), ", ")), cell(d.Doc), cell(d.effectText()))
	}
}

func (d Definition) defaultText() string {
	switch {
	case d.Default == nil:
		return "null"
	case *d.Default == "":
		return `""`
	}
	return *d.Default
}

func (d Definition) otherSynonyms() []string {
	var others []string
	for _, s := range d.Synonyms {
		if s != d.Name || d.Update == PerTopic {
			others = append(others, s)
		}
	}
	return others
}

func (d Definition) effectText() string {
	if d.Why == "" {
		return d.Effect.String()
	}
	return d.Effect.String() + ": " + d.Why
}

// cell keeps a text from ending its cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func code(s string) string { return "`" + cell(s) + "`" }
