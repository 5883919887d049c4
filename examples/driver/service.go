package main

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/holdfast-go/holdfast/aead"
)

// service stands for your KMS: a toy with keys in memory.
type service struct {
	mu    sync.Mutex
	keys  map[string]*aead.Key
	trade string // what it answers instead, such as "forbidden"
	calls int
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked message
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&asked); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	answer := s.answer(r.URL.Path, asked)
	if answer.Error != "" {
		w.WriteHeader(http.StatusBadRequest)
	}
	json.NewEncoder(w).Encode(answer)
}

func (s *service) answer(path string, asked message) message {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	key := s.keys[asked.Key]
	switch {
	case s.trade != "":
		return message{Error: s.trade}
	case key == nil:
		return message{Error: "no such key"}
	case path == "/encrypt":
		return message{Data: key.Seal(nil, asked.Data, asked.AAD)}
	}
	plaintext, err := key.Open(nil, asked.Data, asked.AAD)
	if err != nil {
		return message{Error: "not authentic"}
	}
	return message{Data: plaintext}
}

// set has the service answer every request with an error, or none.
func (s *service) set(trade string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trade = trade
}

func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}
