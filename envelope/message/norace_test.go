//go:build !race

package message_test

// raceEnabled says that the race detector is on: it allocates.
const raceEnabled = false
