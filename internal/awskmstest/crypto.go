package awskmstest

import "crypto/rand"

// algorithmName is the one encryption algorithm of symmetric keys.
const algorithmName = "SYMMETRIC_DEFAULT"

func checkAlgorithm(name string) error {
	if name != "" && name != algorithmName {
		return fail("InvalidKeyUsageException", "Algorithm %.64q is incompatible with key spec %s.", name, algorithmName)
	}
	return nil
}

func encrypt(c *call) (answer, error) {
	if err := atLeastOne("plaintext", len(c.in.Plaintext)); err != nil {
		return nil, err
	}
	k, err := c.key(c.in.KeyID)
	if err != nil {
		return nil, err
	}
	if err := checkAlgorithm(c.in.EncryptionAlgorithm); err != nil {
		return nil, err
	}
	return answer{
		"CiphertextBlob":      k.seal(c.in.Plaintext, c.in.EncryptionContext),
		"EncryptionAlgorithm": algorithmName,
		"KeyId":               k.arn(),
	}, nil
}

func decrypt(c *call) (answer, error) {
	k, plaintext, materialID, err := c.open("Decrypt", c.in.KeyID, c.in.EncryptionAlgorithm, c.in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return answer{
		"EncryptionAlgorithm": algorithmName,
		"KeyId":               k.arn(),
		"KeyMaterialId":       materialID,
		"Plaintext":           plaintext,
	}, nil
}

func reEncrypt(c *call) (answer, error) {
	source, plaintext, sourceMaterial, err := c.open("ReEncryptFrom", c.in.SourceKeyID, c.in.SourceEncryptionAlgorithm, c.in.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	defer clear(plaintext)
	k, err := c.find(c.in.DestinationKeyID, true)
	if err != nil {
		return nil, err
	}
	if err := c.may("ReEncryptTo", k, c.in.DestinationEncryptionContext); err != nil {
		return nil, err
	}
	if err := checkAlgorithm(c.in.DestinationEncryptionAlgorithm); err != nil {
		return nil, err
	}
	return answer{
		"CiphertextBlob":                 k.seal(plaintext, c.in.DestinationEncryptionContext),
		"DestinationEncryptionAlgorithm": algorithmName,
		"DestinationKeyMaterialId":       k.current().id,
		"KeyId":                          k.arn(),
		"SourceEncryptionAlgorithm":      algorithmName,
		"SourceKeyId":                    source.arn(),
		"SourceKeyMaterialId":            sourceMaterial,
	}, nil
}

// open decrypts the request's blob under the key that keyID names or, where it is empty, under the one that the blob names.
func (c *call) open(action, keyID, algorithm string, context map[string]string) (k *key, plaintext []byte, materialID string, err error) {
	if err := atLeastOne("ciphertextBlob", len(c.in.CiphertextBlob)); err != nil {
		return nil, nil, "", err
	}
	if keyID != "" {
		if k, err = c.find(keyID, true); err == nil {
			err = c.may(action, k, context)
		}
		if err != nil {
			return nil, nil, "", err
		}
	}
	if err := checkAlgorithm(algorithm); err != nil {
		return nil, nil, "", err
	}
	b, ok := parseBlob(c.in.CiphertextBlob)
	if !ok || !c.known[b.keyID] {
		return nil, nil, "", fail("InvalidCiphertextException", "")
	}
	if k == nil {
		if k = c.at(c.region).keys[b.keyID]; k == nil {
			return nil, nil, "", fail("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
		}
		if err := c.may(action, k, context); err != nil {
			return nil, nil, "", err
		}
	}
	if b.keyID != k.id {
		return nil, nil, "", fail("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
	}
	plaintext, materialID, err = k.open(b, context)
	return k, plaintext, materialID, err
}

func generateDataKey(c *call) (answer, error) {
	n, err := c.dataKeySize()
	if err != nil {
		return nil, err
	}
	k, err := c.key(c.in.KeyID)
	if err != nil {
		return nil, err
	}
	plaintext := make([]byte, n)
	rand.Read(plaintext)
	return answer{
		"CiphertextBlob": k.seal(plaintext, c.in.EncryptionContext),
		"KeyId":          k.arn(),
		"KeyMaterialId":  k.current().id,
		"Plaintext":      plaintext,
	}, nil
}

func generateDataKeyWithoutPlaintext(c *call) (answer, error) {
	a, err := generateDataKey(c)
	delete(a, "Plaintext")
	return a, err
}

// dataKeySize returns the length that the request asks for, in bytes.
func (c *call) dataKeySize() (int, error) {
	spec, n := c.in.KeySpec, c.in.NumberOfBytes
	if (spec == "") == (n == nil) {
		return 0, fail("ValidationException", "Please specify either number of bytes or key spec.")
	}
	switch spec {
	case "":
		return within("NumberOfBytes", n, 1, 1024, 0)
	case "AES_128":
		return 16, nil
	case "AES_256":
		return 32, nil
	}
	return 0, fail("ValidationException", "Value at 'keySpec' must be AES_128 or AES_256")
}
