package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/urfave/cli/v2"
)

// defaultName stands for the quotas of all that have none of their own.
const defaultName = "<default>"

// quotaEntity is what the flags name: users, clients and addresses.
func quotaEntity(c *cli.Context) (kadm.ClientQuotaEntity, error) {
	var entity kadm.ClientQuotaEntity
	for _, kind := range []string{"user", "client-id", "ip"} {
		if !c.IsSet(kind) {
			continue
		}
		part := kadm.ClientQuotaEntityComponent{Type: kind}
		if name := c.String(kind); name != defaultName {
			part.Name = &name
		}
		entity = append(entity, part)
	}
	_, err := resourceOf(c)
	switch {
	case err == nil:
		return nil, errors.New("--user, --client-id and --ip are of quotas: what has a configuration excludes them")
	case c.IsSet("ip") && len(entity) > 1:
		return nil, errors.New("--ip excludes --user and --client-id")
	}
	return entity, nil
}

type shownQuota struct {
	Entity map[string]string  `json:"entity"`
	Quotas map[string]float64 `json:"quotas"`
}

func getQuotas(ctx context.Context, c *cli.Context, cluster *kafka) error {
	entity, err := quotaEntity(c)
	if err != nil {
		return err
	}
	if c.Args().Present() {
		return fmt.Errorf("%s: all quotas of what is named are shown, without names of keys", c.Args().First())
	}
	var parts []kadm.DescribeClientQuotaComponent
	for _, e := range entity {
		part := kadm.DescribeClientQuotaComponent{Type: e.Type, MatchName: e.Name} // a match of the name exactly
		if e.Name == nil {
			part.MatchType = 1 // the default
		}
		parts = append(parts, part)
	}
	found, err := cluster.DescribeClientQuotas(ctx, true, parts)
	if err != nil {
		return failure("describe quotas", err)
	}
	quotas := []shownQuota{}
	for _, f := range found {
		q := shownQuota{map[string]string{}, map[string]float64{}}
		for _, e := range f.Entity {
			q.Entity[e.Type] = defaultName
			if e.Name != nil {
				q.Entity[e.Type] = *e.Name
			}
		}
		for _, v := range f.Values {
			q.Quotas[v.Key] = v.Value
		}
		quotas = append(quotas, q)
	}
	return show(c, quotas, func(w io.Writer) {
		fmt.Fprintln(w, "ENTITY\tQUOTAS")
		for _, q := range quotas {
			values := map[string]string{}
			for k, v := range q.Quotas {
				values[k] = strconv.FormatFloat(v, 'f', -1, 64)
			}
			fmt.Fprintf(w, "%s\t%s\n", pairs(q.Entity), orDash(pairs(values)))
		}
	})
}

func alterQuotas(ctx context.Context, c *cli.Context, cluster *kafka, changes []kadm.AlterConfig) error {
	entity, err := quotaEntity(c)
	if err != nil {
		return err
	}
	entry := kadm.AlterClientQuotaEntry{Entity: entity}
	for _, change := range changes {
		op := kadm.AlterClientQuotaOp{Key: change.Name, Remove: change.Op == kadm.DeleteConfig}
		if !op.Remove {
			if op.Value, err = strconv.ParseFloat(*change.Value, 64); err != nil || change.Op != kadm.SetConfig {
				return fmt.Errorf("%s: a quota is set to a number, %q is none", change.Name, *change.Value)
			}
		}
		entry.Ops = append(entry.Ops, op)
	}
	alter := cluster.AlterClientQuotas
	if c.Bool("validate-only") {
		alter = cluster.ValidateAlterClientQuotas
	}
	answers, err := alter(ctx, []kadm.AlterClientQuotaEntry{entry})
	if err != nil {
		return failure("alter quotas", err)
	}
	outcomes := []outcome{}
	for _, a := range answers {
		name := strings.Trim(a.Entity.String(), "{}")
		outcomes = append(outcomes, outcome{Name: name, Result: "changed", Error: answered(a.Err, a.ErrMessage)})
	}
	return showOutcomes(c, "ENTITY", outcomes)
}
