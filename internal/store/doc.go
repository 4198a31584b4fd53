// Package store keeps everything durable: SQLite in one file, or PostgreSQL. One SQL
// text serves both; the few differences stand in dialect.go.
package store
