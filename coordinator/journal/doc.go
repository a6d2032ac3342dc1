// Package journal is what the coordinators stand on: the interface through which they append to and load from the
// internal topics, the records of these topics, the hash that places a group, and the actor that runs a machine.
package journal
