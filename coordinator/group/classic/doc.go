// Package classic is a consumer group of the classic protocol (JoinGroup, SyncGroup): a pure machine.
package classic
