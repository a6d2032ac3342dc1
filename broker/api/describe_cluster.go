package api

import (
	"context"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/server"
	"github.com/kbroker/kbroker/protocol"
)

// Endpoint types of DescribeCluster v1 (KIP-919).
const (
	brokersEndpoint     = 1
	controllersEndpoint = 2
)

// DescribeCluster (key 60), versions 0 to 1.
//
// Tells the cluster id, the controller and the brokers on the client's listener (KIP-700).
//
//	v1  the request says whether brokers or controllers are meant (KIP-919); only brokers are here
//
// Source: AuthHelper.computeDescribeClusterResponse.
func (h *Handlers) describeCluster(_ context.Context, c *server.Call, req *kmsg.DescribeClusterRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	resp.ClusterAuthorizedOperations = math.MinInt32
	resp.EndpointType = brokersEndpoint
	if req.Version >= 1 && req.EndpointType != brokersEndpoint {
		resp.ErrorCode = protocol.MismatchedEndpointType
		message := "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
		if req.EndpointType != controllersEndpoint {
			resp.ErrorCode = protocol.UnsupportedEndpointType
			message = fmt.Sprintf("Unsupported endpoint type %d", req.EndpointType)
		}
		resp.ErrorMessage = &message
		return resp
	}
	image := h.rooms.Metadata.Load()
	resp.ClusterID = image.ClusterID
	resp.ControllerID = -1
	for _, b := range image.Brokers() {
		e, ok := b.Endpoint(c.Conn.Listener)
		if !ok {
			continue
		}
		rb := kmsg.NewDescribeClusterResponseBroker()
		rb.NodeID, rb.Host, rb.Port, rb.Rack = b.ID, e.Host, e.Port, b.Rack
		resp.Brokers = append(resp.Brokers, rb)
		if b.ID == image.ControllerID {
			resp.ControllerID = b.ID
		}
	}
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	return resp
}
