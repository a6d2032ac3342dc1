package config

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestGroupProtocolsAndAssignors(t *testing.T) {
	base := map[string]string{"zookeeper.connect": "127.0.0.1:1", "broker.id": "1", "log.dirs": "/l"}
	start := func(name, value string) (Groups, error) {
		static := map[string]string{name: value}
		for k, v := range base {
			static[k] = v
		}
		s, _, err := NewStore(settings(static))
		if err != nil {
			return Groups{}, err
		}
		return s.Broker().Groups, nil
	}
	g, err := start("group.max.size", "7")
	if err != nil || !g.ConsumerProtocol || !g.Consumer.Upgrade || !g.Consumer.Downgrade || g.MaxSize != 7 ||
		!slices.Equal(g.Consumer.Assignors, []string{"uniform", "range"}) || g.Consumer.SessionTimeout != 45*time.Second {
		t.Errorf("%+v, %v", g, err)
	}
	if g, err = start("group.coordinator.rebalance.protocols", "classic"); err != nil || g.ConsumerProtocol {
		t.Errorf("%+v, %v", g, err)
	}
	if g, err = start("group.consumer.migration.policy", "Upgrade"); err != nil || !g.Consumer.Upgrade || g.Consumer.Downgrade {
		t.Errorf("%+v, %v", g, err)
	}
	if g, err = start("group.consumer.assignors", "range"); err != nil || !slices.Equal(g.Consumer.Assignors, []string{"range"}) {
		t.Errorf("%+v, %v", g, err)
	}
	for name, values := range map[string][]string{
		"group.coordinator.rebalance.protocols":    {"consumer", "classic,share", "", "classic,other"},
		"group.consumer.assignors":                 {"", "com.example.Mine", "range,range"},
		"group.consumer.session.timeout.ms":        {"44999", "60001", "4999"},
		"group.consumer.heartbeat.interval.ms":     {"4999", "15001"},
		"group.consumer.min.session.timeout.ms":    {"45001"},
		"group.consumer.max.heartbeat.interval.ms": {"4999"},
		"group.consumer.migration.policy":          {"sideways"},
	} {
		for _, v := range values {
			if _, err := start(name, v); err == nil {
				t.Errorf("%s=%s starts", name, v)
			}
		}
	}
}

func TestSettingsOfOneGroup(t *testing.T) {
	s := newStore(t, map[string]string{"zookeeper.connect": "127.0.0.1:1", "broker.id": "1", "log.dirs": "/l"})
	for _, c := range []struct {
		settings map[string]string
		message  string
	}{
		{nil, ""},
		{map[string]string{groupSession: "50000", groupHeartbeat: "6000"}, ""},
		{map[string]string{groupSession: "44999"}, "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"},
		{map[string]string{groupSession: "60001"}, "consumer.session.timeout.ms must be less than or equal to group.consumer.max.session.timeout.ms"},
		{map[string]string{groupHeartbeat: "4999"}, "consumer.heartbeat.interval.ms must be greater than or equal to group.consumer.min.heartbeat.interval.ms"},
		{map[string]string{groupHeartbeat: "15001"}, "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms"},
		{map[string]string{groupSession: "soon"}, "Invalid value soon for configuration consumer.session.timeout.ms: Not a number of type INT"},
		{map[string]string{"retention.ms": "1"}, "Unknown group config name: retention.ms"},
	} {
		err := s.ValidateGroup(c.settings)
		var invalid *Invalid
		if got := ""; err != nil {
			if !errors.As(err, &invalid) {
				t.Fatal(err)
			}
			if got = invalid.Message; got != c.message {
				t.Errorf("%v: %q, want %q", c.settings, got, c.message)
			}
		} else if c.message != "" {
			t.Errorf("%v is legal", c.settings)
		}
	}
	times := s.GroupTimes(map[string]string{groupSession: "50000", groupHeartbeat: "nonsense", "other": "1"})
	if times.SessionTimeout != 50*time.Second || times.HeartbeatInterval != 5*time.Second {
		t.Errorf("times %+v", times)
	}

	all := s.DescribeGroup(map[string]string{groupSession: "50000"}, nil)
	if len(all) != 2 || all[0].Name != groupHeartbeat || *all[0].Value != "5000" || all[0].Source != SourceDefault ||
		all[1].Name != groupSession || *all[1].Value != "50000" || all[1].Source != SourceGroup || all[1].ReadOnly {
		t.Errorf("%+v", all)
	}
	if one := s.DescribeGroup(nil, []string{groupSession, "other"}); len(one) != 1 || *one[0].Value != "45000" {
		t.Errorf("%+v", one)
	}
}
