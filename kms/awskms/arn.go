package awskms

import (
	"regexp"
	"strings"
)

// arn names a KMS key or an alias: arn:PARTITION:kms:REGION:ACCOUNT:key/ID, or alias/NAME at its end.
type arn struct {
	partition, region, account string
	resource                   string // "key/ID" or "alias/NAME"
}

// The forms of the API reference, in bounds. Key ids are UUIDs, or "mrk-" and 32 hexadecimal digits for multi-Region
// keys; stand-ins for the service have others. KMS writes them in lower case, and compares what it is given exactly.
var (
	arnForm   = regexp.MustCompile(`^arn:([a-z0-9-]{1,32}):kms:([a-z0-9-]{1,32}):([0-9]{12}):(key/[a-z0-9-]{1,128}|alias/[A-Za-z0-9/_-]{1,250})$`)
	keyIDForm = regexp.MustCompile(`^[a-z0-9-]{1,128}$`)
	aliasForm = regexp.MustCompile(`^alias/[A-Za-z0-9/_-]{1,250}$`)
	// officialForm has the key ids of AWS itself.
	officialForm = regexp.MustCompile(`^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$`)
	regionForm   = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
)

// parseARN reads the ARN of a key or an alias, and nothing else.
func parseARN(s string) (arn, bool) {
	parts := arnForm.FindStringSubmatch(s)
	if parts == nil {
		return arn{}, false
	}
	return arn{partition: parts[1], region: parts[2], account: parts[3], resource: parts[4]}, true
}

// String returns what parseARN reads.
func (a arn) String() string {
	return strings.Join([]string{"arn", a.partition, "kms", a.region, a.account, a.resource}, ":")
}

func (a arn) isKey() bool { return strings.HasPrefix(a.resource, "key/") }

// sameKey tells whether a and b are one key, or related multi-Region keys: those have one id and the same key
// material in several regions, and open what either wrapped.
func (a arn) sameKey(b arn) bool {
	if strings.HasPrefix(a.resource, "key/mrk-") {
		b.region = a.region
	}
	return a == b
}
