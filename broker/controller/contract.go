// Package controller is the elected brain of the cluster: partition and replica state machines, fed by ZooKeeper and requests.
package controller

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/broker/metadata"
	"github.com/kbroker/kbroker/broker/peer"
	"github.com/kbroker/kbroker/zkmeta"
)

// Errors of this package, one per Kafka error code; broker/api maps them.
var (
	ErrNotController            = errors.New("this broker is not the controller")
	ErrTopicExists              = errors.New("topic exists already")
	ErrUnknownTopic             = errors.New("topic does not exist")
	ErrUnknownTopicID           = errors.New("topic id does not exist")
	ErrInvalidTopic             = errors.New("topic name is not legal")
	ErrInvalidPartitions        = errors.New("number of partitions is not legal")
	ErrInvalidReplicationFactor = errors.New("replication factor is not legal")
	ErrInvalidAssignment        = errors.New("replica assignment is not legal")
	ErrInvalidConfig            = errors.New("topic configuration is not legal")
	ErrInvalidRequest           = errors.New("request is not legal")
	ErrTopicDeletionDisabled    = errors.New("delete.topic.enable is false")
	ErrReassignmentInProgress   = errors.New("partition reassignment is in progress")
	ErrStaleBrokerEpoch         = errors.New("broker epoch is not the registered one")
	ErrBrokerNotRegistered      = errors.New("broker is not registered")
)

// Refusal is an error with the text that Kafka answers in error_message.
type Refusal struct {
	Err     error // one of the above
	Message string
}

func (r *Refusal) Error() string { return r.Message }
func (r *Refusal) Unwrap() error { return r.Err }

// NewTopic is a topic to be created.
type NewTopic struct {
	Name              string
	Partitions        int32              // -1: num.partitions
	ReplicationFactor int16              // -1: default.replication.factor
	Assignment        map[int32][]int32  // excludes the two above
	Config            map[string]*string // a nil value is refused as Kafka does
}

// Created is what became of a NewTopic.
type Created struct {
	ID                [16]byte
	Partitions        int32
	ReplicationFactor int16
	Config            map[string]string // the overrides
	Err               error
}

// Options are what a Controller is made of.
type Options struct {
	BrokerID  int32
	ZooKeeper *zkmeta.Client
	// Register registers this broker under the current session; called at start and after every expiry, before an election.
	Register   func(ctx context.Context) (brokerEpoch int64, err error)
	Config     *config.Store
	Metadata   *metadata.Cache
	Dial       peer.Dial
	Registerer prometheus.Registerer
	Logger     *zap.Logger
}

// Controller takes part in elections and, when elected, runs the cluster. All its state belongs to one goroutine; the
// methods post an event and wait for its answer.
type Controller struct{}

func New(o Options) *Controller { panic("unwritten") }

// Run registers the broker, takes part in elections and handles events until ctx ends. registered is closed after the first registration.
func (c *Controller) Run(ctx context.Context, registered chan<- struct{}) error { panic("unwritten") }

// Active reports whether this broker is the controller now.
func (c *Controller) Active() bool { panic("unwritten") }

// CreateTopics validates and creates topics, and returns when they are written; ErrNotController in each when another broker is controller.
func (c *Controller) CreateTopics(ctx context.Context, topics []NewTopic, validateOnly bool) []Created {
	panic("unwritten")
}

// CreateDirectly creates one topic as any broker may (auto-creation on Metadata, internal topics).
func (c *Controller) CreateDirectly(ctx context.Context, t NewTopic) Created { panic("unwritten") }

// DeleteTopics marks topics for deletion.
func (c *Controller) DeleteTopics(ctx context.Context, names []string) []error { panic("unwritten") }

// MorePartitions is one topic of CreatePartitions.
type MorePartitions struct {
	Topic      string
	Count      int32
	Assignment [][]int32 // nil: assigned by the controller
}

func (c *Controller) CreatePartitions(ctx context.Context, topics []MorePartitions, validateOnly bool) []error {
	panic("unwritten")
}

// AllocateProducerIDs gives a block of producer ids to a broker.
func (c *Controller) AllocateProducerIDs(ctx context.Context, brokerID int32, brokerEpoch int64) (first int64, count int32, err error) {
	panic("unwritten")
}

// ValidateTopicName checks a name as Kafka's Topic.validate does; the error is a *Refusal of ErrInvalidTopic.
func ValidateTopicName(name string) error { panic("unwritten") }
