package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kbroker/kbroker/storage"
)

func logCommand() *cli.Command {
	return &cli.Command{
		Name:  "log",
		Usage: "look into log directories",
		Subcommands: []*cli.Command{{
			Name:      "dump",
			Usage:     "print what files of a log directory hold: segments, indexes, snapshots, checkpoints",
			ArgsUsage: "FILE|FOLDER...",
			Description: "Reads files of kbroker and of Apache Kafka, whether or not a broker has them open. A folder stands for\n" +
				"all files in it. Records of __consumer_offsets are decoded.",
			Flags: []cli.Flag{
				&cli.BoolFlag{Name: "records", Aliases: []string{"r"}, Usage: "print the records of batches too"},
				&cli.StringFlag{Name: "decode", Usage: "decode keys and values as those of `TOPIC`, such as __consumer_offsets; by default the folder's name tells"},
				&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "`FORMAT`: text, or json with a value on each line"},
			},
			Action: dumpLog,
		}},
	}
}

func dumpLog(c *cli.Context) error {
	if o := c.String("output"); o != "text" && o != "json" {
		return fmt.Errorf("--output %s: must be text or json", o)
	}
	if !c.Args().Present() {
		return errors.New("name files or folders to dump")
	}
	out := bufio.NewWriter(c.App.Writer)
	defer out.Flush()
	d := &dump{out: out, records: c.Bool("records"), decode: c.String("decode"), asJSON: c.String("output") == "json"}
	var errs []error
	for _, path := range c.Args().Slice() {
		files, err := filesIn(path)
		errs = append(errs, err)
		for _, file := range files {
			if err := d.file(file); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", file, err))
			}
		}
	}
	return errors.Join(errs...)
}

// filesIn lists a folder's files, in and below it, those of a log in the order of their offsets. A file stands for itself.
func filesIn(path string) (files []string, err error) {
	err = filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && !strings.HasPrefix(entry.Name(), ".") {
			files = append(files, path)
		}
		return err
	})
	slices.Sort(files)
	return files, err
}

// dump prints files. A file that is damaged is printed as far as it can be read.
type dump struct {
	out     io.Writer
	records bool
	decode  string
	asJSON  bool
}

// file prints one file, in the way of its name.
func (d *dump) file(path string) error {
	if !d.asJSON {
		fmt.Fprintf(d.out, "Dumping %s\n", path)
	}
	suffix := filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(path, ".deleted"), ".cleaned"), ".swap"))
	if suffix == ".log" {
		return d.segment(path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	base := int64(0)
	if suffix == ".index" || suffix == ".timeindex" {
		if base, err = storage.BaseOffsetOf(path); err != nil {
			return err
		}
	}
	switch suffix {
	case ".index":
		return printAll(d, path, content, func(b []byte) ([]storage.OffsetIndexEntry, error) { return storage.ReadOffsetIndex(b, base) })
	case ".timeindex":
		return printAll(d, path, content, func(b []byte) ([]storage.TimeIndexEntry, error) { return storage.ReadTimeIndex(b, base) })
	case ".txnindex":
		return printAll(d, path, content, storage.ReadTransactionIndex)
	case ".snapshot":
		return printAll(d, path, content, storage.ReadProducerSnapshot)
	default:
		return d.text(path, content)
	}
}

// text prints a checkpoint or another file that is text already.
func (d *dump) text(path string, content []byte) error {
	if slices.Contains(content, 0) {
		return errors.New("neither a file of a log nor text")
	}
	if d.asJSON {
		return d.line(path, "text", map[string]string{"text": string(content)})
	}
	_, err := fmt.Fprintln(d.out, strings.TrimSuffix(string(content), "\n"))
	return err
}

func printAll[E any](d *dump, path string, content []byte, read func([]byte) ([]E, error)) error {
	entries, err := read(content)
	kind := strings.TrimPrefix(filepath.Ext(path), ".")
	for _, e := range entries {
		if err := d.line(path, kind, e); err != nil {
			return err
		}
	}
	return err
}

// line prints a value: as JSON with its file and kind, or as text with the names of its fields, as Kafka's dump tool does.
func (d *dump) line(path, kind string, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if d.asJSON {
		_, err = fmt.Fprintf(d.out, `{"file":%q,"kind":%q,"%s":%s}`+"\n", path, kind, "value", b)
		return err
	}
	return d.fields(b)
}

// fields prints the fields of a JSON object in their order.
func (d *dump) fields(object []byte) error {
	decoder := json.NewDecoder(strings.NewReader(string(object)))
	decoder.UseNumber()
	if _, err := decoder.Token(); err != nil { // {
		return err
	}
	for first := true; decoder.More(); first = false {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		text := string(value)
		var s string
		if json.Unmarshal(value, &s) == nil && text != "null" {
			text = s
		}
		if !first {
			io.WriteString(d.out, " ")
		}
		fmt.Fprintf(d.out, "%v: %s", name, text)
	}
	_, err := fmt.Fprintln(d.out)
	return err
}
