package local

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/kms"
)

// TestModel runs random operations on several Files of one key file beside a model of what each of them knows.
func TestModel(t *testing.T) {
	type view struct {
		f        *File
		state    kms.State
		versions int
	}
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(t.TempDir(), "key.json")
		first, err := Create(path, nil)
		require.NoError(rt, err)
		truth := view{nil, kms.Enabled, 1}
		views := []*view{{first, kms.Enabled, 1}}
		defer func() {
			for _, v := range views {
				require.NoError(rt, v.f.Close())
			}
		}()
		classes := map[kms.State]error{kms.Disabled: kms.ErrDisabled, kms.Destroyed: kms.ErrDestroyed}
		check := func(err, want error) {
			if want == nil {
				require.NoError(rt, err)
			} else {
				require.ErrorIs(rt, err, want)
			}
		}
		var stored []wrapped
		ctx := t.Context()
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			v := views[rapid.IntRange(0, len(views)-1).Draw(rt, "file")]
			look := func() { v.state, v.versions = truth.state, truth.versions }
			switch op := rapid.SampledFrom([]string{"open", "rotate", "rotate", "disable", "enable", "enable", "wrap", "wrap", "unwrap", "unwrap", "describe", "destroy"}).Draw(rt, "op"); op {
			case "open":
				f, err := Open(path, nil)
				require.NoError(rt, err)
				views = append(views, &view{f, truth.state, truth.versions})
			case "rotate":
				check(v.f.Rotate(ctx), classes[truth.state])
				if truth.state == kms.Enabled {
					truth.versions++
				}
				look()
			case "disable", "enable":
				state, change := kms.Disabled, v.f.Disable
				if op == "enable" {
					state, change = kms.Enabled, v.f.Enable
				}
				if truth.state == kms.Destroyed {
					check(change(ctx), kms.ErrDestroyed)
				} else {
					check(change(ctx), nil)
					truth.state = state
				}
				look()
			case "destroy":
				if len(stored) < 4 {
					continue // later, or little else would be seen
				}
				check(v.f.Destroy(ctx), nil)
				truth.state, truth.versions = kms.Destroyed, 0
				look()
			case "describe":
				info, err := v.f.Key().Describe(ctx)
				require.NoError(rt, err)
				look()
				require.Equal(rt, truth.state, info.State)
			case "wrap":
				w, err := v.f.Key().Wrap(ctx, []byte(op), kms.Context{"tenant": "acme"})
				check(err, classes[v.state])
				if err == nil {
					require.Equal(rt, strconv.Itoa(v.versions), w.Version)
					stored = append(stored, wrapped{op, w})
				}
			case "unwrap":
				if len(stored) == 0 {
					continue
				}
				w := stored[rapid.IntRange(0, len(stored)-1).Draw(rt, "wrapped")]
				version, err := strconv.Atoi(w.w.Version)
				require.NoError(rt, err)
				if v.state == kms.Enabled && version > v.versions {
					look()
				}
				if v.state == kms.Enabled {
					w.opens(rt, v.f)
				} else {
					w.fails(rt, v.f, classes[v.state])
				}
			}
		}
	})
}
