package awskmstest

import "unicode/utf8"

// input has the parameters of all operations.
type input struct {
	KeyID               string `json:"KeyId"`
	EncryptionContext   map[string]string
	EncryptionAlgorithm string
	GrantTokens         []string
	Plaintext           []byte
	CiphertextBlob      []byte
	NumberOfBytes       *int

	SourceKeyID                    string `json:"SourceKeyId"`
	SourceEncryptionContext        map[string]string
	SourceEncryptionAlgorithm      string
	DestinationKeyID               string `json:"DestinationKeyId"`
	DestinationEncryptionContext   map[string]string
	DestinationEncryptionAlgorithm string

	Description   string
	KeySpec       string
	KeyUsage      string
	Origin        string
	MultiRegion   bool
	ReplicaRegion string

	AliasName            string
	TargetKeyID          string `json:"TargetKeyId"`
	PendingWindowInDays  *int
	RotationPeriodInDays *int

	GranteePrincipal  string
	RetiringPrincipal string
	Operations        []string
	Constraints       *constraints
	Name              string
	GrantID           string `json:"GrantId"`
	GrantToken        string
}

// check applies the limits that the API reference gives for parameters, whatever the operation.
func (in input) check() error {
	over := func(name string, n, limit int) error {
		if n > limit {
			return tooLong(name, limit)
		}
		return nil
	}
	for _, err := range []error{
		over("keyId", len(in.KeyID), 2048),
		over("sourceKeyId", len(in.SourceKeyID), 2048),
		over("destinationKeyId", len(in.DestinationKeyID), 2048),
		over("targetKeyId", len(in.TargetKeyID), 2048),
		over("plaintext", len(in.Plaintext), 4096),
		over("ciphertextBlob", len(in.CiphertextBlob), 6144),
		over("description", utf8.RuneCountInString(in.Description), 8192),
		over("grantTokens", len(in.GrantTokens), 10),
		over("aliasName", len(in.AliasName), 256),
		over("name", len(in.Name), 256),
	} {
		if err != nil {
			return err
		}
	}
	for _, token := range in.GrantTokens {
		if len(token) < 1 || len(token) > 8192 {
			return fail("ValidationException", "1 validation error detected: a member of 'grantTokens' must have length between 1 and 8192")
		}
	}
	return nil
}

func tooLong(name string, limit int) error {
	return fail("ValidationException", "1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", name, limit)
}

// atLeastOne refuses a required parameter that is empty.
func atLeastOne(name string, n int) error {
	if n == 0 {
		return fail("ValidationException", "1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length greater than or equal to 1", name)
	}
	return nil
}

// within returns *v, or otherwise where there is none, and refuses what is out of bounds.
func within(name string, v *int, low, high, otherwise int) (int, error) {
	if v == nil {
		return otherwise, nil
	}
	if *v < low || *v > high {
		return 0, fail("ValidationException", "%s must be between %d and %d", name, low, high)
	}
	return *v, nil
}
