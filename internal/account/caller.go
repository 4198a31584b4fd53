package account

import (
	"context"
	"slices"

	"humanops-mcp/internal/change"
	"humanops-mcp/schemas"
)

// The modes of a key.
const (
	Live = "live"
	Test = "test"
)

// The audiences of a key: which of the APIs it opens.
const (
	AudienceAll         = "all"
	AudienceMarketplace = "marketplace"
	AudienceReviews     = "reviews"
	AudienceExecutor    = "executor" // may only use approvals up
)

// Scopes are what a key may be allowed to do with reviews.
var Scopes = []string{"loops:read", "loops:write", "requests:read", "requests:write"}

// Caller is who makes a call, and how. The zero Caller is nobody.
type Caller struct {
	AgentID   string
	PersonID  string
	Name      string
	KeyID     string
	SessionID string
	Mode      string   // of a key: live or test
	Audience  string   // of a key: the APIs that it opens
	Scopes    []string // of a key: what it may do with reviews; all when empty
	Owner     bool
	Operator  bool
	Executor  bool   // whoever carries out approved actions: neither an agent nor a person
	Via       string // api, page or cli
	// Stale says that the last recorded use is over a minute old: pass the caller to Touch
	// in the next write.
	Stale bool
}

// ID is the agent's or the person's id, and an executor's key's.
func (c Caller) ID() string {
	switch {
	case c.AgentID != "":
		return c.AgentID
	case c.PersonID != "":
		return c.PersonID
	}
	return c.KeyID
}

// Opens tells whether the caller's key is for an API; people's sessions are for all.
func (c Caller) Opens(audience string) bool {
	return c.Audience == "" || c.Audience == AudienceAll || c.Audience == audience
}

// Has tells whether the caller's key has a scope; people have every one.
func (c Caller) Has(scope string) bool { return len(c.Scopes) == 0 || slices.Contains(c.Scopes, scope) }

// SeesTasksOf tells whether the caller may see and decide the tasks that an agent posted
// in a mode: an agent its own of the key's mode, the owner every agent's live ones.
func (c Caller) SeesTasksOf(agentID, mode string) bool {
	if c.AgentID != "" {
		return c.AgentID == agentID && c.Mode == mode
	}
	return c.Owner && mode == Live
}

type callerKey struct{}

// With returns a context that carries the caller.
func With(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// From is the caller that ctx carries, or nobody.
func From(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// MarkTest marks an answer about what belongs to test mode, whoever reads it.
func MarkTest(s *schemas.Sandboxed, mode string) {
	if mode == Test {
		s.MarkSandbox()
	}
}

// Actor is the caller as the trail has it.
func (c Caller) Actor() change.Actor { return change.Actor{ID: c.ID(), Via: c.Via} }
