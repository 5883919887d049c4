package tlsconfig

// ForgetFloor makes the process as good as new: no floor, and no Server or Client made.
func ForgetFloor() {
	floor.mu.Lock()
	defer floor.mu.Unlock()
	floor.set, floor.policy, floor.owner, floor.late = false, Policy{}, "", false
}
