package zkmeta

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
)

// producerIDBlockSize is how many ids a broker gets at a time (ProducerIdsBlock.java).
const producerIDBlockSize = 1000

// ProducerIDBlock is /latest_producer_id_block.
type ProducerIDBlock struct {
	BrokerID    int32
	First, Last int64 // inclusive
}

// AllocateProducerIDs takes the next block of 1,000 for a broker. No id is given twice; a block whose answer was lost
// for good is skipped.
func (c *Client) AllocateProducerIDs(ctx context.Context, l Lease, brokerID int32) (ProducerIDBlock, error) {
	s, err := c.bind()
	if err != nil {
		return ProducerIDBlock{}, err
	}
	var (
		mine   []byte // what a try of unknown outcome wrote
		block  ProducerIDBlock
		expect int32
	)
	for {
		data, stat, ok, err := s.lookup(ctx, producerIDsPath, nil)
		if err != nil {
			return ProducerIDBlock{}, err
		}
		if !ok {
			if err := c.ensurePaths(ctx, producerIDsPath); err != nil {
				return ProducerIDBlock{}, err
			}
			continue
		}
		if mine != nil && stat.Version == expect+1 && bytes.Equal(data, mine) {
			return block, nil
		}
		block = ProducerIDBlock{BrokerID: brokerID, First: 0, Last: producerIDBlockSize - 1}
		if len(data) > 0 {
			latest, err := decodeProducerIDs(data)
			if err != nil {
				return ProducerIDBlock{}, err
			}
			if latest.Last > math.MaxInt64-producerIDBlockSize {
				return ProducerIDBlock{}, fmt.Errorf("allocate producer ids: the last block ends at %d, no id is left", latest.Last)
			}
			block.First, block.Last = latest.Last+1, latest.Last+producerIDBlockSize
		}
		mine, expect = producerIDsZNode(block).encode(), stat.Version
		_, err = s.commitWith(ctx, &l, "set", s.set(producerIDsPath, mine, expect))
		switch {
		case err == nil:
			return block, nil
		case errors.Is(err, errLost):
		case errors.Is(err, ErrBadVersion):
			// Another took a block, or an earlier try of ours did: mine stays for the comparison.
		default:
			return ProducerIDBlock{}, err
		}
	}
}
