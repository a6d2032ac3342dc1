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
	"slices"
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
}

func main() {
	var o options
	flag.StringVar(&o.broker, "broker", "bin/kbroker", "kbroker's binary")
	flag.StringVar(&o.dir, "dir", "/dev/shm", "folder for the data: a tmpfs keeps the disk's noise out")
	flag.IntVar(&o.megabytes, "mb", 1024, "size of a scenario in MB")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; medians are printed")
	flag.BoolVar(&o.kafka, "kafka", true, "measure Apache Kafka too, where a JDK and Maven are present")
	flag.StringVar(&o.peers, "peers", "integration/peers", "folder of the scripts that run Apache Kafka")
	flag.DurationVar(&o.latencyFor, "latency", 10*time.Second, "length of the latency scenario")
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

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run starts every subject, runs every scenario in interleaved rounds, and prints the table.
func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp(o.dir, "kbroker-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	subjects, err := startSubjects(ctx, o, dir)
	defer func() {
		for _, s := range subjects {
			s.stop()
		}
	}()
	if err != nil {
		return err
	}
	results := newResults()
	for round := range o.rounds + 1 { // the first warms up and is thrown away
		for _, sc := range scenarios(o) {
			for _, s := range subjects {
				if sc.brokersOnly && s.floor {
					continue
				}
				fmt.Fprintf(os.Stderr, "round %d of %d: %s, %s\n", round, o.rounds, sc.name, s.name)
				measured, err := sc.run(ctx, s, fmt.Sprintf("%s-%d", sc.topic, round))
				if err != nil {
					return fmt.Errorf("%s, %s: %w", sc.name, s.name, err)
				}
				if round > 0 {
					results.add(sc.name, s.name, measured)
				}
			}
		}
	}
	for _, s := range subjects {
		results.add("process", s.name, figures{"ready ms": float64(s.ready.Milliseconds()), "idle RSS MB": s.idleRSS, "peak RSS MB": peakRSS(s.pid)})
	}
	return results.print(os.Stdout, subjects)
}

// figures are named numbers of one run of a scenario.
type figures map[string]float64

// results holds the figures of every round by scenario and subject.
type results struct {
	scenarios []string
	values    map[string]map[string]map[string][]float64 // scenario, subject, figure
}

func newResults() *results {
	return &results{values: map[string]map[string]map[string][]float64{}}
}

func (r *results) add(scenario, subject string, f figures) {
	if r.values[scenario] == nil {
		r.scenarios = append(r.scenarios, scenario)
		r.values[scenario] = map[string]map[string][]float64{}
	}
	if r.values[scenario][subject] == nil {
		r.values[scenario][subject] = map[string][]float64{}
	}
	for name, value := range f {
		r.values[scenario][subject][name] = append(r.values[scenario][subject][name], value)
	}
}

// median returns the median of a figure, and whether it was measured.
func (r *results) median(scenario, subject, figure string) (float64, bool) {
	list := slices.Sorted(slices.Values(r.values[scenario][subject][figure]))
	if len(list) == 0 {
		return 0, false
	}
	return list[len(list)/2], true
}
