package account

import "context"

// The modes of a key.
const (
	Live = "live"
	Test = "test"
)

// Caller is who makes a call, and how. The zero Caller is nobody.
type Caller struct {
	AgentID   string
	PersonID  string
	Name      string
	KeyID     string
	SessionID string
	Mode      string // of an agent's key: live or test
	Owner     bool
	Operator  bool
	Via       string // api, page or cli
	// Stale says that the last recorded use is over a minute old: pass the caller to Touch
	// in the next write.
	Stale bool
}

// ID is the agent's or the person's id.
func (c Caller) ID() string {
	if c.AgentID != "" {
		return c.AgentID
	}
	return c.PersonID
}

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
