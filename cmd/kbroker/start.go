package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/urfave/cli/v2"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker"
	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/storage/vfs"
)

const (
	// handOverGrace is how long a stopping broker waits for others to lead what it leads. The defaults of
	// controlled.shutdown.* let it try three times within it; what stops brokers often kills them after 30 s.
	handOverGrace = 15 * time.Second
	// stopGrace is how long it then waits for requests under way before it cuts connections.
	stopGrace = 10 * time.Second
)

// secondSignal is how long after the first signal another one still counts as the same.
const secondSignal = 300 * time.Millisecond

// runFlags are the flags of the commands that run a broker.
func runFlags() []cli.Flag {
	return append(settingFlags(),
		&cli.StringFlag{Name: "log-level", Value: "info", Usage: "debug, info, warn or error"},
		&cli.StringFlag{Name: "log-format", Value: "console", Usage: "console or json"},
		&cli.StringFlag{Name: "metrics-listen", Usage: "`host:port` that serves /metrics, /healthz, /readyz and /debug/pprof"},
	)
}

func startCommand() *cli.Command {
	return &cli.Command{
		Name:  "start",
		Usage: "run a broker of a cluster",
		Description: "Runs a broker that registers in ZooKeeper as a Kafka 3.9 broker does. Kafka's own\n" +
			"server.properties is read unchanged: kbroker start --config server.properties",
		Flags: runFlags(),
		Action: func(c *cli.Context) error {
			given, err := settings(c, nil)
			if err != nil {
				return err
			}
			log, err := newLogger(c.String("log-level"), c.String("log-format"))
			if err != nil {
				return err
			}
			return run(c, given, log, "")
		},
	}
}

// run starts a broker and waits for a signal or a failure. note is a line for the start-up block.
func run(c *cli.Context, given map[string]config.Setting, log *zap.Logger, note string) error {
	began := time.Now()
	store, warnings, err := config.NewStore(given)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		log.Warn("configuration", zap.String("warning", w))
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stopping := make(chan struct{})
	go awaitSignals(signals, log, func() { cancel(errStopped); close(stopping) })

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	health := broker.NewHealth()
	closeMetrics, err := serveMetrics(c.String("metrics-listen"), health.Handler(registry), log)
	if err != nil {
		return err
	}
	defer closeMetrics()
	b, err := broker.Start(ctx, broker.Options{
		Config: store, FS: vfs.OS{}, Memory: boundMemory("/"), Registry: registry, Health: health, Logger: log,
	})
	if errors.Is(err, errStopped) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.String("log-format") == "console" {
		fmt.Fprint(os.Stderr, summary(b, store.Broker(), c.String("metrics-listen"), note, time.Since(began)))
	}
	log.Info("ready", zap.Duration("after", time.Since(began)), zap.Int32("broker_id", b.ID()), zap.String("cluster_id", b.ClusterID()),
		zap.String("zookeeper", store.Broker().ZooKeeperConnect), zap.String("advertised", endpoints(b.Advertised())),
		zap.Strings("log_dirs", store.Broker().LogDirs))

	select {
	case <-stopping:
		return stop(b)
	case err := <-b.Failed():
		log.Error("broker cannot go on", zap.Error(err))
		return errors.Join(err, stop(b))
	}
}

var errStopped = errors.New("stopped by a signal")

// awaitSignals stops the broker cleanly at the first signal and at once at the second.
func awaitSignals(signals <-chan os.Signal, log *zap.Logger, stop func()) {
	s := <-signals
	log.Info("stopping", zap.String("signal", s.String()))
	stop()
	// Whoever signals a process group signals us twice: one intention, not two.
	for first := time.Now(); time.Since(first) < secondSignal; {
		s = <-signals
	}
	log.Warn("stopping at once, logs will be recovered at the next start", zap.String("signal", s.String()))
	os.Exit(1)
}

func stop(b *broker.Broker) error {
	others, cancelOthers := context.WithTimeout(context.Background(), handOverGrace)
	defer cancelOthers()
	b.HandOver(others)
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	return b.Stop(ctx)
}

// serveMetrics serves the handler at an address, if one is given.
func serveMetrics(address string, h http.Handler, log *zap.Logger) (closer func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--metrics-listen %s: %w", address, err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics are not served any more", zap.Error(err))
		}
	}()
	log.Info("serving metrics", zap.String("address", l.Addr().String()))
	return func() { _ = s.Close(); <-done }, nil
}
