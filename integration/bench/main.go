// Command bench measures kbroker beside the floor of the machine and, where a JDK and Maven are
// present, beside Apache Kafka 3.9, in one go: rounds are interleaved so that the machine's noise
// hits all alike, and medians are printed. Compare figures within one run only.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	broker     string // path of kbroker's binary
	dir        string // where the servers keep their data
	megabytes  int    // records produced and consumed in a scenario, in MB
	rounds     int
	kafka      bool
	peers      string // folder of the scripts that run Apache Kafka
	latencyFor time.Duration
	only       string // parts of the names of the scenarios to run, with commas between
	override   string // key=value for kbroker, to try a setting
	profile    string // host:port where kbroker serves /debug/pprof
	crash      int    // MB written before kbroker is killed
	many       int    // partitions of the topic that shows what empty partitions cost
	offsets    int    // committed offsets that a coordinator loads

	cluster     bool   // three brokers rather than one
	profileBase int    // port below those at which the brokers of a cluster serve /debug/pprof; 0: they do not
	logLevel    string // of the brokers of a cluster
}

func main() {
	var o options
	flag.StringVar(&o.broker, "broker", "bin/kbroker", "kbroker's binary")
	flag.StringVar(&o.dir, "dir", "/dev/shm", "folder for the data: a tmpfs keeps the disk's noise out")
	flag.IntVar(&o.megabytes, "mb", 512, "size of a scenario in MB")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; medians are printed")
	flag.BoolVar(&o.kafka, "kafka", true, "measure Apache Kafka too, where a JDK and Maven are present")
	flag.StringVar(&o.peers, "peers", "integration/peers", "folder of the scripts that run Apache Kafka")
	flag.DurationVar(&o.latencyFor, "latency", 6*time.Second, "length of the latency scenario")
	flag.StringVar(&o.only, "only", "", "run only the scenarios with one of these (a,b,...) in their name")
	flag.StringVar(&o.override, "override", "", "key=value of kbroker's configuration")
	flag.StringVar(&o.profile, "profile", "", "host:port at which kbroker serves /debug/pprof")
	flag.IntVar(&o.crash, "crash-mb", 2048, "size of the log that kbroker is killed with; 0: not")
	flag.IntVar(&o.many, "many", 10_000, "partitions of the topic of empty partitions; 0: not")
	flag.IntVar(&o.offsets, "offsets", 1_000_000, "committed offsets that a coordinator loads; 0: not")
	flag.BoolVar(&o.cluster, "cluster", false, "measure clusters of three brokers")
	flag.IntVar(&o.profileBase, "profile-base", 0, "broker N of a cluster serves /debug/pprof at this port plus N")
	flag.StringVar(&o.logLevel, "log-level", "error", "of the brokers of a cluster, who log to standard error")
	floorAt := flag.String("floor", "", "internal: serve as the floor at this address")
	floorDir := flag.String("floor-dir", "", "internal: folder of the floor's files")
	flag.Parse()
	if *floorAt != "" {
		exitOn(serveFloor(*floorAt, *floorDir))
		return
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	exitOn(run(ctx, o))
}

// chosen reports whether a scenario is to be run.
func (o options) chosen(scenario string) bool {
	return slices.ContainsFunc(strings.Split(o.only, ","), func(part string) bool { return strings.Contains(scenario, part) })
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures everything and prints the table.
func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp(o.dir, "kbroker-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.kafka {
		if err := kafkaPossible(o); err != nil {
			fmt.Fprintln(os.Stderr, "bench: without Apache Kafka:", err)
			o.kafka = false
		}
	}
	load := loadAverage()
	results := newResults()
	if err := measure(ctx, o, dir, results); err != nil {
		return err
	}
	names := []string{floorName, kbrokerName}
	if o.cluster {
		names = []string{kbrokerName, singleName}
	}
	if o.kafka {
		names = append(names, kafkaName)
	}
	if err := results.print(os.Stdout, names); err != nil {
		return err
	}
	// Where others use the machine too, CPU figures are a little high and times mean little.
	_, err = fmt.Printf("\n%d cores, data in %s, %d rounds of %d MB; load average before: %s\n",
		runtime.NumCPU(), o.dir, o.rounds, o.megabytes, load)
	return err
}

func measure(ctx context.Context, o options, dir string, results *results) error {
	if o.cluster {
		return runCluster(ctx, o, dir, results)
	}
	if err := runRounds(ctx, o, dir, results); err != nil {
		return err
	}
	return runLifecycle(ctx, o, dir, results)
}

// loadAverage is how many threads wanted to run in the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	load, _, _ := strings.Cut(string(text), " ")
	return load
}

// runRounds starts every subject and runs every scenario in interleaved rounds.
func runRounds(ctx context.Context, o options, dir string, results *results) error {
	var chosen []scenario
	for _, sc := range scenarios(o) {
		if o.chosen(sc.name) {
			chosen = append(chosen, sc)
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	subjects, err := startSubjects(ctx, o, dir)
	defer func() {
		for _, s := range subjects {
			s.stop()
		}
	}()
	if err != nil {
		return err
	}
	for round := range o.rounds + 1 { // the first warms up and is thrown away
		for _, sc := range chosen {
			for _, s := range subjects {
				if !sc.possible(s) {
					continue
				}
				fmt.Fprintf(os.Stderr, "round %d of %d: %s, %s\n", round, o.rounds, sc.name, s.name)
				measured, err := sc.run(ctx, s, fmt.Sprintf("bench-%s-%d", sc.topic, round))
				if err != nil {
					return fmt.Errorf("%s, %s: %w", sc.name, s.name, err)
				}
				if round > 0 {
					results.add(sc.name, s.name, measured)
				}
			}
		}
		for _, s := range subjects {
			if err := s.deleteTopics(ctx); err != nil {
				return fmt.Errorf("give back the disk of %s: %w", s.name, err)
			}
		}
	}
	for _, s := range subjects {
		results.add("process", s.name, figures{
			"ready ms": milliseconds(s.ready), "idle RSS MB": s.idleRSS, "peak RSS MB": peakRSS(s.pid),
		})
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
