// Package db is what sqlc makes of query.sql, but for this comment.
package db
