package mqttseal_test

import (
	"testing"

	"github.com/eclipse/paho.golang/paho"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/mqttseal"
	"github.com/holdfast-go/holdfast/kms"
)

// TestSealNamesTheTenant: a publication gets the tenant's user property where it has none, and the caller's stays as it is.
func TestSealNamesTheTenant(t *testing.T) {
	ring := newRing(t)
	topic := newTopic(t, ring, "orders/7", &message.TopicOptions{TenantHeader: "tenant"})
	shared := make(paho.UserProperties, 1, 8)
	shared[0] = paho.UserProperty{Key: "free", Value: "x"}
	for name, properties := range map[string]*paho.PublishProperties{"none": nil, "others": {ContentType: "text/plain", User: shared}} {
		p := &paho.Publish{Payload: []byte("x"), Properties: properties}
		sealed, err := mqttseal.Seal(t.Context(), topic, ring.Tenant("acme"), p)
		require.NoError(t, err, name)
		require.Equal(t, "acme", sealed.Properties.User.Get("tenant"))
		require.Same(t, properties, p.Properties)
		require.Zero(t, shared[:2][1], "nothing is written behind the caller's")
		if properties != nil {
			require.Equal(t, "text/plain", sealed.Properties.ContentType)
			require.Equal(t, "x", sealed.Properties.User.Get("free"))
			require.Len(t, properties.User, 1)
		}
		tenant, err := mqttseal.Tenant(topic, sealed)
		require.NoError(t, err)
		m, err := mqttseal.Open(t.Context(), topic, tenant, sealed)
		require.NoError(t, err)
		require.Equal(t, "x", string(m.Value))
	}
	wrong := &paho.Publish{Payload: []byte("x"), Properties: &paho.PublishProperties{User: paho.UserProperties{{Key: "tenant", Value: "other"}}}}
	_, err := mqttseal.Seal(t.Context(), topic, ring.Tenant("acme"), wrong)
	require.ErrorIs(t, err, kms.ErrInvalid)
}
