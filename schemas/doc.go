// Package schemas declares, once, everything that crosses a boundary: wire types,
// endpoints, error codes and money. It holds codecs but no rules, and depends on
// nothing outside the standard library.
//
// Field tags follow huma (doc, enum, minLength, maximum, pattern, example …). From
// them come the MCP tool schemas, the OpenAPI document and the validation of both.
// A field with a path or query tag travels there; every other field is in the body.
package schemas
