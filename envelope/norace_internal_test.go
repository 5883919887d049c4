//go:build !race

package envelope

// RaceEnabled says that the race detector is on: it allocates.
const RaceEnabled = false
