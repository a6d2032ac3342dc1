package admin

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
)

// resetTime is the time that --to-datetime or --by-duration means.
func resetTime(c *cli.Context, way string, now time.Time) (time.Time, error) {
	if way == toDatetime {
		return parseDatetime(c.String(toDatetime))
	}
	d, err := parseDuration(c.String(byDuration))
	return now.Add(-d), err
}

// parseDatetime reads the forms that Kafka's tools do (Utils.getDateTime): seconds may have a fraction, and without a zone it is UTC.
func parseDatetime(s string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--to-datetime %s: must be as 2026-01-31T12:00:00.000, with +hh:mm or Z behind it or in UTC", s)
}

// isoDuration is ISO 8601's, as far as java.time.Duration reads it.
var isoDuration = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,9})?)S)?)?$`)

func parseDuration(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return d, nil
	}
	bad := fmt.Errorf("--by-duration %s: must be as P1DT2H30M or 26h30m", s)
	parts := isoDuration.FindStringSubmatch(s)
	if parts == nil || s == "P" || s[len(s)-1] == 'T' {
		return 0, bad
	}
	var total time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if parts[i+1] == "" {
			continue
		}
		n, err := strconv.ParseFloat(parts[i+1], 64)
		if err != nil || n*float64(unit) > float64(1<<62) {
			return 0, bad
		}
		total += time.Duration(n * float64(unit))
	}
	return total, nil
}
