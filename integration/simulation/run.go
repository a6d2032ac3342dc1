package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap/zapcore"

	"github.com/kbroker/kbroker/integration/history"
	"github.com/kbroker/kbroker/integration/simulation/memnet"
)

// Plan is what one run does; NewPlan draws it from a seed.
type Plan struct {
	Seed      uint64
	For       time.Duration // faults happen during this time
	Every     time.Duration // a fault begins, about
	Lasts     time.Duration // a fault, about
	Calm      bool          // one fault at a time; only then machines lose power
	Admin     bool          // topics come and go, replicas move
	Dirs      int           // log directories of each broker
	Narrow    bool          // followers fetch little at a time, and take long to catch up
	Log       zapcore.Level
	ClientLog kgo.LogLevel
	Delay     time.Duration // of links
	Jitter    time.Duration
	Only      string // the only fault that happens; empty: all
	Journal   string // file that the journal is written to as it grows; empty: none
}

// NewPlan draws a plan.
func NewPlan(seed uint64) Plan {
	rng := rand.New(rand.NewPCG(seed, 0x706c616e))
	p := Plan{
		Seed:      seed,
		For:       time.Duration(15+rng.IntN(30)) * time.Second,
		Every:     time.Duration(500+rng.IntN(4000)) * time.Millisecond,
		Lasts:     time.Duration(300+rng.IntN(9000)) * time.Millisecond,
		Calm:      rng.IntN(2) == 0,
		Admin:     rng.IntN(2) == 0,
		Dirs:      1 + rng.IntN(2),
		Narrow:    rng.IntN(3) == 0,
		Log:       zapcore.InfoLevel,
		ClientLog: kgo.LogLevelWarn,
		Delay:     time.Duration(50+rng.IntN(2000)) * time.Microsecond,
		Jitter:    time.Duration(rng.IntN(1000)) * time.Microsecond,
	}
	return p
}

// settings are those of Kafka, with times shortened so that a run holds more.
func (p Plan) settings() map[string]string {
	settings := map[string]string{
		"offsets.topic.replication.factor":              "3",
		"offsets.topic.num.partitions":                  "3",
		"default.replication.factor":                    "3",
		"min.insync.replicas":                           "2",
		"zookeeper.session.timeout.ms":                  "6000",
		"zookeeper.connection.timeout.ms":               "60000",
		"replica.lag.time.max.ms":                       "4000",
		"replica.socket.timeout.ms":                     "3000",
		"controller.socket.timeout.ms":                  "3000",
		"request.timeout.ms":                            "3000",
		"group.initial.rebalance.delay.ms":              "0",
		"log.segment.bytes":                             "40000",
		"log.index.interval.bytes":                      "512",
		"file.delete.delay.ms":                          "1000",
		"leader.imbalance.check.interval.seconds":       "10",
		"auto.create.topics.enable":                     "false",
		"replica.high.watermark.checkpoint.interval.ms": "1000",
		"controlled.shutdown.retry.backoff.ms":          "500",
	}
	if p.Narrow {
		settings["replica.fetch.max.bytes"], settings["replica.fetch.response.max.bytes"] = "1024", "4096"
	}
	return settings
}

// recoverWithin is how long, in virtual time, a healed cluster may take until all replicas are in sync.
const recoverWithin = 90 * time.Second

// Result is what came of a run.
type Result struct {
	Plan       Plan
	Journal    *Journal
	Violations []string // promises that were broken
	Records    int      // acknowledged
	Faults     int
	Resets     int // of producers that could not go on
}

// Run carries a plan out. It must be called in a bubble of testing/synctest.
func Run(p Plan) (r Result) {
	r = Result{Plan: p}
	w, err := NewWorld(Options{
		Seed: p.Seed, Brokers: 3, LogDirs: p.Dirs, Settings: p.settings(), LogLevel: p.Log, ClientLog: p.ClientLog,
		Link: memnet.Link{Delay: p.Delay, Jitter: p.Jitter},
	})
	if err != nil {
		r.Violations = append(r.Violations, err.Error())
		return r
	}
	r.Journal = w.Journal
	if p.Journal != "" {
		file, err := os.Create(p.Journal)
		if err != nil {
			r.Violations = append(r.Violations, err.Error())
			return r
		}
		defer file.Close()
		r.Journal.copyTo(file)
	}
	r.Journal.Note("plan: %+v", p)
	run := &run{Plan: p, world: w, result: &r}
	if err := run.all(); err != nil {
		run.broken("%v", err)
	}
	if err := w.Close(); err != nil {
		run.broken("clean stop at the end: %v", err)
	}
	return r
}

// run is one run under way.
type run struct {
	Plan
	world    *World
	result   *Result
	ledgers  []*Ledger
	workload *Workload
	members  *Delivered
}

func (r *run) broken(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.world.Journal.Note("BROKEN: %s", text)
	r.result.Violations = append(r.result.Violations, text)
}

func (r *run) all() error {
	for _, n := range r.world.Nodes {
		n.Start()
	}
	if err := r.world.AwaitReady(time.Minute); err != nil {
		return err
	}
	r.ledgers = []*Ledger{NewLedger("orders", 3, 3), NewLedger("events", 2, 3), NewLedger("moving", 2, 2)}
	if err := r.createTopics(); err != nil {
		return err
	}
	r.work()
	defer r.workload.Close()
	r.result.Faults = r.disturb()
	defer func() { r.result.Resets = int(r.workload.resets.Load()) }()

	r.world.Journal.Note("everything is healed")
	r.world.Net.Heal()
	ctx, cancel := context.WithTimeout(context.Background(), 2*recoverWithin)
	defer cancel()
	if _, err := r.workload.Converge(ctx, recoverWithin); err != nil {
		return err
	}
	r.world.Journal.Note("the cluster has converged")
	if err := r.workload.Settle(ctx); err != nil {
		return fmt.Errorf("producers are not done: %w", err)
	}
	return r.verify(ctx)
}

func (r *run) createTopics() error {
	c, err := r.world.Client("setup")
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, l := range r.ledgers {
		var config map[string]*string
		if l.Replicas < 3 {
			config = map[string]*string{"min.insync.replicas": kadm.StringPtr("1")}
		}
		if _, err := kadm.NewClient(c).CreateTopic(ctx, l.Partitions, l.Replicas, config, l.Topic); err != nil {
			return fmt.Errorf("create topic %s: %w", l.Topic, err)
		}
	}
	return nil
}

// work starts the clients.
func (r *run) work() {
	r.workload = NewWorkload(r.world, r.ledgers)
	l, seed := r.workload, r.Seed
	l.Observe("observer", seed)
	for i, ledger := range r.ledgers {
		l.Read(ledger, "reader-"+ledger.Topic, false, seed+uint64(i))
		l.Produce(ledger, safely("safe-"+ledger.Topic, 30*time.Millisecond), seed+10+uint64(i))
	}
	l.Produce(r.ledgers[0], safely("safer-"+r.ledgers[0].Topic, 60*time.Millisecond), seed+20)
	l.Produce(r.ledgers[1], fast("fast-"+r.ledgers[1].Topic, 40*time.Millisecond), seed+21)
	l.Read(r.ledgers[0], "nearby", true, seed+30)
	l.Commit(r.ledgers[0], "committer", seed+31)
	r.members = l.Join(r.ledgers[0], "members", "member-1", "member-2")
	if r.Admin {
		l.Administer("admin", seed+32)
	}
}

// disturb lets faults happen, and returns how many did, when all are over.
func (r *run) disturb() (count int) {
	ctx, cancel := context.WithTimeout(context.Background(), r.For)
	defer cancel()
	c := &chaos{
		seed: r.Seed, world: r.world, ctx: ctx, rng: rand.New(rand.NewPCG(r.Seed, 0x6368616f73)), calm: r.Calm,
		busy: make([]bool, len(r.world.Nodes)), done: make(chan int, 100),
	}
	for ctx.Err() == nil {
		c.pause(r.Every/2 + time.Duration(c.rng.Int64N(int64(r.Every))))
		f := r.draw(c.rng)
		if ctx.Err() != nil || f.exact && !c.quiet(r.workload) {
			continue
		}
		if c.calm || f.exact {
			c.settle()
		}
		r.world.Journal.Note("fault: %s", f.name)
		f.do(c, r.Lasts/2+time.Duration(c.rng.Int64N(int64(r.Lasts))))
		count++
		if f.exact {
			c.settle()
			c.quiet(r.workload)
		}
	}
	c.settle()
	return count
}

func (r *run) draw(rng *rand.Rand) fault {
	var all []fault
	for _, f := range faults() {
		if (r.Only == "" || f.name == r.Only) && (r.Calm || !f.exact) {
			for range f.weight {
				all = append(all, f)
			}
		}
	}
	if len(all) == 0 {
		panic("no fault is called " + r.Only)
	}
	return all[rng.IntN(len(all))]
}

// pause waits, and notes which nodes are free again meanwhile.
func (c *chaos) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case n := <-c.done:
			c.free(n)
		case <-timer.C:
			return
		}
	}
}

func (c *chaos) free(n int) {
	c.going--
	if n >= 0 {
		c.busy[n] = false
	}
}

// settle waits until no fault is under way. A fault that does not end is a broker that does not stop: the test ends, with what all
// goroutines are at.
func (c *chaos) settle() {
	const within = 10 * time.Minute
	for late := time.After(within); c.going > 0; {
		select {
		case n := <-c.done:
			c.free(n)
		case <-late:
			panic(fmt.Sprintf("seed %d: a fault has not ended within %s", c.seed, within))
		}
	}
}

// quiet waits until all replicas are in sync and tells whether they are.
func (c *chaos) quiet(l *Workload) bool {
	c.settle()
	_, err := l.Converge(context.Background(), recoverWithin)
	if err != nil {
		l.failures.add("after a fault: %v", err)
	}
	return err == nil
}

// verify reads everything back and checks it.
func (r *run) verify(ctx context.Context) error {
	image, err := r.workload.Converge(ctx, recoverWithin)
	if err != nil {
		return err
	}
	for _, l := range r.ledgers {
		if err := r.workload.ReadFinal(ctx, l, image); err != nil {
			return err
		}
	}
	r.awaitDelivery(ctx)
	r.workload.Close()
	if image, err = r.workload.Converge(ctx, recoverWithin); err != nil { // members have left their group
		return err
	}
	time.Sleep(5 * time.Second) // followers fetch the rest, deleted logs are removed
	for _, l := range r.ledgers {
		l.Note(func(h *history.History) {
			h.StaleCoordinators = true // who was cut off or paused may answer before it hears of the next
			for _, v := range history.Check(h) {
				r.broken("%s: %s", l.Topic, v)
			}
			r.result.Records += len(h.Acks)
		})
	}
	if len(r.result.Violations) > 0 {
		r.world.describeLogs(image, r.ledgers)
	}
	for _, text := range image.Faults() {
		r.broken("%s", text)
	}
	for _, text := range r.world.CompareDisks(image) {
		r.broken("%s", text)
	}
	for _, text := range r.workload.failures.all() {
		r.broken("%s", text)
	}
	return nil
}

// awaitDelivery waits until the members of the group have been given everything.
func (r *run) awaitDelivery(ctx context.Context) {
	l := r.ledgers[0]
	var missing []place
	for end := time.Now().Add(recoverWithin); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		missing = missing[:0]
		l.Note(func(h *history.History) {
			for _, log := range h.Final {
				for _, record := range log {
					if !r.members.Has(record.Partition, record.Offset) {
						missing = append(missing, place{record.Partition, record.Offset})
					}
				}
			}
		})
		if len(missing) == 0 {
			return
		}
	}
	r.broken("%d records were delivered to no member of the group, one of them %+v", len(missing), missing[0])
}
