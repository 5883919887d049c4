package awskms

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

var deletionDate = time.Unix(1_800_000_000, 0)

// answers replies to each operation with its own answer, and to others that there is no such.
func answers(byOperation map[string]func(request) (*http.Response, error)) func(request) (*http.Response, error) {
	return func(r request) (*http.Response, error) {
		if answer := byOperation[r.operation]; answer != nil {
			return answer(r)
		}
		return reply(400, `{"__type":"UnknownOperationException"}`)(r)
	}
}

// description is what DescribeKey answers.
func description(t *testing.T, state string, more map[string]any) func(request) (*http.Response, error) {
	m := map[string]any{
		"Arn": testARN, "KeyId": keyID, "KeyState": state, "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT",
		"CurrentKeyMaterialId": "ab12",
	}
	for k, v := range more {
		m[k] = v
	}
	return reply(200, jsonOf(t, map[string]any{"KeyMetadata": m}))
}

func TestDescribe(t *testing.T) {
	states := map[types.KeyState]kms.State{
		types.KeyStateEnabled:                kms.Enabled,
		types.KeyStateUpdating:               kms.Enabled, // it wraps and unwraps meanwhile
		types.KeyStateDisabled:               kms.Disabled,
		types.KeyStatePendingImport:          kms.Disabled,
		types.KeyStatePendingDeletion:        kms.PendingDeletion,
		types.KeyStatePendingReplicaDeletion: kms.PendingDeletion,
		types.KeyStateCreating:               kms.Unknown,
		types.KeyStateUnavailable:            kms.Unknown,
		"SomethingNew":                       kms.Unknown,
	}
	for _, state := range types.KeyState("").Values() {
		require.Contains(t, states, state)
	}
	for state, want := range states {
		w := &wire{answer: answers(map[string]func(request) (*http.Response, error){
			"DescribeKey":          description(t, string(state), map[string]any{"DeletionDate": deletionDate.Unix()}),
			"GetKeyRotationStatus": reply(200, `{"KeyRotationEnabled":true,"RotationPeriodInDays":90,"NextRotationDate":1.9e9}`),
		})}
		info, err := driverOver(t, w, testARN).Describe(t.Context())
		require.NoError(t, err)
		require.True(t, deletionDate.Equal(info.DestroyAt), "%v", info.DestroyAt)
		info.DestroyAt = time.Time{}
		require.Equal(t, kms.Info{State: want, Version: "ab12", Region: region, RotationPeriod: 90 * 24 * time.Hour}, info)
		require.Equal(t, []request{
			{"DescribeKey", map[string]any{"KeyId": testARN, "GrantTokens": []any{"a grant token"}}},
			{"GetKeyRotationStatus", map[string]any{"KeyId": testARN}},
		}, w.requests)
	}
}

// TestDescribeWithoutRotation requires that who may not ask for the rotation still learns the state, and that an outage stays one.
func TestDescribeWithoutRotation(t *testing.T) {
	known := kms.Info{State: kms.Enabled, Version: "ab12", Region: region}
	for name, c := range map[string]struct {
		answer func(request) (*http.Response, error)
		want   error
	}{
		"off":          {reply(200, `{"KeyRotationEnabled":false,"RotationPeriodInDays":90}`), nil},
		"no period":    {reply(200, `{"KeyRotationEnabled":true}`), nil},
		"wrong period": {reply(200, `{"KeyRotationEnabled":true,"RotationPeriodInDays":2147483647}`), nil},
		"negative":     {reply(200, `{"KeyRotationEnabled":true,"RotationPeriodInDays":-1}`), nil},
		"denied":       {reply(400, `{"__type":"AccessDeniedException"}`), nil},
		"unsupported":  {reply(400, `{"__type":"UnsupportedOperationException"}`), nil},
		"state":        {reply(400, `{"__type":"KMSInvalidStateException"}`), nil},
		"gone":         {reply(400, `{"__type":"NotFoundException"}`), kms.ErrNotFound},
		"throttled":    {reply(400, `{"__type":"ThrottlingException"}`), kms.ErrThrottled},
		"outage":       {reply(503, ``), kms.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{answer: answers(map[string]func(request) (*http.Response, error){
				"DescribeKey": description(t, "Enabled", nil), "GetKeyRotationStatus": c.answer,
			})}
			info, err := driverOver(t, w, testARN).Describe(t.Context())
			if c.want != nil {
				requireClass(t, c.want, err)
				require.Zero(t, info)
				return
			}
			require.NoError(t, err)
			require.Equal(t, known, info)
		})
	}
}

// TestRotateOnce requires that neither the SDK nor the Key repeats a rotation: it may have begun.
func TestRotateOnce(t *testing.T) {
	for _, c := range []struct {
		answer func(request) (*http.Response, error)
		want   error
	}{
		{reply(200, jsonOf(t, map[string]any{"KeyId": testARN})), nil},
		{reply(500, `{"__type":"KMSInternalException"}`), kms.ErrUnavailable},
		{reply(400, `{"__type":"ThrottlingException"}`), kms.ErrThrottled},
		{reply(400, `{"__type":"LimitExceededException"}`), kms.ErrUnsupported},
		{reply(400, `{"__type":"ConflictException"}`), kms.ErrThrottled},
	} {
		w := &wire{answer: c.answer}
		k, err := New(t.Context(), clientOver(w, retrying), testARN, &Options{Key: &kms.Options{Attempts: 3}})
		require.NoError(t, err)
		err = k.Rotate(t.Context())
		require.Equal(t, c.want == nil, err == nil)
		require.ErrorIs(t, err, c.want)
		require.Equal(t, []request{{"RotateKeyOnDemand", map[string]any{"KeyId": testARN}}}, w.requests)
		require.NoError(t, k.Close())
	}
}

func TestDestroy(t *testing.T) {
	const day = 24 * time.Hour
	scheduled := reply(200, jsonOf(t, map[string]any{"KeyId": testARN, "DeletionDate": deletionDate.Unix(), "KeyState": "PendingDeletion"}))
	for after, days := range map[time.Duration]float64{
		0: 7, 1: 7, 7 * day: 7, 7*day + 1: 8, 8 * day: 8, 29*day + time.Hour: 30, 30 * day: 30, 30*day + 1: 0, 365 * day: 0, math.MaxInt64: 0,
	} {
		w := &wire{answer: scheduled}
		at, err := driverOver(t, w, testARN).Destroy(t.Context(), after)
		if days == 0 {
			require.ErrorIs(t, err, kms.ErrInvalid, "%v", after)
			require.Zero(t, at)
			require.Empty(t, w.requests)
			continue
		}
		require.NoError(t, err)
		require.True(t, deletionDate.Equal(at))
		require.Equal(t, []request{{"ScheduleKeyDeletion", map[string]any{"KeyId": testARN, "PendingWindowInDays": days}}}, w.requests, "%v", after)
	}

	// A multi-Region primary key waits for its replicas: no date is known.
	w := &wire{answer: reply(200, jsonOf(t, map[string]any{"KeyId": testARN, "KeyState": "PendingReplicaDeletion"}))}
	at, err := driverOver(t, w, testARN).Destroy(t.Context(), 0)
	require.NoError(t, err)
	require.Zero(t, at)
}

// TestDestroyAgain keeps the date of a deletion that was scheduled before, and fails on a state that has none.
func TestDestroyAgain(t *testing.T) {
	for state, want := range map[string]error{
		"PendingDeletion": nil, "PendingReplicaDeletion": nil, "Creating": kms.ErrUnavailable, "PendingImport": kms.ErrDisabled,
	} {
		more := map[string]any{}
		if state == "PendingDeletion" {
			more["DeletionDate"] = deletionDate.Unix()
		}
		w := &wire{answer: answers(map[string]func(request) (*http.Response, error){
			"ScheduleKeyDeletion": reply(400, `{"__type":"KMSInvalidStateException"}`), "DescribeKey": description(t, state, more),
		})}
		at, err := driverOver(t, w, testARN).Destroy(t.Context(), 0)
		if want != nil {
			requireClass(t, want, err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, state == "PendingDeletion", deletionDate.Equal(at))
	}
}
