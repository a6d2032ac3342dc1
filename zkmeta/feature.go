package zkmeta

import (
	"context"
	"errors"
)

// Feature is /feature; EnsureFeature creates or enables it as the controller does (KIP-584).
type Feature struct {
	Version  int32 // dataVersion of the znode: finalizedFeaturesEpoch
	Exists   bool
	Features map[string]int16 // finalized level by name; empty while the znode says disabled
}

// Feature reads /feature; n watches for creation, change and deletion.
func (c *Client) Feature(ctx context.Context, n Notify) (Feature, error) {
	s, err := c.bind()
	if err != nil {
		return Feature{}, err
	}
	data, stat, ok, err := s.lookup(ctx, featurePath, n)
	if err != nil || !ok {
		return Feature{}, err
	}
	z, err := decodeFeature(data)
	if err != nil {
		return Feature{}, err
	}
	f := Feature{Version: stat.Version, Exists: true, Features: map[string]int16{}}
	if z.Enabled {
		f.Features = z.Features
	}
	return f, nil
}

// EnsureFeature makes /feature enabled and of version 2 and keeps the finalized features of an enabled one
// (KafkaController.scala, enableFeatureVersioning). It writes only what differs.
func (c *Client) EnsureFeature(ctx context.Context, l Lease) error {
	s, err := c.bind()
	if err != nil {
		return err
	}
	for {
		data, stat, ok, err := s.lookup(ctx, featurePath, nil)
		if err != nil {
			return err
		}
		want := featureZNode{Version: 2, Enabled: true}
		write := s.create(featurePath, want.encode(), 0)
		if ok {
			stored, err := decodeFeature(data)
			if err != nil {
				return err
			}
			if stored.Version == 2 && stored.Enabled {
				return nil
			}
			if stored.Enabled {
				want.Features = stored.Features
			}
			write = s.set(featurePath, want.encode(), stat.Version)
		}
		_, err = s.commitWith(ctx, &l, "write", write)
		if !errors.Is(err, errLost) && !errors.Is(err, ErrNodeExists) && !errors.Is(err, ErrBadVersion) && !errors.Is(err, ErrNoNode) {
			return err
		}
	}
}
