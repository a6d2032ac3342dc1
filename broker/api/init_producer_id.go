package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// producerIDWait bounds how long a producer waits for a block from the controller, before it is told to try again. Kafka
// tells at once; a controller mostly answers sooner than the client would be back.
const producerIDWait = time.Second

// InitProducerId (key 22), versions 0 to 5.
//
// Gives an idempotent producer its id, with epoch 0; any broker may. With a transactional id it is the transaction
// coordinator's to answer, which is not there yet: COORDINATOR_NOT_AVAILABLE, which clients retry.
//
//	v2  flexible encoding
//	v3  the producer's current id and epoch (KIP-360)
//	v4  PRODUCER_FENCED (KIP-588)
//	v5  TRANSACTION_ABORTABLE (KIP-890)
//
// Sources: KafkaApis.handleInitProducerIdRequest, TransactionCoordinator.handleInitProducerId.
func (h *Handlers) initProducerID(ctx context.Context, _ *server.Call, req *kmsg.InitProducerIDRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	switch {
	case req.Version >= 3 && (req.ProducerID == -1) != (req.ProducerEpoch == -1):
		resp.ErrorCode = protocol.InvalidRequest
	case req.TransactionalID != nil && *req.TransactionalID == "":
		resp.ErrorCode = protocol.InvalidRequest
	case req.TransactionalID != nil:
		resp.ErrorCode = protocol.CoordinatorNotAvailable
	default:
		ctx, cancel := context.WithTimeout(ctx, producerIDWait)
		defer cancel()
		id, err := h.rooms.ProducerIDs.Next(ctx)
		if err != nil {
			// The controller is not there at the moment, or another block is on its way.
			h.log.Warn("no producer id for a client, which will try again", zap.Error(err))
			resp.ErrorCode = protocol.CoordinatorLoadInProgress
			return resp
		}
		resp.ProducerID, resp.ProducerEpoch = id, 0
	}
	return resp
}
