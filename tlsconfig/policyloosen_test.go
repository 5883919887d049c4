package tlsconfig_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// keepable draws a policy that most servers can keep.
func keepable(t *rapid.T, label string) tlsconfig.Policy {
	text, err := json.Marshal(policyDrawn(t, label))
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(text, &fields))
	fields["fips140"] = false
	for field, name := range map[string]string{"keys": "ECDSA-P256", "groups": "P-256"} {
		if list := fields[field].([]any); !slices.Contains(list, any(name)) {
			fields[field] = append(list, name)
		}
	}
	text, err = json.Marshal(fields)
	require.NoError(t, err)
	p, err := tlsconfig.ParsePolicy(text)
	require.NoError(t, err)
	return p
}

// TestPolicyFileNeverLoosens: whatever a file says, what is kept is no weaker than the options, the floor and the file.
func TestPolicyFileNeverLoosens(t *testing.T) {
	l := newPolicyFileLab(t)
	l.server = l.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Server: true, Key: tlsconfigtest.KeyP256, NotBefore: time.Now(), NotAfter: time.Now().Add(20 * time.Hour)})
	t.Cleanup(tlsconfig.ForgetFloor)
	made, refused := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		tlsconfig.ForgetFloor()
		floor, own, file := keepable(r, "floor"), keepable(r, "own"), keepable(r, "file")
		floored := rapid.Bool().Draw(r, "floored") && tlsconfig.SetFloor(floor, "platform") == nil
		options := &tlsconfig.ServerOptions{Policy: own, Protocols: []string{}, Clients: l.clients(), Central: l.file()}
		if rapid.Bool().Draw(r, "zero") {
			options.Policy = tlsconfig.Policy{}
		}
		writeFile(t, l.path, l.signer.sign(t, document(1, &file)))
		server, err := tlsconfig.NewServer(t.Context(), tlsconfig.Static(l.server), options)
		if err != nil {
			refused++
			return
		}
		made++
		defer server.Close()
		kept := policyShown(r, server.Policy())
		policyNotWeaker(r, kept, policyShown(r, options.Policy))
		policyNotWeaker(r, kept, policyShown(r, file))
		if floored {
			policyNotWeaker(r, kept, policyShown(r, floor))
		}
	})
	t.Logf("%d servers, %d refused", made, refused)
	require.Positive(t, made)
}
