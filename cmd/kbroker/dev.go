package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/zkmeta/zkserver"
)

// embeddedFile is the znode tree of the embedded ZooKeeper server, beside the logs. Kafka
// ignores plain files in a log directory.
const embeddedFile = "kbroker-zookeeper.db"

// devDefaults make one broker work alone; flags and file come over them.
var devDefaults = map[string]string{
	"broker.id":                        "1",
	"listeners":                        "PLAINTEXT://localhost:9092",
	"offsets.topic.replication.factor": "1",
	// Who works alone need not wait for more members.
	"group.initial.rebalance.delay.ms":         "0",
	"transaction.state.log.replication.factor": "1",
	"transaction.state.log.min.isr":            "1",
}

func devCommand() *cli.Command {
	return &cli.Command{
		Name:  "dev",
		Usage: "run one broker with the embedded ZooKeeper server, no set-up needed",
		Description: "Serves localhost:9092 and creates topics on first use. Data is kept in the user's data\n" +
			"folder, or under --log-dirs. With --zookeeper no embedded server is started.",
		Flags:  runFlags(),
		Action: dev,
	}
}

func dev(c *cli.Context) error {
	given, err := settings(c, devDefaults)
	if err != nil {
		return err
	}
	log, err := newLogger(c.String("log-level"), c.String("log-format"))
	if err != nil {
		return err
	}
	dir, err := firstLogDir(given)
	if err != nil {
		return err
	}
	if _, ok := given["zookeeper.connect"]; ok {
		return run(c, given, log, "")
	}
	zookeeper, err := embedded(dir, log)
	if err != nil {
		return err
	}
	defer zookeeper.Close()
	given["zookeeper.connect"] = config.Setting{Value: zookeeper.Addr().String(), Origin: "kbroker dev"}
	return run(c, given, log, " (embedded)")
}

// firstLogDir returns the first of log.dirs, choosing the user's data folder when none is given.
func firstLogDir(given map[string]config.Setting) (string, error) {
	for _, key := range []string{"log.dirs", "log.dir"} {
		if s, ok := given[key]; ok {
			return strings.TrimSpace(strings.Split(s.Value, ",")[0]), nil
		}
	}
	data := os.Getenv("XDG_DATA_HOME")
	if data == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("no folder for the data: %w; give one with --log-dirs", err)
		}
		data = filepath.Join(home, ".local", "share")
	}
	dir := filepath.Join(data, "kbroker")
	given["log.dirs"] = config.Setting{Value: dir, Origin: "kbroker dev"}
	return dir, nil
}

// embedded starts the ZooKeeper server on a free port of the loopback address. Its only client
// is this process, so sessions of an earlier run are ended at once.
func embedded(dir string, log *zap.Logger) (*zkserver.Server, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the log directory: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the embedded zookeeper server: %w", err)
	}
	s, err := zkserver.New(zkserver.Options{
		Path:     filepath.Join(dir, embeddedFile),
		Listener: l,
		Logger:   log.Named("zkserver"),
	})
	if err != nil {
		_ = l.Close() // the error below says more
		if errors.Is(err, zkserver.ErrInUse) {
			return nil, fmt.Errorf("another kbroker runs on %s: end it, or give this one another folder with --log-dirs", dir)
		}
		return nil, fmt.Errorf("start the embedded zookeeper server: %w", err)
	}
	for _, id := range s.Sessions() {
		s.ExpireSession(id)
	}
	return s, nil
}
