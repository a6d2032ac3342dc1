// Package txn is the transaction coordinator; for now it holds the producer ids.
package txn

import "context"

// BlockSource takes the next block of producer ids from the controller.
type BlockSource func(ctx context.Context) (first int64, count int32, err error)

// ProducerIDs hands out producer ids from blocks, fetching the next block when 90 % of one is used (Kafka: RPCProducerIdManager.scala).
type ProducerIDs struct{}

func NewProducerIDs(source BlockSource) *ProducerIDs { panic("unwritten") }

// Next returns a producer id never handed out before.
func (p *ProducerIDs) Next(ctx context.Context) (int64, error) { panic("unwritten") }
