package broker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kbroker/kbroker/broker/config"
	"github.com/kbroker/kbroker/storage"
)

// cleanerSettings gives the log cleaner its settings as they are at any time; nil with log.cleaner.enable=false, which
// holds until the next start.
func cleanerSettings(s *config.Store) func() storage.CleanerSettings {
	if !s.Broker().Cleaner.Enable {
		return nil
	}
	return func() storage.CleanerSettings {
		c := s.Broker().Cleaner
		return storage.CleanerSettings{
			Threads:           int(c.Threads),
			DedupeBufferSize:  c.DedupeBufferSize,
			IOBufferSize:      int(c.IOBufferSize),
			LoadFactor:        c.LoadFactor,
			MaxBytesPerSecond: c.IOMaxBytesPerSecond,
			Backoff:           c.Backoff,
		}
	}
}

// cleanerMetrics shows the log cleaner's own figures.
type cleanerMetrics struct {
	stats func() storage.CleanerStats

	cleanings, read, written, dropped, keyless, busy *prometheus.Desc
	dirtiest, idle, overdue, mapUsed                 *prometheus.Desc
	uncleanable, uncleanableBytes                    *prometheus.Desc
}

func newCleanerMetrics(stats func() storage.CleanerStats) *cleanerMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("kbroker_log_cleaner_"+name, help, labels, nil)
	}
	return &cleanerMetrics{
		stats:            stats,
		cleanings:        desc("cleanings_total", "Logs that were cleaned."),
		read:             desc("read_bytes_total", "Bytes of segments that the log cleaner read."),
		written:          desc("written_bytes_total", "Bytes of segments that the log cleaner wrote."),
		dropped:          desc("dropped_records_total", "Records that cleanings dropped."),
		keyless:          desc("keyless_records_total", "Records without a key that cleanings dropped."),
		busy:             desc("busy_seconds_total", "Time spent cleaning, of all threads."),
		dirtiest:         desc("dirtiest_ratio", "Dirty share of the dirtiest log at the last look."),
		idle:             desc("last_run_seconds", "Time since a thread last looked for a dirty log."),
		overdue:          desc("overdue_seconds", "Longest that a log was dirty beyond max.compaction.lag.ms at the last look."),
		mapUsed:          desc("map_used_ratio", "Share of the key map that the last cleaning used."),
		uncleanable:      desc("uncleanable_partitions", "Partitions whose cleaning failed for good, by log directory.", "dir"),
		uncleanableBytes: desc("uncleanable_bytes", "Dirty bytes of the partitions whose cleaning failed for good, by log directory.", "dir"),
	}
}

// Describe implements prometheus.Collector.
func (m *cleanerMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.cleanings, m.read, m.written, m.dropped, m.keyless, m.busy,
		m.dirtiest, m.idle, m.overdue, m.mapUsed, m.uncleanable, m.uncleanableBytes,
	} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (m *cleanerMetrics) Collect(c chan<- prometheus.Metric) {
	s := m.stats()
	for desc, value := range map[*prometheus.Desc]float64{
		m.cleanings: float64(s.Cleanings), m.read: float64(s.BytesRead), m.written: float64(s.BytesWritten),
		m.dropped: float64(s.RecordsDropped), m.keyless: float64(s.Keyless), m.busy: s.Busy.Seconds(),
	} {
		c <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, value)
	}
	idle := 0.0
	if !s.LastLook.IsZero() {
		idle = time.Since(s.LastLook).Seconds()
	}
	for desc, value := range map[*prometheus.Desc]float64{
		m.dirtiest: s.DirtiestRatio, m.idle: idle, m.overdue: s.Overdue.Seconds(), m.mapUsed: s.MapUsed,
	} {
		c <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	for dir, count := range s.Uncleanable {
		c <- prometheus.MustNewConstMetric(m.uncleanable, prometheus.GaugeValue, float64(count), dir)
		c <- prometheus.MustNewConstMetric(m.uncleanableBytes, prometheus.GaugeValue, float64(s.UncleanableBytes[dir]), dir)
	}
}
