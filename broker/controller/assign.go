package controller

import (
	"slices"
	"sort"
)

// site is a broker as far as replica assignment looks at it.
type site struct {
	id   int32
	rack *string
}

// spread says where an assignment starts. Kafka draws both numbers for a new
// topic, and takes the place of partition 0's first replica for new partitions.
type spread struct {
	start, shift int
	first        int // index of the first partition to assign
}

// maxPartitions bounds what is worked out before ZooKeeper could refuse it: a
// topic's znode of more partitions exceeds the 4 MiB that clients read.
const maxPartitions = 350_000

// assign chooses the replicas of count partitions (Kafka: AdminUtils.java).
// First replicas go round the brokers; the others follow at a distance that grows with
// every round, so that the partitions of one broker do not all share the same second
// broker. With racks, brokers of different racks alternate, and no rack gets a second
// replica before all have one.
func assign(sites []site, count int32, replicationFactor int, s spread) ([][]int32, error) {
	switch {
	case count <= 0:
		return nil, refuse(ErrInvalidPartitions, "Number of partitions must be larger than 0.")
	case count > maxPartitions:
		return nil, refuse(ErrInvalidPartitions, "Number of partitions must not be larger than %d.", maxPartitions)
	case replicationFactor <= 0:
		return nil, refuse(ErrInvalidReplicationFactor, "Replication factor must be larger than 0.")
	case replicationFactor > len(sites):
		return nil, refuse(ErrInvalidReplicationFactor,
			"Replication factor: %d larger than available brokers: %d.", replicationFactor, len(sites))
	}
	sites = slices.Clone(sites)
	slices.SortFunc(sites, func(a, b site) int { return int(a.id) - int(b.id) })
	racks := 0
	if slices.ContainsFunc(sites, func(s site) bool { return s.rack != nil }) {
		if slices.ContainsFunc(sites, func(s site) bool { return s.rack == nil }) {
			return nil, refuse(errAdministration, "Not all brokers have rack information for replica rack aware assignment.")
		}
		sites, racks = alternate(sites)
	}

	result := make([][]int32, count)
	shift := s.shift
	for i := range result {
		index := s.first + i
		if index > 0 && index%len(sites) == 0 {
			shift++
		}
		leader := (index + s.start) % len(sites)
		if racks == 0 {
			result[i] = follow(sites, leader, shift, replicationFactor)
		} else {
			result[i] = followRacks(sites, racks, leader, shift, replicationFactor)
		}
	}
	return result, nil
}

// place is the position of follower number n of the partition whose leader is
// at position leader.
func place(leader, shift, n, sites int) int {
	return (leader + 1 + (shift+n)%(sites-1)) % sites
}

func follow(sites []site, leader, shift, replicationFactor int) []int32 {
	replicas := make([]int32, 0, replicationFactor)
	replicas = append(replicas, sites[leader].id)
	for n := range replicationFactor - 1 {
		replicas = append(replicas, sites[place(leader, shift, n, len(sites))].id)
	}
	return replicas
}

func followRacks(sites []site, racks, leader, shift, replicationFactor int) []int32 {
	replicas := make([]int32, 0, replicationFactor)
	replicas = append(replicas, sites[leader].id)
	used := map[string]bool{*sites[leader].rack: true}
	for n := 0; len(replicas) < replicationFactor; n++ {
		next := sites[place(leader, shift*racks, n, len(sites))]
		if used[*next.rack] && len(used) < racks {
			continue // a rack without a replica comes first
		}
		if slices.Contains(replicas, next.id) {
			continue
		}
		replicas = append(replicas, next.id)
		used[*next.rack] = true
	}
	return replicas
}

// alternate orders brokers so that neighbours are in different racks: the
// first of every rack, the second of every rack, and so on.
func alternate(sites []site) (ordered []site, racks int) {
	byRack := map[string][]site{}
	for _, s := range sites {
		byRack[*s.rack] = append(byRack[*s.rack], s)
	}
	names := make([]string, 0, len(byRack))
	for name := range byRack {
		names = append(names, name)
	}
	sort.Strings(names)
	for i := 0; len(ordered) < len(sites); i++ {
		for _, name := range names {
			if i < len(byRack[name]) {
				ordered = append(ordered, byRack[name][i])
			}
		}
	}
	return ordered, len(names)
}
