package replica

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// collector gives the metrics of a Manager. Everything is read on scrape: a series per topic kept in a vector would
// cost more memory than the topic, and would have to be removed with it.
type collector Manager

var (
	descPartitions = prometheus.NewDesc("kbroker_partitions", "Partitions hosted by this broker.", nil, nil)
	descLeaders    = prometheus.NewDesc("kbroker_leader_partitions", "Partitions led by this broker.", nil, nil)
	descUnder      = prometheus.NewDesc("kbroker_under_replicated_partitions", "Partitions led by this broker with fewer in-sync replicas than replicas.", nil, nil)
	descUnderMin   = prometheus.NewDesc("kbroker_under_min_isr_partitions", "Partitions led by this broker with fewer in-sync replicas than min.insync.replicas.", nil, nil)
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
		descPartitions, descLeaders, descUnder, descUnderMin, descOffline, descFull, descCheckpoint, descBytesIn, descBytesOut, descLogSize,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	m := (*Manager)(c)
	var leaders, under, underMin, offline int
	partitions := m.Partitions()
	for _, p := range partitions {
		h := p.health()
		leaders += h.leader
		under += h.underReplicated
		underMin += h.underMin
		offline += h.offline
	}
	gauge := func(d *prometheus.Desc, value int) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value))
	}
	gauge(descPartitions, len(partitions))
	gauge(descLeaders, leaders)
	gauge(descUnder, under)
	gauge(descUnderMin, underMin)
	gauge(descOffline, offline)
	gauge(descFull, m.fullDirs())
	to <- prometheus.MustNewConstMetric(descCheckpoint, prometheus.CounterValue, float64(m.checkpointErrors.Load()))

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

// health has a 1 for everything that a partition counts as.
type health struct{ leader, underReplicated, underMin, offline int }

func (p *Partition) health() (h health) {
	if p.offline.Load() {
		h.offline = 1
		return h
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.role != leader {
		return h
	}
	h.leader = 1
	if len(p.isr.committed) < len(p.replicas) {
		h.underReplicated = 1
	}
	if len(p.isr.committed) < p.minInSync() {
		h.underMin = 1
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
