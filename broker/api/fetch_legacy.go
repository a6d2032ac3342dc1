package api

import (
	"errors"
	"fmt"

	"github.com/kbroker/kbroker/broker/replica"
	"github.com/kbroker/kbroker/protocol"
	"github.com/kbroker/kbroker/protocol/record"
)

// convert makes of what was read what a client of before v4 understands, and refuses what a client of
// before v10 cannot (zstd). Only that costs memory in the size of the records, which is why
// message.downconversion.enable can forbid it.
func (f *fetchCall) convert() {
	if f.version >= 10 {
		return
	}
	for i := range f.items {
		it := &f.items[i]
		if it.partition == nil || it.code != protocol.None {
			continue
		}
		if err := f.convertItem(it); err != nil {
			it.result.Slice.Release()
			it.result, it.converted = nothingRead(), nil
			f.failed(it, err)
		}
	}
}

// errNoDownConversion is the refusal of a topic with message.downconversion.enable=false.
var errNoDownConversion = errors.New("down-conversion is disabled for the topic")

func (f *fetchCall) convertItem(it *fetchItem) error {
	config := it.partition.TopicConfig()
	if config.CompressionType == record.Zstd.String() {
		return record.ErrZstdDownConversion
	}
	if f.version >= 4 {
		return nil
	}
	if f.replicaID == consumerReplicaID && !config.DownConversion {
		return errNoDownConversion
	}
	slice := &it.result.Slice
	size := slice.Len()
	if size == 0 {
		return nil
	}
	stored := make([]byte, size)
	if n, err := slice.ReadAt(stored, 0); int64(n) < size {
		return fmt.Errorf("%w: read %d bytes to convert them: %w", replica.ErrStorage, size, err)
	}
	slice.Release()
	slice.Size = 0
	magic := int8(1)
	if f.version <= 1 {
		magic = 0
	}
	var err error
	it.converted, err = record.DownConvert(nil, stored, magic, it.offset)
	return err
}
