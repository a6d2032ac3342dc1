package config

import "errors"

// Invalid is the error of a value outside what its key allows, or of values that do not go
// together. Error() names key, value and legal range, as Kafka's ConfigException does
// ("Invalid value x for configuration y: ...").
type Invalid struct {
	Key, Value, Message string
	// required tells that Kafka finds the fault with Scala's require, whose errors it answers
	// with a prefix.
	required bool
}

func (e *Invalid) Error() string { return e.Message }

// answered is the error as Kafka sends it to a client.
func (e *Invalid) answered() *Invalid {
	if !e.required {
		return e
	}
	return &Invalid{Key: e.Key, Value: e.Value, Message: "requirement failed: " + e.Message}
}

// UnknownKey is the error of a key that no topic has.
type UnknownKey struct{ Key string }

func (e *UnknownKey) Error() string { return "Unknown topic config name: " + e.Key }

// renamed is the error of a listener's key, which was parsed as the key without prefix.
func renamed(e *Invalid, name string) *Invalid {
	problem := e.Message[len("Invalid value "+e.Value+" for configuration "+e.Key):]
	return &Invalid{Key: name, Value: e.Value, Message: "Invalid value " + e.Value + " for configuration " + name + problem}
}

// joined makes one error of several; nil of none.
func joined(all []*Invalid) error {
	errs := make([]error, len(all))
	for i, e := range all {
		errs[i] = e
	}
	return errors.Join(errs...)
}
