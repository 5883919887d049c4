package main

const help = `Holdfast: secrets of a configuration

  holdfast seal    -key URI -store FILE -deployment NAME -tenant NAME -place P
  holdfast open    -key URI -store FILE -deployment NAME -tenant NAME -place P
  holdfast inspect

seal     reads a secret from standard input and writes the sealed text for the
         configuration file, enc:v1:..., to standard output. One line break at
         the end of the secret is dropped, as echo writes it; all else is kept.
open     reads a sealed text from standard input and writes the secret, with
         nothing after it.
inspect  reads anything that Holdfast wrote (a sealed text, record, stream or
         message, as bytes or in hex or base64) and says what it is. It needs no
         key, and nothing that it shows is authenticated.

  -key URI               the KMS key of the service:
                           local:///var/lib/app/key.json    a key file
                           awskms:///arn:aws:kms:...        in AWS
                           awskms:///alias/app?region=eu-north-1
                           hpke:///etc/app/private.pem      a private key
  -store FILE            its keys, as package boltstore keeps them
  -deployment NAME       as the service calls NewKeyring, such as acme-prod
  -tenant NAME           the tenant that the service resolves with
  -place P               the secret's place, such as primary/db: the tags on the
                         way to its field, joined by /. It opens there alone.
  -passphrase-file FILE  has the passphrase of a local key, in one line
  -init                  with seal: make the store, which must not exist yet,
                         and the key file of a local key unless it exists

A service has its store open alone: stop it first, or work on a copy of the file
that was made while it was stopped. A copy will do for tenants that have a key.
The first secret of a tenant makes its key.

Secrets are read from standard input only, and never typed at the terminal,
where they would show. In a shell:

  IFS= read -rs S && printf %s "$S" | holdfast seal ...; unset S
  pass show db | holdfast seal ...

Credentials for AWS come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
AWS_SESSION_TOKEN, the region from the URI or AWS_REGION. For others, such as
profiles and roles:

  eval "$(aws configure export-credentials --format env)"

Exit status: 0 done, 1 failed, 2 wrong arguments.
`
