// Package field seals columns of a table: [Field] is a typed column that the database, its dumps and its administrators see as ciphertext alone, and [Index] a blind index by which an exact value is
// still found.
//
// A row is a struct. [Table.Seal] seals its Fields before the row is inserted or updated, [Table.Open] opens them after it was scanned. These are two steps because a driver.Valuer has no context and a
// sql.Scanner does not know its row: a KMS may have to be asked, and a value is bound to table, column and row, so that one which was copied elsewhere does not open. What was not sealed
// no driver takes, and what does not open keeps no other column, and no other row, from being read, listed or deleted.
//
//	type User struct {
//		ID      string
//		Email   field.Field[string] `seal:"email"`
//		EmailEq field.Index         `seal:"email_eq,of=email,norm=email/v1"`
//	}
//
// A value takes 58 bytes more than it has, in a column of bytes: bytea in PostgreSQL, BLOB in SQLite. A CHECK constraint keeps out what a program writes past this package:
//
//	email bytea CHECK (get_byte(email, 0) = 245 AND length(email) >= 58)                                -- PostgreSQL
//	email BLOB  CHECK (typeof(email) = 'blob' AND hex(substr(email, 1, 1)) = 'F5' AND length(email) >= 58) -- SQLite
//	phone BLOB  CHECK (phone IS NULL OR typeof(phone) = 'blob' AND ...)                                 -- where it may be NULL
//	email_eq BLOB CHECK (email_eq IS NULL OR typeof(email_eq) = 'blob' AND length(email_eq) = 16)        -- an index: Plan.Bits()/8
//
// It is the last fence: what it refuses, PostgreSQL prints in its log and in the error's detail.
//
// # Blind indexes
//
// Whoever can read the database sees which rows have equal values in an indexed column, which have none, and how many have each. Who knows how frequent values are tells the frequent ones by it. Measured on 100 000 rows of
// values that are as frequent as 1/rank^1.1, the average of 20 draws (go test ./envelope/field -run TestLeakMeasured -v):
//
//	values   most frequent   token     told by frequency   told at most   rows read for one wanted
//	   200   21 %            64 bits    73 %               100 %            1
//	   200   21 %             8 bits    53 %                91 %            4
//	   200   21 %             4 bits    36 %                57 %           50
//	 20000   15 %            64 bits    49 %               100 %            1
//	 20000   15 %            16 bits    48 %                99 %            2
//	 20000   15 %            12 bits    46 %                88 %           18
//	 20000   15 %             8 bits    37 %                65 %          258
//
// Told by frequency is what one gets who takes the most frequent token for the most frequent value, and so on; nobody tells more than the next column by tokens alone. Short tokens cost more than they save. So [PlanIndex] refuses such
// columns. Nearly unique ones, such as e-mail addresses and account numbers, have nothing to rank. It asks for figures of the normalized values within one tenant, the largest and one whose values repeat most; for an index
// of prefixes those of the prefixes:
//
//	SELECT sum(n) AS rows, count(*) AS distinct_values, max(n) * 1.0 / sum(n) AS top_share FROM
//	  (SELECT count(*) AS n FROM customers WHERE tenant = 'acme' AND trim(email) <> '' GROUP BY lower(trim(email))) AS t;
//
// A placeholder that many rows have, such as "unknown", should be NULL before. Tokens outlive an erased person's key: set the columns that [Table.IndexColumns] names to NULL in the same program.
//
// # Normalizers
//
// Values with the same normal form are one value to an index, and to [Query.Keep]. Those over 4096 bytes are refused, and one of which nothing is left has no token.
//
//	exact/v1     the bytes as they are
//	casefold/v1  NFKC, full case folding (ß is ss), NFKC; white space at both ends goes
//	email/v1     NFKC, lower case of both parts (ß stays), NFKC; white space at both ends goes; no IDNA, no rules for dots and plus
//	phone/v1     as casefold/v1; white space, dashes, parentheses, dots and slashes go, digits of all scripts become 0 to 9, 00 in front becomes +; no country is guessed: store E.164
//
// Look-alikes fold together: a search for "ſam@example.com", with a long s, finds the row of sam@example.com, which may be somebody else's mailbox. Send mail to the address in the row, and never to the one that was typed. A form
// never changes under its name: a normalizer that has to is another version, and was= names the older one, which is searched too until [Table.Backfill] has been over the table.
//
// # A table that has data
//
// [Migrating] reads what is there as plaintext, and [Table.Backfill] seals it while the table is in use. In this order:
//
//  1. Make the columns ones of bytes, and add those of indexes. PostgreSQL: ALTER TABLE users ALTER email TYPE bytea USING convert_to(email, 'UTF8'), ADD email_eq bytea. SQLite takes bytes in any column.
//  2. Have every program use the Table that Migrating returns. Rows without a token are not found yet.
//  3. Backfill with DryRun, which counts, then without, until it finds nothing left.
//  4. Have every program use the Table of NewTable, and add the CHECK constraints.
//
// The same Backfill moves a table to a new version of a key after Rotate, fills a new Index, and computes one again whose normalizer has changed. The database's log, replicas, backups and free space hold the old plaintext until they
// are overwritten: VACUUM FULL in PostgreSQL and VACUUM in SQLite see to the last.
//
// # Erasure
//
// Erase the person first, which a hold may forbid, then set [Table.IndexColumns] to NULL. An UPDATE that was sealed before may arrive after it, from another process for as long as CacheTTL, and bring a token back: have a
// column that the erasure clears be part of its WHERE, as examples/customers does.
//
// # Limits
//
// The database still sees which rows there are, how long values are (pad= hides that), which are NULL, and when they change. Whoever writes it can put an older value of the same row and column back.
// A transaction can't be rolled back into a struct: after a failed INSERT the row's Fields are still sealed, which does no harm.
package field
