package api

import (
	"context"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// UpdateFeatures (key 57), versions 0 and 1.
//
// Finalizes levels of features (KIP-584). With ZooKeeper no broker supports a feature, so that none can be finalized and
// there is none to remove: every update is refused, for the reason that Kafka finds first.
//
//	v1  upgrade type instead of "allow downgrade", validate only (KIP-778)
//
// Sources: KafkaApis.handleUpdateFeatures, KafkaController.validateFeatureUpdate.
func (h *Handlers) updateFeatures(_ context.Context, _ *server.Call, req *kmsg.UpdateFeaturesRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	resp.Results = []kmsg.UpdateFeaturesResponseResult{}
	if !h.rooms.Controller.Active() {
		resp.ErrorCode = protocol.NotController
		resp.ErrorMessage = text(protocol.ErrorMessage(protocol.NotController))
		return resp
	}
	seen := map[string]bool{}
	for i := range req.FeatureUpdates {
		update := &req.FeatureUpdates[i]
		if seen[update.Feature] {
			continue
		}
		seen[update.Feature] = true
		result := kmsg.NewUpdateFeaturesResponseResult()
		result.Feature, result.ErrorCode, result.ErrorMessage = update.Feature, protocol.InvalidRequest, text(featureRefusal(req.Version, update))
		resp.Results = append(resp.Results, result)
	}
	return resp
}

func featureRefusal(version int16, update *kmsg.UpdateFeaturesRequestFeatureUpdate) string {
	upgrade, unknown := update.UpgradeType == 1, update.UpgradeType < 1 || update.UpgradeType > 3
	if version == 0 {
		upgrade, unknown = !update.AllowDowngrade, false
	}
	switch {
	case update.Feature == "":
		return "Feature name can not be empty."
	case unknown:
		return "Received unknown upgrade type."
	case update.MaxVersionLevel < 1 && !upgrade:
		return "Can not delete non-existing finalized feature."
	case update.MaxVersionLevel < 1:
		return "Can not provide versionLevel: " + strconv.Itoa(int(update.MaxVersionLevel)) +
			" less than 1 without setting the SAFE downgradeType in the request."
	default:
		return "Could not apply finalized feature update because the provided feature is not supported."
	}
}
