package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v2"
)

const configsDescription = `Of what, say with --topic, --broker, --broker-defaults (of all brokers), --broker-logger or --group; names may
be repeated. Quotas are those of --user, --client-id (both together: of this client of this user) or --ip; a
name of <default> means all that have none of their own.`

func configsCommand() *cli.Command {
	return &cli.Command{
		Name:  "configs",
		Usage: "get, set and delete configurations of topics, brokers and groups, and quotas of clients",
		Subcommands: []*cli.Command{
			{
				Name:        "get",
				Usage:       "show what is configured dynamically, or all keys",
				ArgsUsage:   "[KEY...]",
				Description: configsDescription,
				Flags: clusterFlags(append(resourceFlags(),
					&cli.BoolFlag{Name: "all", Usage: "all keys, with where each value comes from"},
					&cli.BoolFlag{Name: "synonyms", Usage: "the values that would count next, too"})...),
				Action: action(getConfigs),
			},
			{
				Name:        "set",
				Usage:       "set keys",
				ArgsUsage:   "KEY=VALUE...",
				Description: configsDescription + "\nKEY+=VALUE adds to a list, KEY-=VALUE takes from it.",
				Flags:       clusterFlags(append(resourceFlags(), validateFlag())...),
				Action:      action(setConfigs),
			},
			{
				Name:        "delete",
				Usage:       "delete keys, so that the next default counts",
				ArgsUsage:   "KEY...",
				Description: configsDescription,
				Flags:       clusterFlags(append(resourceFlags(), validateFlag())...),
				Action:      action(deleteConfigs),
			},
		},
	}
}

func resourceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "topic", Aliases: []string{"t"}, Usage: "of `TOPIC`"},
		&cli.StringSliceFlag{Name: "broker", Usage: "of broker `ID`"},
		&cli.BoolFlag{Name: "broker-defaults", Usage: "of all brokers"},
		&cli.StringSliceFlag{Name: "broker-logger", Usage: "the log levels of broker `ID`"},
		&cli.StringSliceFlag{Name: "group", Usage: "of consumer `GROUP`"},
		&cli.StringFlag{Name: "user", Usage: "quotas of `USER`"},
		&cli.StringFlag{Name: "client-id", Usage: "quotas of clients with `ID`"},
		&cli.StringFlag{Name: "ip", Usage: "quotas of clients at `ADDRESS`"},
	}
}

// resource is what has a configuration.
type resource struct {
	kind  kmsg.ConfigResourceType
	title string
	names []string
}

// resourceOf is what the flags name, unless that is quotas.
func resourceOf(c *cli.Context) (resource, error) {
	var given []resource
	for _, r := range []resource{
		{kmsg.ConfigResourceTypeTopic, "topic", c.StringSlice("topic")},
		{kmsg.ConfigResourceTypeBroker, "broker", c.StringSlice("broker")},
		{kmsg.ConfigResourceTypeBrokerLogger, "broker-logger", c.StringSlice("broker-logger")},
		{kmsg.ConfigResourceTypeGroupConfig, "group", c.StringSlice("group")},
	} {
		if len(r.names) > 0 {
			given = append(given, r)
		}
	}
	if c.Bool("broker-defaults") {
		given = append(given, resource{kmsg.ConfigResourceTypeBroker, "broker", []string{""}})
	}
	if len(given) != 1 {
		return resource{}, errors.New("say of what: one of --topic, --broker, --broker-defaults, --broker-logger, --group, --user, --client-id, --ip")
	}
	return given[0], nil
}

func wantsQuotas(c *cli.Context) bool {
	return c.IsSet("user") || c.IsSet("client-id") || c.IsSet("ip")
}

// resourceConfigs are the entries of one resource.
type resourceConfigs struct {
	Type    string        `json:"type"`
	Name    string        `json:"name"` // empty: the defaults of all brokers
	Entries []configEntry `json:"entries"`
	err     error
}

type configEntry struct {
	Key       string   `json:"key"`
	Value     string   `json:"value"` // empty when sensitive
	Source    string   `json:"source"`
	Sensitive bool     `json:"sensitive,omitempty"`
	ReadOnly  bool     `json:"readOnly,omitempty"`
	Synonyms  []string `json:"synonyms,omitempty"`
	dynamic   bool
}

// describeConfigs asks for keys, or all if there are none, of the named resources; those that cannot be described have an err.
func describeConfigs(ctx context.Context, cluster *kafka, kind kmsg.ConfigResourceType, keys []string, names ...string) ([]resourceConfigs, error) {
	if len(names) == 0 {
		return nil, nil
	}
	q := kmsg.NewPtrDescribeConfigsRequest()
	q.IncludeSynonyms = true
	for _, name := range names {
		q.Resources = append(q.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: kind, ResourceName: name, ConfigNames: keys})
	}
	found := map[string]resourceConfigs{}
	for _, shard := range cluster.requests.RequestSharded(ctx, q) {
		if shard.Err != nil {
			return nil, failure("describe configurations"+ofBrokers(kind, shard.Req), shard.Err)
		}
		for _, r := range shard.Resp.(*kmsg.DescribeConfigsResponse).Resources {
			entries := []configEntry{}
			for _, e := range r.Configs {
				entries = append(entries, entryOf(&e))
			}
			slices.SortFunc(entries, func(a, b configEntry) int { return strings.Compare(a.Key, b.Key) })
			rc := resourceConfigs{Name: r.ResourceName, Entries: entries}
			if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
				rc.err = &kadm.ErrAndMessage{Err: err, ErrMessage: text(r.ErrorMessage)}
			}
			found[r.ResourceName] = rc
		}
	}
	var list []resourceConfigs
	for _, name := range names {
		if rc, ok := found[name]; ok {
			list = append(list, rc)
			continue
		}
		list = append(list, resourceConfigs{Name: name, err: errors.New("no answer")})
	}
	return list, nil
}

// ofBrokers names the brokers that a request went to, since the client says of a broker that is not alive only that it is unknown.
func ofBrokers(kind kmsg.ConfigResourceType, q kmsg.Request) string {
	if kind != kmsg.ConfigResourceTypeBroker && kind != kmsg.ConfigResourceTypeBrokerLogger {
		return ""
	}
	var ids []string
	for _, r := range q.(*kmsg.DescribeConfigsRequest).Resources {
		ids = append(ids, orAll(r.ResourceName))
	}
	return " of broker " + strings.Join(ids, ", ")
}

func entryOf(e *kmsg.DescribeConfigsResponseResourceConfig) configEntry {
	entry := configEntry{
		Key: e.Name, Value: text(e.Value), Source: e.Source.String(), Sensitive: e.IsSensitive, ReadOnly: e.ReadOnly,
		dynamic: e.Source != kmsg.ConfigSourceDefaultConfig && e.Source != kmsg.ConfigSourceStaticBrokerConfig,
	}
	for _, s := range e.ConfigSynonyms {
		entry.Synonyms = append(entry.Synonyms, fmt.Sprintf("%s:%s=%s", s.Source, s.Name, text(s.Value)))
	}
	return entry
}

func getConfigs(ctx context.Context, c *cli.Context, cluster *kafka) error {
	if wantsQuotas(c) {
		return getQuotas(ctx, c, cluster)
	}
	of, err := resourceOf(c)
	if err != nil {
		return err
	}
	found, err := describeConfigs(ctx, cluster, of.kind, nil, of.names...)
	if err != nil {
		return err
	}
	keys, all := c.Args().Slice(), c.Bool("all")
	for i := range found {
		r := &found[i]
		if r.err != nil {
			return failure(of.title+" "+r.Name, r.err)
		}
		r.Type = of.title
		for _, key := range keys {
			if !slices.ContainsFunc(r.Entries, func(e configEntry) bool { return e.Key == key }) {
				return fmt.Errorf("%s %s has no key %s; --all shows those it has", of.title, r.Name, key)
			}
		}
		r.Entries = slices.DeleteFunc(r.Entries, func(e configEntry) bool {
			if len(keys) > 0 {
				return !slices.Contains(keys, e.Key)
			}
			return !all && !e.dynamic
		})
		if !c.Bool("synonyms") {
			for j := range r.Entries {
				r.Entries[j].Synonyms = nil
			}
		}
	}
	return show(c, found, func(w io.Writer) {
		fmt.Fprintf(w, "%s\tKEY\tVALUE\tSOURCE", strings.ToUpper(of.title))
		if c.Bool("synonyms") {
			fmt.Fprint(w, "\tSYNONYMS")
		}
		fmt.Fprintln(w)
		for _, r := range found {
			for _, e := range r.Entries {
				value := orDash(e.Value)
				if e.Sensitive {
					value = "(hidden)"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s", orAll(r.Name), e.Key, value, e.Source)
				if c.Bool("synonyms") {
					fmt.Fprintf(w, "\t%s", orDash(strings.Join(e.Synonyms, " ")))
				}
				fmt.Fprintln(w)
			}
		}
	})
}

// orAll is the name of a resource; the defaults of brokers have none.
func orAll(name string) string {
	if name == "" {
		return "<default>"
	}
	return name
}

func setConfigs(ctx context.Context, c *cli.Context, cluster *kafka) error {
	ops, err := parseSettings(c.Args().Slice())
	if err != nil {
		return err
	}
	if wantsQuotas(c) {
		return alterQuotas(ctx, c, cluster, ops)
	}
	return alterConfigs(ctx, c, cluster, ops)
}

// parseSettings reads KEY=VALUE, KEY+=VALUE and KEY-=VALUE.
func parseSettings(given []string) ([]kadm.AlterConfig, error) {
	if len(given) == 0 {
		return nil, errors.New("give KEY=VALUE, as many as you like")
	}
	var ops []kadm.AlterConfig
	for _, g := range given {
		key, value, ok := strings.Cut(g, "=")
		op := kadm.SetConfig
		switch {
		case strings.HasSuffix(key, "+"):
			op, key = kadm.AppendConfig, strings.TrimSuffix(key, "+")
		case strings.HasSuffix(key, "-"):
			op, key = kadm.SubtractConfig, strings.TrimSuffix(key, "-")
		}
		if key = strings.TrimSpace(key); !ok || key == "" {
			return nil, fmt.Errorf("%q is not KEY=VALUE", g)
		}
		ops = append(ops, kadm.AlterConfig{Op: op, Name: key, Value: &value})
	}
	return ops, nil
}

func deleteConfigs(ctx context.Context, c *cli.Context, cluster *kafka) error {
	var ops []kadm.AlterConfig
	for _, key := range c.Args().Slice() {
		if strings.Contains(key, "=") {
			return fmt.Errorf("%q: delete takes keys alone", key)
		}
		ops = append(ops, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: key})
	}
	if len(ops) == 0 {
		return errors.New("name the keys to delete")
	}
	if wantsQuotas(c) {
		return alterQuotas(ctx, c, cluster, ops)
	}
	return alterConfigs(ctx, c, cluster, ops)
}

func alterConfigs(ctx context.Context, c *cli.Context, cluster *kafka, ops []kadm.AlterConfig) error {
	of, err := resourceOf(c)
	if err != nil {
		return err
	}
	var all []resourceOps
	for _, name := range of.names {
		all = append(all, resourceOps{of.kind, name, ops})
	}
	errs := incrementalAlter(ctx, cluster, c.Bool("validate-only"), all)
	outcomes := []outcome{}
	for i, name := range of.names {
		o := outcome{Name: orAll(name), Result: "changed"}
		if c.Bool("validate-only") {
			o.Result = "would be changed"
		}
		if errs[i] != nil {
			o.Error = failureText(errs[i])
		}
		outcomes = append(outcomes, o)
	}
	return showOutcomes(c, strings.ToUpper(of.title), outcomes)
}

// resourceOps are changes of one resource.
type resourceOps struct {
	kind kmsg.ConfigResourceType
	name string
	ops  []kadm.AlterConfig
}

// incrementalAlter changes several resources in one request, and returns an error or nil for each.
func incrementalAlter(ctx context.Context, cluster *kafka, validateOnly bool, changes []resourceOps) []error {
	q := kmsg.NewPtrIncrementalAlterConfigsRequest()
	q.ValidateOnly = validateOnly
	for _, change := range changes {
		r := kmsg.NewIncrementalAlterConfigsRequestResource()
		r.ResourceType, r.ResourceName = change.kind, change.name
		for _, op := range change.ops {
			r.Configs = append(r.Configs, kmsg.IncrementalAlterConfigsRequestResourceConfig{
				Name: op.Name, Op: kmsg.IncrementalAlterConfigOp(op.Op), Value: op.Value, // kadm numbers the operations as Kafka does
			})
		}
		q.Resources = append(q.Resources, r)
	}
	errs := make([]error, len(changes))
	for i := range errs {
		errs[i] = errors.New("no answer")
	}
	for _, shard := range cluster.requests.RequestSharded(ctx, q) {
		noteAnswers(shard, changes, errs)
	}
	return errs
}

func noteAnswers(shard kgo.ResponseShard, changes []resourceOps, errs []error) {
	note := func(kind kmsg.ConfigResourceType, name string, err error) {
		for i := range changes {
			if changes[i].kind == kind && changes[i].name == name {
				errs[i] = err
			}
		}
	}
	if shard.Err != nil {
		for _, r := range shard.Req.(*kmsg.IncrementalAlterConfigsRequest).Resources {
			note(r.ResourceType, r.ResourceName, shard.Err)
		}
		return
	}
	for _, r := range shard.Resp.(*kmsg.IncrementalAlterConfigsResponse).Resources {
		err := kerr.ErrorForCode(r.ErrorCode)
		if err != nil {
			err = &kadm.ErrAndMessage{Err: err, ErrMessage: text(r.ErrorMessage)}
		}
		note(r.ResourceType, r.ResourceName, err)
	}
}
