package awskmstest_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/awskmstest"
)

var dataKey = bytes.Repeat([]byte{7}, 32)

func encrypt(t *testing.T, c *kms.Client, id string, ec map[string]string) []byte {
	t.Helper()
	out, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &id, Plaintext: dataKey, EncryptionContext: ec})
	require.NoError(t, err)
	return out.CiphertextBlob
}

func TestEncryptDecrypt(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	arn := s.CreateKey(region)
	s.CreateAlias("alias/app", arn)
	id := arn[len(arn)-36:]
	for name, id := range map[string]string{
		"ARN": arn, "id": id, "alias": "alias/app", "alias ARN": "arn:aws:kms:eu-north-1:111122223333:alias/app",
	} {
		t.Run(name, func(t *testing.T) {
			sealed, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &id, Plaintext: dataKey, EncryptionContext: map[string]string{"a": "b"}})
			require.NoError(t, err)
			require.Equal(t, arn, *sealed.KeyId)
			require.Equal(t, types.EncryptionAlgorithmSpecSymmetricDefault, sealed.EncryptionAlgorithm)
			require.NotContains(t, string(sealed.CiphertextBlob), string(dataKey))
			require.Len(t, sealed.CiphertextBlob, 183)
			for name, id := range map[string]*string{"named": &id, "found": nil} {
				t.Run(name, func(t *testing.T) {
					opened, err := c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: id, CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: map[string]string{"a": "b"}})
					require.NoError(t, err)
					require.Equal(t, dataKey, opened.Plaintext)
					require.Equal(t, arn, *opened.KeyId)
					require.Len(t, *opened.KeyMaterialId, 64)
				})
			}
		})
	}
}

func TestDecryptRefuses(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	arn, other, far := s.CreateKey(region), s.CreateKey(region), s.CreateKey("us-east-1")
	ec := map[string]string{"tenant": "t1"}
	good := encrypt(t, c, arn, ec)
	farBlob := encrypt(t, s.Client("us-east-1"), far, ec)
	for name, test := range map[string]struct {
		key  *string
		blob []byte
		ec   map[string]string
		want string
	}{
		"other value":        {&arn, good, map[string]string{"tenant": "t2"}, "InvalidCiphertextException"},
		"other name":         {&arn, good, map[string]string{"Tenant": "t1"}, "InvalidCiphertextException"},
		"more context":       {&arn, good, map[string]string{"tenant": "t1", "x": ""}, "InvalidCiphertextException"},
		"no context":         {nil, good, nil, "InvalidCiphertextException"},
		"short":              {&arn, good[:100], ec, "InvalidCiphertextException"},
		"longer":             {&arn, append(bytes.Clone(good), 0), ec, "InvalidCiphertextException"},
		"no blob at all":     {nil, []byte("no blob"), ec, "InvalidCiphertextException"},
		"other key":          {&other, good, ec, "IncorrectKeyException"},
		"other region, key":  {&far, good, ec, "NotFoundException"},
		"other region, blob": {nil, farBlob, ec, "AccessDeniedException"},
		"key and far blob":   {&arn, farBlob, ec, "IncorrectKeyException"},
		"too long":           {&arn, make([]byte, 6145), ec, "ValidationException"},
		"empty":              {&arn, []byte{}, ec, "ValidationException"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: test.key, CiphertextBlob: test.blob, EncryptionContext: test.ec})
			requireCode(t, test.want, err)
		})
	}
}

// No changed byte of a blob opens.
func TestChangedBlob(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	arn := s.CreateKey(region)
	good := encrypt(t, c, arn, nil)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		_, err := c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: bad})
		requireCode(t, "InvalidCiphertextException", err)
	}
}

func TestLengths(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	arn := s.CreateKey(region)
	for _, test := range []struct {
		name      string
		plaintext []byte
		want      string
	}{
		{"empty", []byte{}, "ValidationException"},
		{"one", make([]byte, 1), ""},
		{"most", make([]byte, 4096), ""},
		{"more", make([]byte, 4097), "ValidationException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: test.plaintext})
			requireCode(t, test.want, err)
			if test.want == "" {
				back, err := c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &arn, CiphertextBlob: out.CiphertextBlob})
				require.NoError(t, err)
				require.Equal(t, test.plaintext, back.Plaintext)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	arn := s.CreateKey(region)
	for _, test := range []struct {
		name   string
		change func(*kms.EncryptInput)
		want   string
	}{
		{"nothing", func(*kms.EncryptInput) {}, ""},
		{"algorithm", func(in *kms.EncryptInput) { in.EncryptionAlgorithm = types.EncryptionAlgorithmSpecSymmetricDefault }, ""},
		{"RSA", func(in *kms.EncryptInput) { in.EncryptionAlgorithm = types.EncryptionAlgorithmSpecRsaesOaepSha256 }, "InvalidKeyUsageException"},
		{"unknown here", func(in *kms.EncryptInput) { in.DryRun = aws.Bool(true) }, "ValidationException"},
		{"empty key id", func(in *kms.EncryptInput) { in.KeyId = aws.String("") }, "ValidationException"},
		{"long key id", func(in *kms.EncryptInput) { in.KeyId = aws.String(string(make([]byte, 2049))) }, "ValidationException"},
		{"no such key", func(in *kms.EncryptInput) { in.KeyId = aws.String("1234abcd-12ab-34cd-56ef-1234567890ab") }, "NotFoundException"},
		{"no such alias", func(in *kms.EncryptInput) { in.KeyId = aws.String("alias/none") }, "NotFoundException"},
		{"no ARN", func(in *kms.EncryptInput) { in.KeyId = aws.String("arn:aws:s3:::bucket") }, "InvalidArnException"},
		{"other account", func(in *kms.EncryptInput) { in.KeyId = aws.String("arn:aws:kms:eu-north-1:444455556666:key/x") }, "AccessDeniedException"},
		{"no such token", func(in *kms.EncryptInput) { in.GrantTokens = []string{"x"} }, "InvalidGrantTokenException"},
		{"empty token", func(in *kms.EncryptInput) { in.GrantTokens = []string{""} }, "ValidationException"},
		{"11 tokens", func(in *kms.EncryptInput) { in.GrantTokens = strings.Split("abcdefghijk", "") }, "ValidationException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := &kms.EncryptInput{KeyId: &arn, Plaintext: dataKey}
			test.change(in)
			_, err := c.Encrypt(t.Context(), in)
			requireCode(t, test.want, err)
		})
	}
}

func TestReEncrypt(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	from, to := s.CreateKey(region), s.CreateKey(region)
	old := encrypt(t, c, from, map[string]string{"v": "1"})
	in := &kms.ReEncryptInput{
		CiphertextBlob: old, SourceKeyId: &from, SourceEncryptionContext: map[string]string{"v": "1"},
		DestinationKeyId: &to, DestinationEncryptionContext: map[string]string{"v": "2"},
	}
	out, err := c.ReEncrypt(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, from, *out.SourceKeyId)
	require.Equal(t, to, *out.KeyId)
	require.NotEqual(t, *out.SourceKeyMaterialId, *out.DestinationKeyMaterialId)
	back, err := c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &to, CiphertextBlob: out.CiphertextBlob, EncryptionContext: map[string]string{"v": "2"}})
	require.NoError(t, err)
	require.Equal(t, dataKey, back.Plaintext)

	in.SourceKeyId = &to
	_, err = c.ReEncrypt(t.Context(), in)
	requireCode(t, "IncorrectKeyException", err)
	in.SourceKeyId, in.SourceEncryptionContext = nil, nil
	_, err = c.ReEncrypt(t.Context(), in)
	requireCode(t, "InvalidCiphertextException", err)
}

func TestGenerateDataKey(t *testing.T) {
	s := awskmstest.New(t)
	c := s.Client(region)
	arn := s.CreateKey(region)
	for _, test := range []struct {
		name string
		in   kms.GenerateDataKeyInput
		size int
		want string
	}{
		{"AES_256", kms.GenerateDataKeyInput{KeySpec: types.DataKeySpecAes256}, 32, ""},
		{"AES_128", kms.GenerateDataKeyInput{KeySpec: types.DataKeySpecAes128}, 16, ""},
		{"64 bytes", kms.GenerateDataKeyInput{NumberOfBytes: aws.Int32(64)}, 64, ""},
		{"neither", kms.GenerateDataKeyInput{}, 0, "ValidationException"},
		{"both", kms.GenerateDataKeyInput{KeySpec: types.DataKeySpecAes256, NumberOfBytes: aws.Int32(64)}, 0, "ValidationException"},
		{"too many", kms.GenerateDataKeyInput{NumberOfBytes: aws.Int32(1025)}, 0, "ValidationException"},
		{"none", kms.GenerateDataKeyInput{NumberOfBytes: aws.Int32(0)}, 0, "ValidationException"},
		{"other spec", kms.GenerateDataKeyInput{KeySpec: "AES_192"}, 0, "ValidationException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ec := map[string]string{"a": "b"}
			test.in.KeyId, test.in.EncryptionContext = &arn, ec
			out, err := c.GenerateDataKey(t.Context(), &test.in)
			requireCode(t, test.want, err)
			bare, err := c.GenerateDataKeyWithoutPlaintext(t.Context(), &kms.GenerateDataKeyWithoutPlaintextInput{
				KeyId: &arn, KeySpec: test.in.KeySpec, NumberOfBytes: test.in.NumberOfBytes, EncryptionContext: ec,
			})
			requireCode(t, test.want, err)
			if test.want != "" {
				return
			}
			require.Len(t, out.Plaintext, test.size)
			back, err := c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: out.CiphertextBlob, EncryptionContext: ec})
			require.NoError(t, err)
			require.Equal(t, out.Plaintext, back.Plaintext)
			require.Equal(t, *out.KeyMaterialId, *back.KeyMaterialId)
			back, err = c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: bare.CiphertextBlob, EncryptionContext: ec})
			require.NoError(t, err)
			require.Len(t, back.Plaintext, test.size)
			require.NotEqual(t, out.Plaintext, back.Plaintext)
		})
	}
}

// What the SDK would not show is not sent either.
func TestWithoutPlaintext(t *testing.T) {
	s := awskmstest.New(t)
	arn := s.CreateKey(region)
	var sent []string
	s.Inject(always(&awskmstest.Fault{Edit: func(a map[string]any) { sent = slices.Sorted(maps.Keys(a)) }}))
	_, err := s.Client(region).GenerateDataKeyWithoutPlaintext(t.Context(), &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: &arn, KeySpec: types.DataKeySpecAes256})
	require.NoError(t, err)
	require.Equal(t, []string{"CiphertextBlob", "KeyId", "KeyMaterialId"}, sent)
}
