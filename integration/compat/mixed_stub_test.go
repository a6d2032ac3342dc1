//go:build compat

package compat

func controllersInTurn(m *mixed)   {}
func controlledShutdowns(m *mixed) {}
func lostSessions(m *mixed)        {}
func reassignments(m *mixed)       {}
func deletions(m *mixed)           {}
func producerIDs(m *mixed)         {}
func configChanges(m *mixed)       {}
