//go:build race

package record

// raceEnabled says that the race detector is on: it allocates, and drops what a sync.Pool holds.
const raceEnabled = true
