package simulation

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Journal is everything that happened in a run, in its order: faults, and what the brokers logged. It may be used
// from several goroutines.
type Journal struct {
	began time.Time

	mu   sync.Mutex
	text bytes.Buffer
	also io.Writer // nil: none
}

// maxJournal bounds the memory of one run; what comes later is lost.
const maxJournal = 64 << 20

// NewJournal begins a journal at the present (virtual) moment.
func NewJournal() *Journal { return &Journal{began: time.Now()} }

// Note adds a line.
func (j *Journal) Note(format string, args ...any) {
	j.add("simulation", []byte(fmt.Sprintf(format, args...)))
}

func (j *Journal) add(source string, line []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.text.Len() > maxJournal {
		return
	}
	begin := j.text.Len()
	fmt.Fprintf(&j.text, "%12.6f  %-11s %s\n", time.Since(j.began).Seconds(), source, bytes.TrimRight(line, "\n"))
	if j.also != nil {
		j.also.Write(j.text.Bytes()[begin:]) // for somebody who looks on: nothing depends on it
	}
}

// copyTo has all lines from now on written to a writer as well.
func (j *Journal) copyTo(w io.Writer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.also = w
}

// Text is the whole journal.
func (j *Journal) Text() []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	return bytes.Clone(j.text.Bytes())
}

// logger gives the logger of a process that ends for good when silent is closed: the dead do not speak.
func (j *Journal) logger(source string, level zapcore.Level, silent <-chan struct{}) *zap.Logger {
	encoder := zapcore.NewConsoleEncoder(zapcore.EncoderConfig{
		LevelKey: "level", EncodeLevel: zapcore.CapitalLevelEncoder,
		NameKey: "name", MessageKey: "message", ConsoleSeparator: "  ", SkipLineEnding: true,
		EncodeDuration: zapcore.StringDurationEncoder,
	})
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&page{j, source, silent}), level))
}

// page is the part of one process.
type page struct {
	journal *Journal
	source  string
	silent  <-chan struct{}
}

var _ io.Writer = (*page)(nil)

func (p *page) Write(line []byte) (int, error) {
	select {
	case <-p.silent:
	default:
		p.journal.add(p.source, line)
	}
	return len(line), nil
}
