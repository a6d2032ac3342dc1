package admin

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"P1D":             24 * time.Hour,
		"PT1M":            time.Minute,
		"P1DT2H30M":       26*time.Hour + 30*time.Minute,
		"PT1.5S":          1500 * time.Millisecond,
		"26h30m":          26*time.Hour + 30*time.Minute,
		"P2DT3H4M5.678S":  51*time.Hour + 4*time.Minute + 5678*time.Millisecond,
		"PT0S":            0,
		"P":               -1,
		"PT":              -1,
		"P1DT":            -1,
		"1D":              -1,
		"-PT1M":           -1,
		"-5m":             -1,
		"":                -1,
		"P999999999999D":  -1,
		"P1M":             -1, // months have no length
		"PT1H2H":          -1,
		"PT1.0000000001S": -1,
	} {
		got, err := parseDuration(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestParseDatetime(t *testing.T) {
	want := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, after := range map[string]time.Duration{
		"2026-01-31T12:00:00.000":       0,
		"2026-01-31T12:00:00":           0,
		"2026-01-31T12:00:00.250Z":      250 * time.Millisecond,
		"2026-01-31T12:00:00.000+02:00": -2 * time.Hour,
		"2026-01-31T12:00:00.000+0200":  -2 * time.Hour,
		"2026-01-31T12:00:00.000-05":    5 * time.Hour,
	} {
		if got, err := parseDatetime(text); err != nil || !got.Equal(want.Add(after)) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2026-01-31", "2026-01-31 12:00:00", "2026-02-31T12:00:00"} {
		if got, err := parseDatetime(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
