package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestBrokerIDTaken starts a second broker with the id of the first: it says what it waits for, does not take the
// registration away, and gets the id when the first one is gone.
func TestBrokerIDTaken(t *testing.T) {
	t.Parallel()
	z := harness.StartZooKeeper(t)
	first := harness.StartBroker(t, harness.Options{ZooKeeper: z.Address()})
	second := harness.NewBroker(t, harness.Options{ZooKeeper: z.Address()})
	second.Launch(t)
	second.AwaitOutput(t, "broker id is registered by another session, waiting for it to end", clientDeadline)

	conn := connect(t, z.Address())
	expectRegistered := func(b *harness.Broker) error {
		data, _, err := conn.Get("/brokers/ids/1")
		if err == nil && !strings.Contains(string(data), fmt.Sprintf(`"port":%d`, b.Port)) {
			err = fmt.Errorf("registered is %s, not port %d", data, b.Port)
		}
		return err
	}
	if err := expectRegistered(first); err != nil {
		t.Fatal(err)
	}
	first.Stop(t)
	second.AwaitReady(t)
	if err := expectRegistered(second); err != nil {
		t.Fatal(err)
	}
	c := harness.NewClient(t, second.Address())
	harness.CreateTopic(t, c, "second", 1, nil)
	harness.Produce(t, c, &kgo.Record{Topic: "second", Value: []byte("v")})
}

// TestRefusedStarts starts brokers that must not run, and expects a reason that a person can act on. None of them may
// harm the broker that runs.
func TestRefusedStarts(t *testing.T) {
	t.Parallel()
	z := harness.StartZooKeeper(t)
	first := harness.StartBroker(t, harness.Options{ZooKeeper: z.Address()})
	c := harness.NewClient(t, first.Address())
	harness.CreateTopic(t, c, "kept", 1, nil)
	for name, test := range map[string]struct {
		options harness.Options
		same    bool // as the first broker's port
		want    []string
	}{
		"log directory in use": {
			options: harness.Options{ZooKeeper: z.Address(), Dir: first.Dir},
			want:    []string{first.Dir, "in use by another broker"},
		},
		"log directory of another cluster": {
			options: harness.Options{ZooKeeper: z.Address() + "/other", Dir: first.Dir},
			want:    []string{"cluster id", "meta.properties"},
		},
		"another broker id": {
			options: harness.Options{ZooKeeper: z.Address(), Dir: first.Dir, Args: []string{"--broker-id", "7"}},
			want:    []string{"broker.id=7 differs from broker.id=1 in meta.properties"},
		},
		"port in use": {
			options: harness.Options{ZooKeeper: z.Address(), Args: []string{"--broker-id", "8"}},
			same:    true,
			want:    []string{fmt.Sprintf("127.0.0.1:%d", first.Port), "address already in use"},
		},
		"a bad value": {
			options: harness.Options{ZooKeeper: z.Address(), Config: map[string]string{"log.retention.hours": "-5", "log.segment.bytes": "x"}},
			want:    []string{"log.segment.bytes", "Invalid value x", "Not a number of type INT"},
		},
		"KRaft": {
			options: harness.Options{ZooKeeper: z.Address(), Config: map[string]string{"process.roles": "broker"}},
			want:    []string{"process.roles=broker: kbroker has no KRaft mode"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := harness.NewBroker(t, test.options)
			if test.same {
				b.Port = first.Port
			}
			b.Launch(t)
			if code := b.AwaitExit(t, clientDeadline); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			for _, want := range test.want {
				if !strings.Contains(b.Output(), want) {
					t.Errorf("the reason does not name %q:\n%s", want, b.Output())
				}
			}
		})
	}
	harness.Produce(t, c, &kgo.Record{Topic: "kept", Value: []byte("value 0")})
	expectNumbered(t, first, "kept", 1)
	if locks, err := filepath.Glob(filepath.Join(first.Dir, ".lock")); err != nil || len(locks) != 1 {
		t.Errorf("lock files: %v, %v", locks, err)
	}
}
