package awskms

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
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
			"GetKeyRotationStatus": reply(200, `{"KeyId":"`+keyID+`","KeyRotationEnabled":true,"RotationPeriodInDays":90,"NextRotationDate":1.9e9}`),
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
		"off":          {reply(200, `{"KeyId":"`+testARN+`","KeyRotationEnabled":false,"RotationPeriodInDays":90}`), nil},
		"no period":    {reply(200, `{"KeyId":"`+keyID+`","KeyRotationEnabled":true}`), nil},
		"wrong period": {reply(200, `{"KeyId":"`+keyID+`","KeyRotationEnabled":true,"RotationPeriodInDays":2147483647}`), nil},
		"negative":     {reply(200, `{"KeyId":"`+keyID+`","KeyRotationEnabled":true,"RotationPeriodInDays":-1}`), nil},
		"nothing":      {reply(200, `{}`), kms.ErrInvalid},
		"empty body":   {reply(200, ``), kms.ErrInvalid},
		"another key":  {reply(200, `{"KeyId":"`+mrkID+`","KeyRotationEnabled":false}`), kms.ErrInvalid},
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
		{reply(200, jsonOf(t, map[string]any{"KeyId": keyID})), nil},
		{reply(200, jsonOf(t, map[string]any{"KeyId": mrkID})), kms.ErrInvalid},
		{reply(200, jsonOf(t, map[string]any{"KeyId": "key/" + keyID})), kms.ErrInvalid},
		{reply(200, "{}"), kms.ErrInvalid},
		{reply(200, ""), kms.ErrInvalid},
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

// TestDestroyWrongly requires that nothing is taken for a deletion that KMS has not said to have scheduled.
func TestDestroyWrongly(t *testing.T) {
	for name, c := range map[string]struct {
		answer map[string]any
		want   error
	}{
		"id alone":          {map[string]any{"KeyId": keyID, "DeletionDate": 1.8e9}, nil},
		"no date":           {map[string]any{"KeyId": testARN, "KeyState": "PendingDeletion"}, kms.ErrInvalid},
		"no date, no state": {map[string]any{"KeyId": testARN}, kms.ErrInvalid},
		"no date, enabled":  {map[string]any{"KeyId": testARN, "KeyState": "Enabled"}, kms.ErrInvalid},
		"another key":       {map[string]any{"KeyId": mrkARN, "DeletionDate": 1.8e9}, kms.ErrInvalid},
		"no key":            {map[string]any{"DeletionDate": 1.8e9}, kms.ErrInvalid},
		"nothing":           {map[string]any{}, kms.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			at, err := driverOver(t, &wire{answer: reply(200, jsonOf(t, c.answer))}, testARN).Destroy(t.Context(), 0)
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			requireClass(t, c.want, err)
			require.Zero(t, at)
		})
	}
	_, err := driverOver(t, &wire{answer: reply(200, "")}, testARN).Destroy(t.Context(), 0)
	requireClass(t, kms.ErrInvalid, err)
}

// TestDestroyUndone does not report a deletion that was cancelled since KMS refused to schedule it again.
func TestDestroyUndone(t *testing.T) {
	w, asked := &wire{}, 0
	w.answer = func(r request) (*http.Response, error) {
		if r.operation != "DescribeKey" {
			return reply(400, `{"__type":"KMSInvalidStateException"}`)(r)
		}
		if asked++; asked == 1 {
			return description(t, "PendingDeletion", map[string]any{"DeletionDate": 1.8e9})(r)
		}
		return description(t, "Disabled", nil)(r)
	}
	at, err := driverOver(t, w, testARN).Destroy(t.Context(), 0)
	requireClass(t, kms.ErrInvalid, err)
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

// TestRotation rotates, finds what a rotation leaves behind, and meets the limit of a key's rotations.
func TestRotation(t *testing.T) {
	s := awskmstest.New(t)
	k := newKey(t, s.Client(region), s.CreateKey(region), nil)
	stored := wraps(t, k, nil)
	before, err := k.Describe(t.Context())
	require.NoError(t, err)
	require.NoError(t, k.Rotate(t.Context()))
	after, err := k.Describe(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, before.Version)
	require.NotEqual(t, before.Version, after.Version)
	opens(t, k, stored, nil)
	require.False(t, k.Stale(stored), "it can't tell")
	require.Empty(t, wraps(t, k, nil).Version)
	for err == nil {
		err = k.Rotate(t.Context())
	}
	requireClass(t, kms.ErrUnsupported, err)
	require.Less(t, s.Calls("RotateKeyOnDemand"), 30)
}

// TestDestroyed follows a key to its end.
func TestDestroyed(t *testing.T) {
	s := awskmstest.New(t)
	k := newKey(t, s.Client(region), s.CreateKey(region), nil)
	w := wraps(t, k, nil)
	at, err := k.Destroy(t.Context(), 20*24*time.Hour)
	require.NoError(t, err)
	require.False(t, at.IsZero())
	again, err := k.Destroy(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, at, again, "a deletion keeps its date")
	info, err := k.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, kms.PendingDeletion, info.State)
	require.Equal(t, at, info.DestroyAt)
	_, err = k.Unwrap(t.Context(), w, nil)
	requireClass(t, kms.ErrPendingDeletion, err)
	requireClass(t, kms.ErrPendingDeletion, k.Rotate(t.Context()))
	s.FinishDeletion(k.Ref().KeyID)
	_, err = k.Wrap(t.Context(), []byte(canary), nil)
	requireClass(t, kms.ErrNotFound, err)
	require.Equal(t, kms.HealthDestroyed, k.Status().Health)
	_, err = k.Unwrap(t.Context(), w, nil)
	requireClass(t, kms.ErrNotFound, err)
	require.Equal(t, kms.HealthDestroyed, k.Status().Health)
}
