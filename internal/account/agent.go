package account

import (
	"context"
	"strings"

	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/ledger"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// The tiers that are given here: to who registers, and to the installation's own agent.
const (
	TierSandbox = "SANDBOX"
	TierHouse   = "HOUSE"
)

// RegisterAgent makes an agent with a test key, which is shown only here.
func (s *Service) RegisterAgent(ctx context.Context, tx *store.Tx, in schemas.RegisterAgentRequest) (schemas.RegisterAgentResponse, error) {
	var none schemas.RegisterAgentResponse
	name, err := checkedName(in.Name, 100)
	if err != nil {
		return none, err
	}
	email, err := checkedEmail(in.Email)
	if err != nil {
		return none, err
	}
	if email == "" {
		return none, schemas.Invalid("email", "is required. Example: bot@example.com")
	}
	id, err := addAgent(ctx, tx, newAgent{name: name, email: email, company: cleanName(in.Company), tier: TierSandbox})
	if err != nil {
		return none, err
	}
	_, secret, err := addKey(ctx, tx, newKey{agentID: id, name: defaultNamed, mode: Test, audience: AudienceAll})
	if err != nil {
		return none, err
	}
	return registered(id, secret), nil
}

func registered(agentID, secret string) schemas.RegisterAgentResponse {
	out := schemas.RegisterAgentResponse{
		AgentID:              agentID,
		APIKey:               secret,
		Tier:                 TierSandbox,
		VerificationRequired: true,
		SandboxInfo: schemas.SandboxInfo{
			What:         "A new agent works in test mode: simulated operators take its tasks and no real money moves.",
			Why:          "So that you can try everything at once, and nobody is sent out by mistake.",
			HowToUpgrade: "Ask the owner of this installation for a live key.",
			Limits:       schemas.TierLimits{MaxDailyTasks: 50, MaxTaskValue: 10 * schemas.USD, MaxDailySpend: 10 * schemas.USD},
		},
		Message: "Agent registered. Keep the API key now: it is shown only once.",
	}
	out.MarkSandbox()
	return out
}

// newAgent is an agent before it is made.
type newAgent struct{ name, email, company, tier string }

// addAgent also gives the agent its first play money, so that its test balance is never
// an empty one.
func addAgent(ctx context.Context, tx *store.Tx, a newAgent) (string, error) {
	id := ident.New("ag_")
	n, err := tx.InsertAgent(ctx, db.InsertAgentParams{
		ID: id, Name: a.name, Email: a.email, EmailKey: strings.ToLower(a.email), Company: a.company, Tier: a.tier, CreatedAt: store.Micros(tx.Now()),
	})
	if err != nil {
		return "", err
	}
	if n == 0 {
		return "", schemas.NewError(schemas.CodeConflict, "An agent with this email already exists")
	}
	return id, ledger.Issue(ctx, tx, id, ledger.Test, ledger.TestFloat)
}
