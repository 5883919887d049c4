package envelope_test

import (
	"context"
	"fmt"
	"log"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
)

// A customer moves from our KMS key to one of its own.
func ExampleKeyring_Rewrap() {
	ctx := context.Background()
	ours, _, remove := openKey()
	defer remove()
	theirs, _, removeTheirs := openKey()
	defer removeTheirs()
	moving, err := kms.Rolling(theirs.Key(), ours.Key())
	if err != nil {
		log.Fatal(err)
	}

	keys := map[string]*kms.Key{"acme": ours.Key(), "other": ours.Key()}
	root := func(_ context.Context, tenant string) (*kms.Key, error) { return keys[tenant], nil }
	r, err := envelope.NewKeyring("prod", memstore.New(), root, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	for tenant := range keys {
		if _, err := r.Tenant(tenant).Create(ctx); err != nil {
			log.Fatal(err)
		}
	}

	keys["acme"] = moving
	o := &envelope.RewrapOptions{Tenants: []string{"acme"}}
	report, err := r.Rewrap(ctx, o)
	if err != nil {
		log.Fatal(err) // call it again with o.Cursor = report.Cursor
	}
	fmt.Println("rewrapped", report.Rewrapped, "fresh", report.Fresh)
	if report, err = r.Rewrap(ctx, o); err != nil {
		log.Fatal(err)
	}
	fmt.Println("rewrapped", report.Rewrapped, "fresh", report.Fresh)

	keys["acme"] = theirs.Key() // once CacheTTL is over
	for tenant, err := range r.Tenants(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		h := r.Health(ctx, tenant)
		fmt.Println(tenant, h.State, h.Status.Health)
	}
	// Output:
	// rewrapped 1 fresh 0
	// rewrapped 0 fresh 1
	// acme active usable
	// other active usable
}
