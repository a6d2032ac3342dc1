// Package assign is the server-side assignors of the new group protocol (KIP-848): pure functions.
package assign
