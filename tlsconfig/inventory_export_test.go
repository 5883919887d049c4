package tlsconfig

// Tell is what the handshakes of a Server call.
func (s *Server) Tell(e Event) { s.tell(e) }
