package integration

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kbroker/kbroker/integration/harness"
)

// TestTopicPages reads topics page by page (DescribeTopicPartitions), each page going on where the one before ended, and
// lists the resources that have a configuration.
func TestTopicPages(t *testing.T) {
	b := harness.StartBroker(t, harness.Options{})
	c := harness.NewClient(t, b.Address())
	harness.CreateTopic(t, c, "b", 3, nil)
	harness.CreateTopic(t, c, "a", 2, nil)

	var pages [][]string
	q := kmsg.NewPtrDescribeTopicPartitionsRequest()
	q.ResponsePartitionLimit = 2
	for len(pages) < 10 { // there are three
		r, err := q.RequestWith(harness.Context(t), c)
		if err != nil {
			t.Fatal(err)
		}
		var page []string
		for _, topic := range r.Topics {
			for _, p := range topic.Partitions {
				if topic.ErrorCode != 0 || p.LeaderID != 1 || !slices.Equal(p.ISR, []int32{1}) {
					t.Errorf("%s-%d: error %d, leader %d, ISR %v", *topic.Topic, p.Partition, topic.ErrorCode, p.LeaderID, p.ISR)
				}
				page = append(page, fmt.Sprintf("%s-%d", *topic.Topic, p.Partition))
			}
		}
		pages = append(pages, page)
		if r.NextCursor == nil {
			break
		}
		cursor := kmsg.NewDescribeTopicPartitionsRequestCursor()
		cursor.Topic, cursor.Partition = r.NextCursor.Topic, r.NextCursor.Partition
		q.Cursor = &cursor
	}
	if got, want := fmt.Sprint(pages), "[[a-0 a-1] [b-0 b-1] [b-2]]"; got != want {
		t.Errorf("pages %s, want %s", got, want)
	}

	unknown := kmsg.NewPtrDescribeTopicPartitionsRequest()
	asked := kmsg.NewDescribeTopicPartitionsRequestTopic()
	asked.Topic = "absent"
	unknown.Topics, unknown.ResponsePartitionLimit = append(unknown.Topics, asked), 10
	r, err := unknown.RequestWith(harness.Context(t), c)
	if err != nil || len(r.Topics) != 1 || kerr.ErrorForCode(r.Topics[0].ErrorCode) != kerr.UnknownTopicOrPartition {
		t.Errorf("an absent topic: %v, %+v", err, r)
	}

	list := kmsg.NewPtrListConfigResourcesRequest()
	list.ResourceTypes = []int8{2, 4}
	resources, err := list.RequestWith(harness.Context(t), c)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, resource := range resources.ConfigResources {
		names = append(names, fmt.Sprintf("%d:%s", resource.Type, resource.Name))
	}
	if want := []string{"2:a", "2:b", "4:1"}; !slices.Equal(names, want) {
		t.Errorf("resources %v, want %v", names, want)
	}
}
