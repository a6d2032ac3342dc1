package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/kbroker/kbroker/broker/config"
)

// keyFlags are flags that stand for a configuration key.
var keyFlags = []struct{ flag, key, usage string }{
	{"broker-id", "broker.id", "id of this broker in the cluster; generated when absent"},
	{"zookeeper", "zookeeper.connect", "ZooKeeper servers: host:port,host:port/chroot"},
	{"listeners", "listeners", "where to listen: PLAINTEXT://host:port,..."},
	{"advertised-listeners", "advertised.listeners", "what clients and brokers are told to connect to"},
	{"log-dirs", "log.dirs", "folders for the logs, separated by commas"},
}

// settingFlags are the flags that start, dev and config share.
func settingFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "Kafka's server.properties, as it is", TakesFile: true},
		&cli.StringSliceFlag{Name: "override", Usage: "`key=value` over the file; may be given several times"},
	}
	for _, k := range keyFlags {
		flags = append(flags, &cli.StringFlag{Name: k.flag, Usage: k.usage + " (" + k.key + ")"})
	}
	return flags
}

// settings collects what was given: defaults of the command, then the file, then overrides, then
// flags, each over the one before.
func settings(c *cli.Context, defaults map[string]string) (map[string]config.Setting, error) {
	if c.Args().Present() {
		return nil, fmt.Errorf("unexpected argument %q; a properties file is given with --config %s", c.Args().First(), c.Args().First())
	}
	given := map[string]config.Setting{}
	for key, value := range defaults {
		given[key] = config.Setting{Value: value, Origin: "kbroker " + c.Command.Name}
	}
	if path := c.String("config"); path != "" {
		file, err := config.ReadProperties(path)
		if err != nil {
			return nil, err
		}
		for key, s := range file {
			given[key] = s
		}
	}
	for _, override := range c.StringSlice("override") {
		key, value, ok := strings.Cut(override, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			return nil, fmt.Errorf("--override %q is not key=value", override)
		}
		given[key] = config.Setting{Value: strings.TrimSpace(value), Origin: "--override"}
	}
	for _, k := range keyFlags {
		if c.IsSet(k.flag) {
			given[k.key] = config.Setting{Value: c.String(k.flag), Origin: "--" + k.flag}
		}
	}
	return given, nil
}
