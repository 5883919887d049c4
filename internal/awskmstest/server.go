package awskmstest

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// Server is a stand-in for the KMS of one AWS account, in all regions. It is safe for concurrent use.
type Server struct {
	tb         testing.TB
	http       *httptest.Server
	closing    chan struct{}
	operations map[string]operation
	admin      Principal

	mu         sync.Mutex
	principals map[string]Principal // by access key id
	regions    map[string]*region
	known      map[string]bool // ids of all keys that ever were
	grants     []*grant
	requests   []Request
	injected   func(operation string, n int) *Fault
	seen       map[string]int // requests by operation since Inject
}

// region is what a region holds.
type region struct {
	keys    map[string]*key   // by key id
	aliases map[string]string // key id by name, which starts with "alias/"
}

// New starts a server on the loopback interface; the test's cleanup closes it with all connections, also when requests hang.
func New(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{
		tb:         tb,
		closing:    make(chan struct{}),
		operations: operations(),
		principals: map[string]Principal{},
		regions:    map[string]*region{},
		known:      map[string]bool{},
		seen:       map[string]int{},
	}
	s.admin = s.NewPrincipal("admin")
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	tb.Cleanup(func() {
		close(s.closing) // for handlers that can't see their client leave, since its request was not read to the end
		s.http.CloseClientConnections()
		s.http.Close()
	})
	return s
}

// Config returns the configuration of a client in that region that may do everything. It has an HTTP client of its own, and
// else what the SDK does by default: also its retries and their waits.
func (s *Server) Config(region string) aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(s.http.URL),
		Credentials:  s.admin,
		HTTPClient:   &http.Client{Transport: &http.Transport{}},
	}
}

// Client returns the SDK's client under [Server.Config], changed by o.
func (s *Server) Client(region string, o ...func(*kms.Options)) *kms.Client {
	return kms.NewFromConfig(s.Config(region), o...)
}

// at returns the region of that name. s.mu is held.
func (s *Server) at(name string) *region {
	if s.regions[name] == nil {
		s.regions[name] = &region{keys: map[string]*key{}, aliases: map[string]string{}}
	}
	return s.regions[name]
}

// epoch is how the protocol writes times: seconds since 1970.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
