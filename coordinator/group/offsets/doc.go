// Package offsets is the committed offsets of a group: a pure machine, without clock or log.
package offsets
