package field

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// Batch is one transaction on the rows of a table. It reads up to limit rows in ascending order of their ids, those after the id after ("" means the first ones), with all sealed columns and index columns, and locks them: FOR UPDATE in
// PostgreSQL, BEGIN IMMEDIATE in SQLite. It calls each once for every row, one at a time, and writes the columns that each returns, or all, where it returns any. When each fails it rolls back and returns that error. Else it commits, and returns
// the last id that it has read, or "" where there was no row. Ids are compared by the database alone.
//
// It must read from where it writes: a replica that lags does not have what was committed. While its transaction is open, store and KMS may be asked for keys: the store needs another connection than the batch's, and in SQLite
// another file, for one that is locked takes no new keys.
type Batch[R any] func(ctx context.Context, after string, limit int, each func(*R) (columns []string, err error)) (last string, err error)

// BackfillOptions are the settings of [Table.Backfill]. nil and the zero value are the defaults.
type BackfillOptions[R any] struct {
	// After is the Last of an earlier run, or what its Checkpoint was told: rows up to it are left out. "" means from the first row.
	After string
	// Limit is how many rows a batch has, which are locked together. 0 means 500, some 10 ms of computation. 1 to 10000.
	Limit int
	// DryRun writes nothing to the table (to compute indexes it may make the tenant's lookup key), and counts what a run would do. It seals nothing either, so what only sealing can meet it does not: plaintext of a person who is erased. Checkpoint is not called.
	DryRun bool
	// Checkpoint is told how far the run is, after each batch that is committed and verified, to keep it for a later run's After. Its error ends the run. nil for nobody.
	Checkpoint func(ctx context.Context, after string) error
	// Failed is told, within the transaction, of each row that can't be brought up to date, and why. nil for nobody. Keep the row's id and nothing else of it.
	Failed func(r *R, err error)
}

// BackfillReport is what a run of [Table.Backfill] did, or a dry run would.
type BackfillReport struct {
	Rows     int64  // read; all else counts values but for Erased and Failed, which count rows
	Sealed   int64  // values that were plaintext
	Resealed int64  // records under an older version of their key
	Indexed  int64  // indexes that were not there, or not those of their value as it is normalized now; of what is in Sealed a dry run does not count them
	Erased   int64  // rows with values of an erased person, which stay as they are
	Failed   int64  // rows that could not be brought up to date, and were not written
	Left     int64  // values that were not up to date when they were read again after the commit: others wrote them meanwhile, or the batch did not. The next run takes them.
	Last     string // the last id of which the batch is committed and verified: After, where there is none
}

var (
	// ErrIncomplete says that a run of [Table.Backfill] came to the end, and that there are rows that it could not bring up to date.
	ErrIncomplete = errors.New("not all rows are up to date")
	// ErrUnverified says that something did not open when it was read again after it was written.
	ErrUnverified = errors.New("what was written does not open")
)

const (
	defaultBatch = 500
	maxBatch     = 10_000
)

// Backfill brings the rows of a table up to date, in batches: it seals plaintext in the columns that [Migrating] has named, seals again what is under an older version of its key, and computes the indexes
// that are missing, or are of an older normalizer. What is up to date is not written, so that a second run finds nothing to do. Others may read and write the table meanwhile.
//
// After each batch that wrote something it reads the batch again and opens those of its rows that it still meets: rows that others insert between them may push some out. It keeps no plaintext from one reading to the other. A row that fails is not written and stops no other; at the end the error
// matches ErrIncomplete where there was one, or where values were written the old way meanwhile. It stops at once, with the error, when the batch fails, when store or KMS can't be reached or refuse all of the tenant's keys, when ctx
// ends, and with ErrUnverified. It may be killed at any point and started again, from the last checkpoint or the first row. The report is true in each case.
//
// After Rotate in another process wait for CacheTTL before: until then this one may take the older version for the current. A row that is about a person needs the person's key, which a cold cache asks store and KMS for.
//
// A program writes the old way until it is stopped, and behind the run too: first have all programs use the Table, then run Backfill. Where old programs must go on, run it again after they have ended. Old plaintext
// also stays in the database's log, replicas, backups and free space until these are overwritten.
func (t *Table[R]) Backfill(ctx context.Context, tn envelope.Tenant, batch Batch[R], o *BackfillOptions[R]) (BackfillReport, error) {
	if o == nil {
		o = &BackfillOptions[R]{}
	}
	b := backfill[R]{BackfillOptions: *o, table: t, tenant: tn, batch: batch, report: BackfillReport{Last: o.After}}
	err := b.check()
	if err == nil {
		err = b.run(ctx)
	}
	if named := (*ColumnError)(nil); err != nil && !errors.As(err, &named) {
		err = fmt.Errorf("field: table %.64q: %w", t.name, err)
	}
	return b.report, err
}

// backfill is a run.
type backfill[R any] struct {
	BackfillOptions[R]
	table  *Table[R]
	tenant envelope.Tenant
	batch  Batch[R]
	report BackfillReport
}

func (b *backfill[R]) check() error {
	switch {
	case b.batch == nil:
		return fmt.Errorf("%w: the batch is nil", kms.ErrInvalid)
	case b.table.row == nil:
		return fmt.Errorf("%w: Spec.Row is nil, and a run must tell rows apart", kms.ErrInvalid)
	case b.tenant.ID() == "":
		return fmt.Errorf("%w: zero Tenant: use Keyring.Tenant", kms.ErrInvalid)
	case b.Limit < 0 || b.Limit > maxBatch:
		return fmt.Errorf("%w: Limit is %d: 1 to %d rows are possible", kms.ErrInvalid, b.Limit, maxBatch)
	case b.Limit == 0:
		b.Limit = defaultBatch
	}
	return nil
}

func (b *backfill[R]) run(ctx context.Context) error {
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if more, err = b.step(ctx); err != nil {
			return err
		}
	}
	if n := b.report; n.Failed > 0 || n.Left > 0 {
		return fmt.Errorf("%w: %d rows failed, and %d values are left for the next run", ErrIncomplete, n.Failed, n.Left)
	}
	return nil
}

// step does the next batch, and tells whether there may be more.
func (b *backfill[R]) step(ctx context.Context) (more bool, err error) {
	after := b.report.Last
	p := pass[R]{backfill: b, rows: map[string]bool{}}
	if b.DryRun {
		p.mode = counting
	}
	last, err := p.read(ctx, after)
	if err != nil {
		return false, err
	}
	b.report.add(p.count)
	if p.wrote {
		if err := b.verify(ctx, after, p.rows); err != nil {
			return false, err
		}
	}
	switch {
	case p.count.Rows > 0 && (last == after || last == ""):
		return false, fmt.Errorf("%w: the batch must return the last id that it has read", kms.ErrInvalid)
	case p.count.Rows == 0:
		return false, nil
	}
	b.report.Last = last
	if b.Checkpoint != nil && !b.DryRun {
		err = b.Checkpoint(ctx, last)
	}
	return true, err
}

// verify reads a batch again that was committed, of which these rows should be up to date.
func (b *backfill[R]) verify(ctx context.Context, after string, rows map[string]bool) error {
	p := pass[R]{backfill: b, mode: verifying, rows: rows}
	if _, err := p.read(ctx, after); err != nil {
		return err
	}
	b.report.Left += p.count.Sealed + p.count.Resealed + p.count.Indexed
	return nil
}

func (n *BackfillReport) add(m BackfillReport) {
	n.Rows += m.Rows
	n.Sealed += m.Sealed
	n.Resealed += m.Resealed
	n.Indexed += m.Indexed
	n.Erased += m.Erased
	n.Failed += m.Failed
}
