package report

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
	"syscall"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/story"
)

// The columns of groups, and the keys of a client's groups.
const (
	classic     = "group, eager"
	cooperative = "group, cooperative"
	consumer    = "group, KIP-848"
)

const groupPartitions = 4

// member is a process that takes part in a group, as package story describes it.
type member struct {
	name   string
	cmd    *exec.Cmd
	errors *lastWords
	exited chan struct{}
	err    error // of Wait; read after exited

	mu    sync.Mutex // guards what follows
	ready bool       // it has said so
	owns  []int32
	least int                      // how few partitions it owned since it last was told to watch
	shown map[int32]map[int64]bool // by partition
}

// group is a group under trial.
type group struct {
	*trial
	protocol string
	name     string
	written  int // records on each partition
	members  []*member
}

// shareGroup: two members of the client share a topic, commit what they read, and one takes over when the other leaves.
func (t *trial) shareGroup(ctx context.Context, protocol string) error {
	g := &group{trial: t, protocol: protocol, name: "group-" + t.topic}
	defer g.end()
	begin := func(name string) func(ctx context.Context) error {
		return func(context.Context) error { return g.begin(ctx, name) } // not in the step's time
	}
	steps := []struct {
		name string
		run  func(ctx context.Context) error
	}{
		{"the topic", func(ctx context.Context) error { return t.create(ctx, groupPartitions) }},
		{"the first starts", begin("first")},
		{"the first joins", g.join},
		{"it reads all", g.readAll},
		{"the second starts", begin("second")},
		{"the second joins", g.join},
		{"they read all", g.readAll},
		{"their group", g.described},
		{"the first leaves", g.leave},
		{"the second reads all", g.readAll},
		{"the second leaves", g.leave},
		{"all is committed", g.committed},
	}
	for _, s := range steps {
		step, cancel := context.WithTimeout(ctx, cellWithin)
		err := s.run(step)
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// begin starts a member, and waits for its word when the client's members say that they have started.
func (g *group) begin(ctx context.Context, name string) error {
	for _, m := range g.members {
		m.watch()
	}
	m, err := g.start(name)
	if err != nil {
		return err
	}
	g.members = append(g.members, m)
	if !g.client.announces {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	return eventually(ctx, func() error {
		if !m.isReady() {
			return errors.Join(fmt.Errorf("%s does not start: %s", m.name, m.errors), m.alive())
		}
		return nil
	})
}

// join waits until the members share the partitions, each with one owner.
func (g *group) join(ctx context.Context) error {
	if err := g.shared(ctx); err != nil {
		return err
	}
	if first := g.members[0]; g.protocol != classic && len(g.members) > 1 {
		if least := first.lowest(); least < groupPartitions/2 {
			return fmt.Errorf("the first had only %d partitions for a while", least)
		}
	}
	return nil
}

// shared waits until all partitions have an owner, no two have one, and all members have some.
func (g *group) shared(ctx context.Context) error {
	return eventually(ctx, func() error {
		var all []int32
		for _, m := range g.members {
			if err := m.alive(); err != nil {
				return err
			}
			owns := m.owned()
			if len(owns) != groupPartitions/len(g.members) {
				return fmt.Errorf("%s owns %v: %s", m.name, owns, m.errors)
			}
			all = append(all, owns...)
		}
		slices.Sort(all)
		if !slices.Equal(all, []int32{0, 1, 2, 3}) {
			return fmt.Errorf("owned are %v", all)
		}
		return nil
	})
}

// readAll writes two records to each partition and waits until they are shown.
func (g *group) readAll(ctx context.Context) error {
	var records []*kgo.Record
	for p := range int32(groupPartitions) {
		for range 2 {
			records = append(records, &kgo.Record{Topic: g.topic, Partition: p, Value: []byte("v")})
		}
	}
	if err := g.kafka.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	g.written += 2
	return eventually(ctx, func() error {
		for p := range int32(groupPartitions) {
			for offset := range int64(g.written) {
				if !slices.ContainsFunc(g.members, func(m *member) bool { return m.showed(p, offset) }) {
					return fmt.Errorf("offset %d of partition %d is not shown", offset, p)
				}
			}
		}
		return nil
	})
}

// committed: when all have left, what was written is committed.
func (g *group) committed(ctx context.Context) error {
	return eventually(ctx, func() error {
		committed, err := g.admin.FetchOffsets(ctx, g.name)
		if err != nil {
			return err
		}
		for p := range int32(groupPartitions) {
			if o, _ := committed.Lookup(g.topic, p); o.At != int64(g.written) {
				return fmt.Errorf("committed on partition %d is %d, want %d", p, o.At, g.written)
			}
		}
		return nil
	})
}

// described: the broker knows the group as what it should be.
func (g *group) described(ctx context.Context) error {
	if g.protocol == consumer {
		groups, err := g.admin.DescribeConsumerGroups(ctx, g.name)
		if err != nil {
			return err
		}
		if d := groups[g.name]; d.Err != nil || len(d.Members) != 2 {
			return fmt.Errorf("is %+v", d)
		}
		return nil
	}
	groups, err := g.admin.DescribeGroups(ctx, g.name)
	if err != nil {
		return err
	}
	d := groups[g.name]
	if d.Err != nil || d.State != "Stable" || len(d.Members) != 2 {
		return fmt.Errorf("is %+v", d)
	}
	if isCooperative := d.Protocol == "cooperative-sticky"; isCooperative != (g.protocol == cooperative) {
		return fmt.Errorf("is of protocol %s", d.Protocol)
	}
	return nil
}

// leave ends the oldest member with SIGTERM; those that stay take over.
func (g *group) leave(ctx context.Context) error {
	m := g.members[0]
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-m.exited:
	case <-ctx.Done():
		return fmt.Errorf("has not ended: %w: %s", ctx.Err(), m.errors)
	}
	if m.err != nil {
		return fmt.Errorf("%w: %s", m.err, m.errors)
	}
	g.members = g.members[1:]
	if len(g.members) == 0 {
		return nil
	}
	// What it has shown stays shown.
	g.members[0].inherit(m)
	return g.shared(ctx)
}

// end kills who is left.
func (g *group) end() {
	for _, m := range g.members {
		_ = m.cmd.Process.Kill() // an exited process needs none
		<-m.exited
	}
}

func (g *group) start(name string) (*member, error) {
	command := g.client.groups[g.protocol]
	m := &member{
		name: name, errors: &lastWords{}, exited: make(chan struct{}), shown: map[int32]map[int64]bool{},
		cmd: command(story.Seat{Address: g.address, Topic: g.topic, Group: g.name, Name: name}),
	}
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, stdout := io.Pipe()
	problems, stderr := io.Pipe()
	m.cmd.Stdout, m.cmd.Stderr = stdout, io.MultiWriter(stderr, m.errors)
	if err := m.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	var read reader = story.ReadJSON
	if g.client.reader != nil {
		read = g.client.reader()
	}
	var reading sync.WaitGroup
	reading.Go(func() { m.read(out, read) })
	reading.Go(func() { m.read(problems, read) }) // kcat tells there of its partitions
	go func() {
		m.err = m.cmd.Wait()
		stdout.Close()
		stderr.Close()
		reading.Wait()
		close(m.exited)
	}()
	return m, nil
}

func (m *member) read(r io.Reader, parse reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		events, err := parse(lines.Text())
		if err != nil {
			fmt.Fprintf(m.errors, "%q: %v\n", lines.Text(), err)
		}
		m.mu.Lock()
		for _, e := range events {
			switch e.Event {
			case "ready":
				m.ready = true
			case "owns":
				m.owns = e.Partitions
				m.least = min(m.least, len(e.Partitions))
			case "record":
				if m.shown[e.Partition] == nil {
					m.shown[e.Partition] = map[int64]bool{}
				}
				m.shown[e.Partition][e.Offset] = true
			}
		}
		m.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, r) // after a line too long, so that the process goes on
}

func (m *member) isReady() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ready
}

func (m *member) owned() []int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.owns)
}

// watch begins to look for how few partitions the member has.
func (m *member) watch() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.least = len(m.owns)
}

func (m *member) lowest() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.least
}

func (m *member) showed(partition int32, offset int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shown[partition][offset]
}

// inherit takes over what a member has shown that has ended.
func (m *member) inherit(gone *member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for partition, offsets := range gone.shown {
		for offset := range offsets {
			if m.shown[partition] == nil {
				m.shown[partition] = map[int64]bool{}
			}
			m.shown[partition][offset] = true
		}
	}
}

func (m *member) alive() error {
	select {
	case <-m.exited:
		return errors.Join(fmt.Errorf("%s has ended: %s", m.name, m.errors), m.err)
	default:
		return nil
	}
}
