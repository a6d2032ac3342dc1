module github.com/kbroker/kbroker

go 1.26.0

// What the broker is made of, from the wire inwards.
require (
	github.com/go-zookeeper/zk v1.0.4 // ZooKeeper's client protocol
	github.com/klauspost/compress v1.20.4 // gzip, snappy and zstd, the fastest in Go
	github.com/pierrec/lz4/v4 v4.1.33 // LZ4 frames, which klauspost/compress lacks
	github.com/prometheus/client_golang v1.25.0 // metrics
	github.com/twmb/franz-go v1.22.3 // kerr: names and texts of error codes; kgo, the client of the admin commands and of tests
	github.com/twmb/franz-go/pkg/kadm v1.20.0 // the admin commands, with kgo as their client
	github.com/twmb/franz-go/pkg/kmsg v1.15.1 // Kafka's messages: codecs of every API and version
	github.com/urfave/cli/v2 v2.27.7 // the command line
	go.etcd.io/bbolt v1.5.0 // the file of the embedded ZooKeeper server
	go.uber.org/zap v1.28.0 // logging without allocation
	golang.org/x/sys v0.50.0 // sendfile at a position, record locks
)

// What only the tests need: clients of other families, and scripts as tests.
require (
	github.com/IBM/sarama v1.61.1
	github.com/cockroachdb/datadriven v1.0.3
	github.com/prometheus/client_model v0.6.3
	github.com/segmentio/kafka-go v0.4.51
)

require (
	github.com/BurntSushi/toml v1.5.0 // indirect
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/cpuguy83/go-md2man/v2 v2.0.7 // indirect
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/eapache/go-resiliency v1.7.0 // indirect
	github.com/hashicorp/go-uuid v1.0.3 // indirect
	github.com/jcmturner/aescts/v2 v2.0.0 // indirect
	github.com/jcmturner/dnsutils/v2 v2.0.0 // indirect
	github.com/jcmturner/gofork v1.7.6 // indirect
	github.com/jcmturner/gokrb5/v8 v8.4.4 // indirect
	github.com/jcmturner/rpc/v2 v2.0.3 // indirect
	github.com/kylelemons/godebug v1.1.0 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/rcrowley/go-metrics v0.0.0-20250401214520-65e299d6c5c9 // indirect
	github.com/russross/blackfriday/v2 v2.1.0 // indirect
	github.com/xrash/smetrics v0.0.0-20240521201337-686a1a2994c1 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/exp/typeparams v0.0.0-20231108232855-2478ac86f678 // indirect
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/net v0.59.0 // indirect
	golang.org/x/sync v0.23.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	honnef.co/go/tools v0.8.2 // indirect
	mvdan.cc/gofumpt v0.12.0 // indirect
)

tool (
	honnef.co/go/tools/cmd/staticcheck
	mvdan.cc/gofumpt
)
