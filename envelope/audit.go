package envelope

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/holdfast-go/holdfast/aead"
)

// Event is something that happened to a key. It holds no identifier of a subject: the reference is an HMAC under a key of the tenant's.
type Event struct {
	Time       time.Time
	Actor      string     // as WithActor says
	Purpose    string     // as WithActor says
	Op         string     // "create", "unwrap", "rotate", "disable", "enable", "hold", "release", "erase", "readmit", "destroy", "rewrap", "compact"
	KeyID      aead.KeyID // zero where the operation is on all keys of the scope
	Tenant     string
	SubjectRef string // lower-case hex; "" for the tenant itself, and where it is not known yet
	Ref        string // the caller's reference or reason, where the operation has one
	Outcome    string // Started, Done, or the class of the error
}

// The outcomes of an [Event] besides the classes of errors, which [Class] lists.
const (
	Started = "started" // before the first write of an operation: its error stops the operation
	Done    = "ok"
)

// Auditor is told of every event, from any goroutine. An error of Record stops what the event is about: a key that was unwrapped is not used, an operation that is
// starting is not carried out; of one that is done the caller learns the error. That a key was to rotate by its age and did not is no error of the Seal that met it.
type Auditor interface {
	Record(ctx context.Context, e Event) error
}

type actor struct{ name, purpose string }

type actorKey struct{}

// WithActor has the events of calls under the returned context say who acts and why. Neither should be personal data of a subject.
func WithActor(ctx context.Context, name, purpose string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor{name, purpose})
}

// NewLogAuditor returns an Auditor that logs each event at level info to l. nil means slog.Default. A log is no proof: its handler may drop events.
func NewLogAuditor(l *slog.Logger) Auditor {
	if l == nil {
		l = slog.Default()
	}
	return logAuditor{l}
}

type logAuditor struct{ log *slog.Logger }

func (a logAuditor) Record(ctx context.Context, e Event) error {
	a.log.LogAttrs(ctx, slog.LevelInfo, "key "+e.Op,
		slog.String("outcome", e.Outcome), slog.String("tenant", e.Tenant), slog.String("subject", e.SubjectRef),
		slog.String("key", keyName(e.KeyID)), slog.String("ref", e.Ref), slog.String("actor", e.Actor), slog.String("purpose", e.Purpose))
	return nil
}

func keyName(id aead.KeyID) string {
	if id == (aead.KeyID{}) {
		return ""
	}
	return id.String()
}

// audit tells the Auditor of an event and how it ended.
func (r *ring) audit(ctx context.Context, e Event, err error) error {
	if r.Audit == nil {
		return nil
	}
	if e.Outcome == "" {
		e.Outcome = Class(err)
	}
	who, _ := ctx.Value(actorKey{}).(actor)
	e.Time, e.Actor, e.Purpose = time.Now(), who.name, who.purpose
	if err := r.Audit.Record(ctx, e); err != nil {
		return fmt.Errorf("%w: the Auditor did not take the event: %w", ErrUnavailable, foreign(err))
	}
	return nil
}
