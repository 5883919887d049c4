package message

// Live returns what tells whether the data key that p seals with now is in memory still.
func Live(p *Publisher) func() bool {
	now := p.now.Load()
	return func() bool {
		_, done, ok := now.key.TryUse()
		if ok {
			done()
		}
		return ok
	}
}
