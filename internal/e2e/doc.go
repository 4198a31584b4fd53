// Package e2e tests the built binary as its users meet it: a browser on a phone-sized
// screen, MCP clients on every transport, the seed's own examples, and kill -9.
// It runs with HUMANOPS_E2E=1 (make test sets it); plain go test ./... skips it.
package e2e
