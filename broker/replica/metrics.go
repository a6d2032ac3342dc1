package replica

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kbroker/kbroker/broker/metadata"
)

// collector gives the metrics of a Manager. Everything is read on scrape: a series per topic kept in a vector would
// cost more memory than the topic, and would have to be removed with it.
type collector Manager

var (
	descPartitions = prometheus.NewDesc("kbroker_partitions", "Partitions hosted by this broker.", nil, nil)
	descLeaders    = prometheus.NewDesc("kbroker_leader_partitions", "Partitions led by this broker.", nil, nil)
	descUnder      = prometheus.NewDesc("kbroker_under_replicated_partitions", "Partitions led by this broker with fewer in-sync replicas than replicas.", nil, nil)
	descUnderMin   = prometheus.NewDesc("kbroker_under_min_isr_partitions", "Partitions led by this broker with fewer in-sync replicas than min.insync.replicas.", nil, nil)
	descAtMin      = prometheus.NewDesc("kbroker_at_min_isr_partitions", "Partitions led by this broker with just as many in-sync replicas as min.insync.replicas.", nil, nil)
	descReassign   = prometheus.NewDesc("kbroker_reassigning_partitions", "Partitions led by this broker whose replicas are being moved.", nil, nil)
	descFollowers  = prometheus.NewDesc("kbroker_follower_partitions", "Partitions that this broker copies from their leaders.", nil, nil)
	descMaxLag     = prometheus.NewDesc("kbroker_follower_max_lag_records", "Largest number of offsets by which a log here ends below its leader's high watermark.", nil, nil)
	descShrinks    = prometheus.NewDesc("kbroker_isr_shrinks_total", "Times that a leader here dropped followers from the in-sync replicas.", nil, nil)
	descExpands    = prometheus.NewDesc("kbroker_isr_expands_total", "Times that a leader here took a follower into the in-sync replicas.", nil, nil)
	descFailedISRs = prometheus.NewDesc("kbroker_failed_isr_updates_total", "Changes of in-sync replicas that the controller refused or did not make.", nil, nil)
	descOffline    = prometheus.NewDesc("kbroker_offline_partitions", "Partitions on failed log directories.", nil, nil)
	descFull       = prometheus.NewDesc("kbroker_full_log_dirs", "Log directories without space, whose partitions refuse produce requests.", nil, nil)
	descCheckpoint = prometheus.NewDesc("kbroker_high_watermark_checkpoint_errors_total", "Checkpoints of high watermarks that could not be written.", nil, nil)
	descBytesIn    = prometheus.NewDesc("kbroker_topic_bytes_in_total", "Bytes appended by producers.", []string{"topic"}, nil)
	descBytesOut   = prometheus.NewDesc("kbroker_topic_bytes_out_total", "Bytes read for consumers.", []string{"topic"}, nil)
	descLogSize    = prometheus.NewDesc("kbroker_topic_log_size_bytes", "Bytes in the logs of the topic's partitions on this broker.", []string{"topic"}, nil)
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descPartitions, descLeaders, descUnder, descUnderMin, descAtMin, descReassign, descFollowers, descMaxLag,
		descShrinks, descExpands, descFailedISRs, descOffline, descFull, descCheckpoint, descBytesIn, descBytesOut, descLogSize,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	m := (*Manager)(c)
	var all health
	partitions := m.Partitions()
	for _, p := range partitions {
		all.add(p.health())
	}
	gauge := func(d *prometheus.Desc, value int) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value))
	}
	gauge(descPartitions, len(partitions))
	gauge(descLeaders, all.leader)
	gauge(descUnder, all.underReplicated)
	gauge(descUnderMin, all.underMin)
	gauge(descAtMin, all.atMin)
	gauge(descReassign, all.reassigning)
	gauge(descFollowers, all.follower)
	gauge(descMaxLag, int(all.lag))
	gauge(descOffline, all.offline)
	gauge(descFull, m.fullDirs())
	counter := func(d *prometheus.Desc, value uint64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value))
	}
	counter(descShrinks, m.env.isr.shrinks.Load())
	counter(descExpands, m.env.isr.expands.Load())
	counter(descFailedISRs, m.env.isr.failures.Load())
	counter(descCheckpoint, m.checkpointErrors.Load())

	for t, partitions := range m.byTopic() {
		size := int64(0)
		for _, p := range partitions {
			size += p.size()
		}
		to <- prometheus.MustNewConstMetric(descBytesIn, prometheus.CounterValue, float64(t.bytesIn.Load()), t.name)
		to <- prometheus.MustNewConstMetric(descBytesOut, prometheus.CounterValue, float64(t.bytesOut.Load()), t.name)
		to <- prometheus.MustNewConstMetric(descLogSize, prometheus.GaugeValue, float64(size), t.name)
	}
}

func (m *Manager) fullDirs() (count int) {
	for _, d := range m.logs.Dirs() {
		if d.Full {
			count++
		}
	}
	return count
}

// byTopic lists the partitions of every topic.
func (m *Manager) byTopic() map[*topic][]*Partition {
	m.mu.RLock()
	defer m.mu.RUnlock()
	topics := make(map[*topic][]*Partition, len(m.topics))
	for _, t := range m.topics {
		topics[t] = slices.Clone(t.partitions)
	}
	return topics
}

// health has a 1 for everything that a partition counts as, and how far it is behind its leader.
type health struct {
	leader, underReplicated, underMin, atMin, reassigning int
	follower, offline                                     int
	lag                                                   int64
}

func (h *health) add(other health) {
	h.leader += other.leader
	h.underReplicated += other.underReplicated
	h.underMin += other.underMin
	h.atMin += other.atMin
	h.reassigning += other.reassigning
	h.follower += other.follower
	h.offline += other.offline
	h.lag = max(h.lag, other.lag)
}

func (p *Partition) health() (h health) {
	if p.offline.Load() {
		h.offline = 1
		return h
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.role == follower && p.leaderID != metadata.NoLeader:
		h.follower, h.lag = 1, max(p.leaderHigh-p.log.LogEndOffset(), 0)
		return h
	case p.role != leader:
		return h
	}
	h.leader = 1
	// Replicas that are being added are not missed yet.
	if len(p.isr.committed) < len(p.replicas)-len(p.adding) {
		h.underReplicated = 1
	}
	switch inSync, least := len(p.isr.committed), p.minInSync(); {
	case inSync < least:
		h.underMin = 1
	case inSync == least:
		h.atMin = 1
	}
	if len(p.adding)+len(p.removing) > 0 {
		h.reassigning = 1
	}
	return h
}

func (p *Partition) size() int64 {
	p.mu.Lock()
	log := p.log
	p.mu.Unlock()
	if log == nil || p.offline.Load() {
		return 0
	}
	return log.Size()
}
