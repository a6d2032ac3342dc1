package broker

import "testing"

func TestDerivedIsMadeOnceOfEachValue(t *testing.T) {
	made := 0
	length := func(s *string) int { made++; return len(*s) }
	var d derived[string, int]
	a, b := "one", "three"
	for range 2 {
		if got := *d.of(&a, length); got != 3 {
			t.Errorf("of %q: %d", a, got)
		}
	}
	if got := *d.of(&b, length); got != 5 || made != 2 {
		t.Errorf("of %q: %d, made %d times", b, got, made)
	}
	if got := *d.of(&a, length); got != 3 {
		t.Errorf("of %q again: %d", a, got)
	}
}
