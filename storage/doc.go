// Package storage keeps logs on disk in Kafka's own files.
package storage
