// Package group is the group coordinator: it finds the group of a request, loads and unloads the groups of a
// partition of __consumer_offsets as its leadership comes and goes, and runs each group's machines in an actor of its
// own.
package group
