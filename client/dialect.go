package client

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/go-resty/resty/v2"

	"humanops-mcp/schemas"
)

// dialect is how one contract is called: everything in which it differs from the others,
// on the client's side. Those below name no fields, so that one which forgets something
// does not compile.
type dialect struct {
	service string // who speaks it, at the beginning of a sentence
	hosted  bool   // others speak it, too: an address may end in its prefix
	repeats bool   // others recognise a repeated call by its Idempotency-Key
	// byKey tells whether to show the agent's key where there is a person's token as well.
	byKey   func(schemas.Info) bool
	showKey func(r *resty.Request, key string)
	prefix  func(schemas.Info) string
	unwrap  func(answer []byte) []byte
	refusal func(body []byte) envelope
}

var dialects = map[string]dialect{
	schemas.Marketplace.Name(): {"The marketplace", true, true, always, apiKey, firstPrefix, asItIs, readEnvelope},
	schemas.Platform.Name():    {"The marketplace", false, true, never, apiKey, firstPrefix, asItIs, readEnvelope},
	schemas.Reviews.Name():     {"The review service", true, false, forAgents, bearer, hostedPrefix, data, readReviewEnvelope},
}

// Speaks tells whether this client can call a contract: not one that has no dialect here.
func Speaks(c schemas.Contract) error {
	if _, ok := dialects[c.Name()]; !ok {
		return schemas.NewError(schemas.CodeInternal, "The contract "+strconv.Quote(c.Name())+" has no dialect in package client.")
	}
	return nil
}

func dialectOf(c schemas.Contract) dialect { return dialects[c.Name()] }

func always(schemas.Info) bool { return true }

func never(schemas.Info) bool { return false }

func forAgents(e schemas.Info) bool { return e.Access&(schemas.Agent|schemas.Executor) != 0 }

func apiKey(r *resty.Request, key string) { r.SetHeader("X-API-Key", key) }

func bearer(r *resty.Request, key string) { r.SetHeader("Authorization", "Bearer "+key) }

func firstPrefix(e schemas.Info) string { return e.Contract.Prefix() }

// hostedPrefix is the one that documents and hosted services agree on: the review contract
// has its key check and its uploads without /api.
func hostedPrefix(e schemas.Info) string {
	if e.Path == schemas.CheckKey.Path || strings.HasPrefix(e.Path, "/upload/") {
		return "/v1"
	}
	return e.Contract.Prefix()
}

func asItIs(raw []byte) []byte { return raw }

// data is what stands in the review contract's envelope.
func data(raw []byte) []byte {
	var wrapped struct{ Data json.RawMessage }
	if json.Unmarshal(raw, &wrapped) == nil && len(wrapped.Data) > 0 && string(wrapped.Data) != "null" {
		return wrapped.Data
	}
	return raw
}

// readEnvelope reads the marketplace's error answer; what is no envelope leaves it empty.
func readEnvelope(body []byte) (e envelope) {
	_ = json.Unmarshal(body, &e)
	return e
}
