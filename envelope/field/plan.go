package field

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/kms"
)

// ErrWouldLeak says that a blind index would tell too much of its column, and its text how much and what to do instead.
var ErrWouldLeak = errors.New("the index would leak")

const (
	maxPlanRows   = 1 << 40 // up to here two values of a unique column share a 128-bit token with a chance below 2^-49: rows² / 2^129
	maxGuessable  = 0.01    // of the rows: what an index may tell without being accepted
	minDistinct   = 1000    // fewer values are a list to go through
	nearlyUnique  = 0.9     // of the rows: with so many different values the list is as long as the table
	maxExtraReads = 1000    // rows; reading and opening them takes milliseconds
	maxAccept     = 255     // bytes

	uniqueBits = 128
	longBits   = 64 // of 2^40 rows, a lookup reads one too many in 2^24
)

// Stats describes the column of a blind index, or its prefixes where the index is one of prefixes: the values as normalized, of the rows that have one, as many as are expected. Tokens differ from tenant to
// tenant, so count within one: the largest, and one where values repeat most. What is refused for one of them is not for the others either.
type Stats struct {
	Rows     int64   // 1 to 2^40
	Distinct int64   // how many different values they have: 1 to Rows
	TopShare float64 // the share of rows that has the most frequent value: 1/Distinct to 1
	// Unique says that a UNIQUE constraint stands on the index. Then Distinct and TopShare may stay zero, for they follow from Rows.
	Unique bool
	// Accept is the reason for which an index that leaks is made all the same, such as "only staff numbers, which are public": up to 255 bytes of UTF-8. It goes to [Plan.Accepted]. "" accepts no leak.
	Accept string
}

// Plan is how long the tokens of an index are, and what they cost and tell. It comes from [PlanIndex]; NewTable refuses the zero Plan. It is an immutable value.
type Plan struct {
	bits      int
	extra     float64
	guessable float64
	accepted  string
}

// PlanIndex plans a blind index, or refuses it with ErrWouldLeak.
//
// A unique column gets tokens of 128 bits, so that no two values share one. Any other gets 64 bits if it has 1000 different values, or at least 9 for every 10 rows, and frequencies tell at most 1 % of its rows, see
// [Plan.Guessable]. One that leaks more is refused unless Accept has a reason. Then two or more values share each token on average: it has the most whole bytes that give at most half as many tokens as values. But
// where those are fewer than the square root of the values, or a lookup would read more than 1000 rows in vain, it has 64 bits. Short tokens blunt the leak and don't end it.
//
// What does not fit together in s is kms.ErrInvalid.
func PlanIndex(s Stats) (Plan, error) {
	if err := s.check(); err != nil {
		return Plan{}, fmt.Errorf("field: %w", err)
	}
	if s.Unique {
		return s.plan(uniqueBits, ""), nil
	}
	few := s.Distinct < minDistinct && float64(s.Distinct) < nearlyUnique*float64(s.Rows)
	switch {
	case !few && s.guessable() <= maxGuessable:
		return s.plan(longBits, ""), nil
	case s.Accept != "":
		return s.plan(s.shortBits(), s.Accept), nil
	}
	return Plan{}, fmt.Errorf("field: %w: of %d different values the most frequent is in %.3g %% of %d rows, and frequencies tell the value of %s of the rows, where at least %d values and at most %.0f %% are asked for: "+
		"filter after opening and don't index the column, index it together with another one, or make a placeholder that many rows have NULL; Stats.Accept takes the reason to index it anyway",
		ErrWouldLeak, s.Distinct, 100*s.TopShare, s.Rows, upTo(s.guessable()), minDistinct, 100*maxGuessable)
}

// check completes and checks s.
func (s *Stats) check() error {
	if s.Rows < 1 || s.Rows > maxPlanRows {
		return fmt.Errorf("%w: Stats.Rows is %d: 1 to %d are possible", kms.ErrInvalid, s.Rows, int64(maxPlanRows))
	}
	if s.Unique {
		if s.Distinct == 0 {
			s.Distinct = s.Rows
		}
		if s.TopShare == 0 {
			s.TopShare = 1 / float64(s.Rows)
		}
		if s.Distinct != s.Rows {
			return fmt.Errorf("%w: Stats.Distinct is %d: a unique column has as many values as rows, here %d", kms.ErrInvalid, s.Distinct, s.Rows)
		}
	}
	if s.Distinct < 1 || s.Distinct > s.Rows {
		return fmt.Errorf("%w: Stats.Distinct is %d, of %d rows: count the different values", kms.ErrInvalid, s.Distinct, s.Rows)
	}
	// The most frequent value has at least the average number of rows, and leaves one row to each other value.
	least, most := 1/float64(s.Distinct), float64(s.Rows-s.Distinct+1)/float64(s.Rows)
	const rounding = 1e-6
	if !(s.TopShare >= least*(1-rounding) && s.TopShare <= most*(1+rounding)) { // true for NaN
		return fmt.Errorf("%w: Stats.TopShare is %g: between %g and %g are possible with %d values in %d rows", kms.ErrInvalid, s.TopShare, least, most, s.Distinct, s.Rows)
	}
	if len(s.Accept) > maxAccept || !utf8.ValidString(s.Accept) || s.Accept != "" && strings.TrimSpace(s.Accept) == "" {
		return fmt.Errorf("%w: Stats.Accept must be a reason, of at most %d bytes of UTF-8", kms.ErrInvalid, maxAccept)
	}
	return nil
}

func (s *Stats) plan(bits int, accepted string) Plan {
	return Plan{bits: bits, extra: float64(s.Rows) * math.Exp2(-float64(bits)), guessable: s.guessable(), accepted: accepted}
}

// guessable bounds the share of rows whose value frequencies tell, however the values are spread.
//
// Who knows how frequent values are and counts the rows of each token takes the most frequent token for the most frequent value, and so on. A value expected in c rows is in c ± √c, so that two values are told
// apart when their counts differ by about √c. Around c there is room for dc/√c such values, of c rows each: up to the count C of the most frequent value they have the integral of √c, 2/3 C^1.5, as rows. The
// simulation in leak_test.go finds up to 0.4 C^1.5 told of spreads that are made for it, and less of others.
// Nor are more rows told than share their value with another: 2 (Rows - Distinct), when all come in pairs. And the most frequent value is always a guess.
func (s *Stats) guessable() float64 {
	rows := float64(s.Rows)
	told := math.Pow(s.TopShare*rows, 1.5) / 2 / rows
	shared := 2 * float64(s.Rows-s.Distinct) / rows
	return max(s.TopShare, min(told, shared, 1))
}

// shortBits returns the length of tokens where the leak was accepted. The bounds on how many values share one are those of the AWS Database Encryption SDK for the length of beacons.
func (s *Stats) shortBits() int {
	for bits := 32; bits >= 8; bits -= 8 {
		tokens := math.Exp2(float64(bits))
		if tokens <= float64(s.Distinct)/2 {
			if tokens >= math.Sqrt(float64(s.Distinct)) && float64(s.Rows)/tokens <= maxExtraReads {
				return bits
			}
			break
		}
	}
	return longBits
}

// Bits returns the length of a token in bits: a multiple of 8, from 8 to 128.
func (p Plan) Bits() int { return p.bits }

// ExtraReads returns how many rows a lookup reads on average that have another value.
func (p Plan) ExtraReads() float64 { return p.extra }

// Guessable returns the share of rows, 0 to 1, whose value can be told at most, on average, by who has a copy of the database and no key, knows how frequent each value is, and knows nothing else of these rows. It
// bounds tokens of any length. Who knows more tells more, such as by other columns, or by a copy from before the column was sealed.
func (p Plan) Guessable() float64 { return p.guessable }

// Accepted returns the reason for which a leak was accepted, and "" where there was none to accept.
func (p Plan) Accepted() string { return p.accepted }

func (p Plan) planned() bool { return p.bits != 0 }

// String returns the plan in a sentence.
func (p Plan) String() string {
	if !p.planned() {
		return "no plan: make one with PlanIndex"
	}
	reads := "no row"
	if p.extra >= 0.5 {
		reads = fmt.Sprintf("about %.0f rows", p.extra)
	}
	text := fmt.Sprintf("tokens of %d bits: a lookup reads %s in vain, and frequencies tell the value of %s of the rows", p.bits, reads, upTo(p.guessable))
	if p.accepted != "" {
		text += fmt.Sprintf(", accepted because: %.255q", p.accepted)
	}
	return text
}

// upTo prints a share, of which less than a hundredth of a percent is as good as nothing.
func upTo(share float64) string {
	if share < 1e-4 {
		return "less than 0.01 %"
	}
	return fmt.Sprintf("up to %.3g %%", 100*share)
}
