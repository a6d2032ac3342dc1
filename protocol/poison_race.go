//go:build race

package protocol

// poison spoils a buffer that is given back, so that tests notice when somebody
// still reads it.
func poison(b []byte) {
	for i := range b {
		b[i] = 0xDB
	}
}
