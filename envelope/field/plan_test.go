package field_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/kms"
)

func ExamplePlanIndex() {
	email, err := field.PlanIndex(field.Stats{Rows: 1_000_000, Unique: true})
	fmt.Println(email, err)

	surname := field.Stats{Rows: 300_000, Distinct: 20_000, TopShare: 0.011}
	_, err = field.PlanIndex(surname)
	fmt.Println(err)

	surname.Accept = "the phone book has them too"
	plan, err := field.PlanIndex(surname)
	fmt.Println(plan.Bits(), plan.Accepted(), err)
	// Output:
	// tokens of 128 bits: a lookup reads no row in vain, and frequencies tell the value of less than 0.01 % of the rows <nil>
	// field: the index would leak: of 20000 different values the most frequent is in 1.1 % of 300000 rows, and frequencies tell the value of up to 31.6 % of the rows, where at least 1000 values and at most 1 % are asked for: filter after opening and don't index the column, index it together with another one, or make a placeholder that many rows have NULL; Stats.Accept takes the reason to index it anyway
	// 64 the phone book has them too <nil>
}

func TestPlanIndex(t *testing.T) {
	tests := map[string]struct {
		stats     field.Stats
		bits      int
		extra     float64 // rows
		guessable float64 // percent, of the plan or of what it takes to accept it
		leaks     bool
	}{
		"unique":                       {stats: field.Stats{Rows: 1_000_000, Unique: true}, bits: 128, guessable: 1e-4},
		"unique, all said":             {stats: field.Stats{Rows: 1_000_000, Distinct: 1_000_000, TopShare: 1e-6, Unique: true}, bits: 128, guessable: 1e-4},
		"unique, one row":              {stats: field.Stats{Rows: 1, Unique: true}, bits: 128, guessable: 100},
		"unique, all that may be":      {stats: field.Stats{Rows: 1 << 40, Unique: true}, bits: 128},
		"e-mail, not quite unique":     {stats: field.Stats{Rows: 300_000, Distinct: 295_000, TopShare: 0.0001}, bits: 64, guessable: 0.0274},
		"e-mail, as many as rows":      {stats: field.Stats{Rows: 300_000, Distinct: 300_000, TopShare: 1.0 / 300_000}, bits: 64, guessable: 0.000333},
		"phone, a small table":         {stats: field.Stats{Rows: 500, Distinct: 480, TopShare: 0.004}, bits: 64, guessable: 0.4},
		"phone, with a placeholder":    {stats: field.Stats{Rows: 300_000, Distinct: 280_000, TopShare: 0.05}, bits: 16, extra: 4.6, guessable: 13.3, leaks: true},
		"names":                        {stats: field.Stats{Rows: 1_000_000, Distinct: 700_000, TopShare: 0.0005}, bits: 64, guessable: 0.559},
		"dates of birth":               {stats: field.Stats{Rows: 300_000, Distinct: 28_000, TopShare: 0.0001}, bits: 64, guessable: 0.0274},
		"dates of birth, many first":   {stats: field.Stats{Rows: 300_000, Distinct: 28_000, TopShare: 0.005}, bits: 64, guessable: 9.68, leaks: true},
		"postal codes, even":           {stats: field.Stats{Rows: 200_000, Distinct: 8000, TopShare: 0.0002}, bits: 64, guessable: 0.0632},
		"postal codes":                 {stats: field.Stats{Rows: 200_000, Distinct: 8000, TopShare: 0.01}, bits: 8, extra: 781, guessable: 22.4, leaks: true},
		"surnames":                     {stats: field.Stats{Rows: 100_000, Distinct: 20_000, TopShare: 0.095}, bits: 8, extra: 391, guessable: 100, leaks: true},
		"surnames, millions":           {stats: field.Stats{Rows: 10_000_000, Distinct: 1_000_000, TopShare: 0.01}, bits: 16, extra: 153, guessable: 100, leaks: true},
		"between 8 and 16 bits":        {stats: field.Stats{Rows: 200_000, Distinct: 100_000, TopShare: 0.1}, bits: 64, guessable: 100, leaks: true},
		"short tokens cost too much":   {stats: field.Stats{Rows: 10_000_000, Distinct: 20_000, TopShare: 0.095}, bits: 64, guessable: 100, leaks: true},
		"countries":                    {stats: field.Stats{Rows: 100_000, Distinct: 200, TopShare: 0.17}, bits: 64, guessable: 100, leaks: true},
		"a boolean":                    {stats: field.Stats{Rows: 100_000, Distinct: 2, TopShare: 0.5}, bits: 64, guessable: 100, leaks: true},
		"one value":                    {stats: field.Stats{Rows: 100_000, Distinct: 1, TopShare: 1}, bits: 64, guessable: 100, leaks: true},
		"few, though none stands out":  {stats: field.Stats{Rows: 2000, Distinct: 999, TopShare: 0.002}, bits: 8, extra: 7.8, guessable: 0.2, leaks: true},
		"just enough":                  {stats: field.Stats{Rows: 2000, Distinct: 1000, TopShare: 0.002}, bits: 64, guessable: 0.2},
		"few and nine of ten":          {stats: field.Stats{Rows: 1000, Distinct: 900, TopShare: 0.002}, bits: 64, guessable: 0.2},
		"few and less than nine of 10": {stats: field.Stats{Rows: 1000, Distinct: 899, TopShare: 0.002}, bits: 8, extra: 3.9, guessable: 0.2, leaks: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan, err := field.PlanIndex(test.stats)
			if test.leaks {
				require.ErrorIs(t, err, field.ErrWouldLeak)
				require.NotErrorIs(t, err, kms.ErrInvalid)
				require.Zero(t, plan)
				test.stats.Accept = "ticket 7"
				plan, err = field.PlanIndex(test.stats)
				require.NoError(t, err)
				require.Equal(t, "ticket 7", plan.Accepted())
				require.Contains(t, plan.String(), "ticket 7")
			} else {
				test.stats.Accept = "not needed"
				same, err := field.PlanIndex(test.stats)
				require.NoError(t, err)
				require.Equal(t, plan, same)
				require.Empty(t, plan.Accepted())
			}
			require.NoError(t, err)
			require.Equal(t, test.bits, plan.Bits())
			require.InDelta(t, test.extra, plan.ExtraReads(), 0.5)
			require.InDelta(t, test.guessable, 100*plan.Guessable(), 0.01*test.guessable+1e-8)
		})
	}
}

func TestPlanIndexInvalid(t *testing.T) {
	const long = 256
	tests := map[string]struct {
		stats field.Stats
		names string
	}{
		"zero":                       {field.Stats{}, "Rows"},
		"negative rows":              {field.Stats{Rows: -1, Distinct: 1, TopShare: 1}, "Rows"},
		"too many rows":              {field.Stats{Rows: 1<<40 + 1, Unique: true}, "Rows"},
		"values not counted":         {field.Stats{Rows: 100, TopShare: 0.1}, "Distinct"},
		"negative values":            {field.Stats{Rows: 100, Distinct: -5, TopShare: 0.1}, "Distinct"},
		"more values than rows":      {field.Stats{Rows: 100, Distinct: 101, TopShare: 0.01}, "Distinct"},
		"no share":                   {field.Stats{Rows: 100, Distinct: 10}, "TopShare"},
		"negative share":             {field.Stats{Rows: 100, Distinct: 10, TopShare: -0.1}, "TopShare"},
		"share above one":            {field.Stats{Rows: 100, Distinct: 1, TopShare: 1.1}, "TopShare"},
		"share in percent":           {field.Stats{Rows: 100, Distinct: 10, TopShare: 17}, "TopShare"},
		"share below the average":    {field.Stats{Rows: 100, Distinct: 10, TopShare: 0.09}, "TopShare"},
		"share leaves too few rows":  {field.Stats{Rows: 100, Distinct: 50, TopShare: 0.6}, "TopShare"},
		"share is no number":         {field.Stats{Rows: 100, Distinct: 10, TopShare: math.NaN()}, "TopShare"},
		"share is infinite":          {field.Stats{Rows: 100, Distinct: 10, TopShare: math.Inf(1)}, "TopShare"},
		"unique, yet values repeat":  {field.Stats{Rows: 100, Distinct: 99, Unique: true}, "Distinct"},
		"unique, negative values":    {field.Stats{Rows: 100, Distinct: -1, Unique: true}, "Distinct"},
		"unique, yet one is in many": {field.Stats{Rows: 100, TopShare: 0.1, Unique: true}, "TopShare"},
		"blank reason":               {field.Stats{Rows: 100, Distinct: 2, TopShare: 0.5, Accept: " "}, "Accept"},
		"long reason":                {field.Stats{Rows: 100, Distinct: 2, TopShare: 0.5, Accept: strings.Repeat("a", long)}, "Accept"},
		"reason is no UTF-8":         {field.Stats{Rows: 100, Distinct: 2, TopShare: 0.5, Accept: "\xff"}, "Accept"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan, err := field.PlanIndex(test.stats)
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.ErrorContains(t, err, "Stats."+test.names)
			require.Zero(t, plan)
		})
	}
}

func TestPlanIndexRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := field.Stats{Rows: rapid.Int64Range(1, 1<<40).Draw(t, "rows"), Accept: rapid.SampledFrom([]string{"", "a reason"}).Draw(t, "accept")}
		s.Distinct = 1 + int64(float64(s.Rows-1)*math.Exp(-rapid.Float64Range(0, 25).Draw(t, "distinct")))
		least, most := 1/float64(s.Distinct), float64(s.Rows-s.Distinct+1)/float64(s.Rows)
		s.TopShare = least + (most-least)*math.Exp(-rapid.Float64Range(0, 25).Draw(t, "share"))
		plan, err := field.PlanIndex(s)
		if err != nil {
			require.ErrorIs(t, err, field.ErrWouldLeak)
			require.Empty(t, s.Accept)
			return
		}
		require.Contains(t, []int{8, 16, 24, 32, 64}, plan.Bits())
		require.InEpsilon(t, float64(s.Rows)/math.Exp2(float64(plan.Bits())), plan.ExtraReads(), 1e-9)
		require.LessOrEqual(t, plan.ExtraReads(), 1000.0)
		require.GreaterOrEqual(t, plan.Guessable(), s.TopShare)
		require.LessOrEqual(t, plan.Guessable(), 1.0)
		if plan.Accepted() == "" {
			require.Equal(t, 64, plan.Bits())
			require.LessOrEqual(t, plan.Guessable(), 0.01)
		}
		if tokens := math.Exp2(float64(plan.Bits())); plan.Bits() < 64 {
			require.LessOrEqual(t, tokens, float64(s.Distinct)/2, "each token has two values or more")
			require.GreaterOrEqual(t, tokens, math.Sqrt(float64(s.Distinct)))
		}
		// A value that stands out more tells no less.
		s.TopShare, s.Accept = least+(most-least)*min(1, 2*(s.TopShare-least)/(most-least+1e-300)), "compared"
		worse, err := field.PlanIndex(s)
		require.NoError(t, err)
		require.GreaterOrEqual(t, worse.Guessable(), plan.Guessable()*(1-1e-9))
	})
}

// By the birthday bound two values of a unique column share a token with a chance of at most rows²/2 in 2^bits.
func TestPlanIndexUnique(t *testing.T) {
	const rows = 1 << 40
	plan, err := field.PlanIndex(field.Stats{Rows: rows, Unique: true})
	require.NoError(t, err)
	require.Less(t, rows*rows/2/math.Exp2(float64(plan.Bits())), math.Exp2(-48))
}

func TestPlanString(t *testing.T) {
	accepted, err := field.PlanIndex(field.Stats{Rows: 100_000, Distinct: 20_000, TopShare: 0.095, Accept: "asked \"legal\""})
	require.NoError(t, err)
	tests := map[string]struct {
		plan field.Plan
		want string
	}{
		"zero":     {field.Plan{}, "no plan: make one with PlanIndex"},
		"accepted": {accepted, `tokens of 8 bits: a lookup reads about 391 rows in vain, and frequencies tell the value of up to 100 % of the rows, accepted because: "asked \"legal\""`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, test.plan.String())
			require.Equal(t, test.want, fmt.Sprint(test.plan))
		})
	}
}
