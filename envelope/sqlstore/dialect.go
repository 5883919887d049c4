package sqlstore

import "strings"

// Dialect is the kind of a database.
type Dialect int

// The databases that are known.
const (
	PostgreSQL Dialect = 1 + iota
	SQLite
)

// String returns the name of the database.
func (d Dialect) String() string {
	switch d {
	case PostgreSQL:
		return "PostgreSQL"
	case SQLite:
		return "SQLite"
	}
	return "unknown database"
}

// statements are the texts of one dialect for one table. Arguments are []byte and int64 only and their types are spelled out, so that they mean the same
// whether a driver sends them apart, prepared or as part of the text.
type statements struct {
	get, list, check, update, create string // rows
	exists                           string // whether the table is there
	isOther                          string // succeeds in a database of the other dialect
}

// The texts for PostgreSQL. SQLite lacks the casts, and FOR SHARE, for one writer locks out all others.
const (
	getText    = `SELECT value, revision FROM TABLE WHERE key = $1::bytea`
	listText   = `SELECT key, value, revision FROM TABLE WHERE key >= $1::bytea AND key < $2::bytea AND key > $3::bytea ORDER BY key LIMIT $4::bigint`
	checkText  = `SELECT 1 FROM TABLE WHERE key = $1::bytea AND revision = $2::bigint FOR SHARE`
	updateText = `UPDATE TABLE SET value = $2::bytea, revision = revision + 1 WHERE key = $1::bytea AND revision = $3::bigint`
	createText = `INSERT INTO TABLE (key, value, revision) VALUES ($1::bytea, $2::bytea, 1) ON CONFLICT (key) DO NOTHING`
)

func (d Dialect) statements(table string) statements {
	schema, name, found := strings.Cut(table, ".")
	if !found {
		schema, name = "", table
	}
	s := statements{
		get: getText, list: listText, check: checkText, update: updateText, create: createText,
		exists:  `SELECT to_regclass('TABLE') IS NOT NULL`,
		isOther: `SELECT sqlite_version()`,
	}
	if d == SQLite {
		if found {
			schema = quoted(schema) + "."
		}
		s.exists = `SELECT EXISTS (SELECT 1 FROM ` + schema + `sqlite_schema WHERE type = 'table' AND name = '` + name + `')`
		s.isOther = `SELECT pg_backend_pid()`
	}
	plain := strings.NewReplacer("::bytea", "", "::bigint", "", " FOR SHARE", "", "$", "?")
	for _, text := range []*string{&s.get, &s.list, &s.check, &s.update, &s.create, &s.exists} {
		*text = strings.ReplaceAll(*text, "TABLE", quoted(table))
		if d == SQLite {
			*text = plain.Replace(*text)
		}
	}
	return s
}

// quoted returns [schema.]name as SQL takes it whatever word it is.
func quoted(table string) string { return `"` + strings.ReplaceAll(table, ".", `"."`) + `"` }
