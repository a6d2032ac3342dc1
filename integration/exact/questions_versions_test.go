package exact

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/broker/api"
	"github.com/kbroker/kbroker/protocol"
)

// askVersions asks every API in the versions before its first and after its last, and APIs that there are not.
func askVersions(apis []protocol.API) func() []question {
	return func() (questions []question) {
		empty := func(key int16) func(*side) kmsg.Request {
			return func(*side) kmsg.Request { return kmsg.RequestForKey(key) }
		}
		for _, row := range apis {
			questions = append(
				questions,
				question{row.Name + ", too old", row.Min - 1, row.Min - 1, empty(row.Key)},
				question{row.Name + ", too new", row.Max + 1, row.Max + 1, empty(row.Key)},
			)
		}
		for _, key := range []int16{-1, 93, 999, 32767} {
			questions = append(questions, question{"an API that there is not", 0, 0, func(*side) kmsg.Request {
				return disguised{Request: kmsg.NewPtrMetadataRequest(), key: &key}
			}})
		}
		return questions
	}
}

// comparedAPIs are what kbroker handles and Kafka 3.9 has with ZooKeeper.
func comparedAPIs() []protocol.API {
	handled := api.Handled()
	return slices.DeleteFunc(protocol.APIs(), func(a protocol.API) bool {
		return !slices.Contains(handled, a.Key) || slices.Contains(raftOnly, a.Name)
	})
}
