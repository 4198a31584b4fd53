package schemas

import (
	"strings"
	"time"
)

// RegisterAgent makes an agent and its first test key (contract §1.3).
var RegisterAgent = Endpoint[RegisterAgentRequest, RegisterAgentResponse]{Marketplace, "POST", "/agents/register", "Register an agent", 201, Anyone}

// RegisterAgentRequest names a new agent.
type RegisterAgentRequest struct {
	Name    string `json:"name" minLength:"1" maxLength:"100" doc:"Display name" example:"Storefront checker"`
	Email   string `json:"email" format:"email" maxLength:"254" doc:"Contact address, one agent each" example:"bot@example.com"`
	Company string `json:"company,omitempty" maxLength:"200"`
}

// RegisterAgentResponse holds the agent's first key, which is shown only here.
type RegisterAgentResponse struct {
	AgentID              string      `json:"agent_id"`
	APIKey               string      `json:"api_key" doc:"Shown once; a test key"`
	Tier                 string      `json:"tier" enum:"SANDBOX,VERIFIED,STANDARD"`
	VerificationRequired bool        `json:"verification_required"`
	SandboxInfo          SandboxInfo `json:"sandbox_info"`
	Message              string      `json:"message"`
	Sandboxed
}

// SandboxInfo explains a new agent's limits.
type SandboxInfo struct {
	What         string     `json:"what"`
	Why          string     `json:"why"`
	HowToUpgrade string     `json:"how_to_upgrade"`
	Limits       TierLimits `json:"limits"`
}

// TierLimits is in camelCase because the contract says so.
type TierLimits struct {
	MaxDailyTasks int   `json:"maxDailyTasks"`
	MaxTaskValue  Money `json:"maxTaskValue"`
	MaxDailySpend Money `json:"maxDailySpend"`
}

// GetBalance tells an agent what it can spend and whom it can reach.
var GetBalance = Endpoint[Empty, Balance]{Marketplace, "GET", "/agents/balance", "Balance, limits and people in reach", 200, Agent}

// Balance is the contract's three fields and what an agent needs before it posts.
type Balance struct {
	DepositBalance Money         `json:"deposit_balance" doc:"Spendable, USD"`
	EscrowBalance  Money         `json:"escrow_balance" doc:"Held for open tasks, USD"`
	Currency       string        `json:"currency"`
	Mode           string        `json:"mode,omitempty" enum:"live,test"`
	Limits         BalanceLimits `json:"limits,omitzero"`
	PeopleInReach  int           `json:"people_in_reach" doc:"People who could take a task now"`
	People         []PersonBrief `json:"people,omitempty" doc:"At most 50, for assign_to"`
	Sandboxed
}

// BalanceLimits tells how much of today's allowance is left.
type BalanceLimits struct {
	DailyCap    Money     `json:"daily_cap_usd"`
	DailyLeft   Money     `json:"daily_left_usd"`
	MaxReward   Money     `json:"max_reward_usd"`
	ResetsAt    time.Time `json:"resets_at"`
	ActiveTasks int       `json:"active_tasks" doc:"Tasks that are not over, counted up to 10,000"`
}

// PersonBrief is what an agent may know of a person.
type PersonBrief struct {
	OperatorID string `json:"operator_id"`
	Name       string `json:"name"`
}

// CreateKey makes another key of the caller's own mode.
var CreateKey = Endpoint[CreateKeyRequest, CreateKeyResponse]{Marketplace, "POST", "/agents/keys", "Create an API key", 201, Agent}

// CreateKeyRequest names the key.
type CreateKeyRequest struct {
	Name     string   `json:"name" minLength:"1" maxLength:"100" example:"ci"`
	Audience string   `json:"audience,omitempty" enum:"all,marketplace,reviews" doc:"Which of the APIs it opens; all that the calling key opens when left out"`
	Scopes   []string `json:"scopes,omitempty" maxItems:"4" doc:"Of reviews: loops:read, loops:write, requests:read, requests:write; the calling key's when left out"`
}

// CreateKeyResponse holds the key, which is shown only here.
type CreateKeyResponse struct {
	ID        string    `json:"id"`
	APIKey    string    `json:"api_key"`
	KeyPrefix string    `json:"key_prefix"`
	Name      string    `json:"name"`
	Mode      string    `json:"mode" enum:"live,test"`
	Audience  string    `json:"audience,omitempty" enum:"all,marketplace,reviews,executor"`
	Scopes    []string  `json:"scopes,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	Sandboxed
}

// ListKeys lists the caller's keys that are not revoked; for the owner those of the
// house's own agent and of executors.
var ListKeys = Endpoint[PageRequest, Page[Key]]{Marketplace, "GET", "/agents/keys", "List API keys", 200, Agent | Owner}

// Key is a key as lists show it.
type Key struct {
	ID         string     `json:"id"`
	KeyPrefix  string     `json:"key_prefix" example:"ho_live_Ab12Cd34Ef56.."`
	Name       string     `json:"name"`
	Mode       string     `json:"mode" enum:"live,test"`
	Audience   string     `json:"audience,omitempty" enum:"all,marketplace,reviews,executor"`
	Scopes     []string   `json:"scopes,omitempty"`
	LastUsedAt *time.Time `json:"last_used_at"`
	CreatedAt  time.Time  `json:"created_at"`
}

// IsTestKey tells whether a marketplace's key is one of its test mode. The keys of every
// marketplace say so.
func IsTestKey(key string) bool { return strings.HasPrefix(key, "ho_test_") }

// RevokeKey ends a key at once.
var RevokeKey = Endpoint[RevokeKeyRequest, RevokeKeyResponse]{Marketplace, "DELETE", "/agents/keys/{key_id}", "Revoke an API key", 200, Agent | Owner}

// RevokeKeyRequest names the key.
type RevokeKeyRequest struct {
	KeyID string `path:"key_id" json:"key_id" maxLength:"64"`
}

// RevokeKeyResponse confirms it.
type RevokeKeyResponse struct {
	ID        string    `json:"id"`
	RevokedAt time.Time `json:"revoked_at"`
	Sandboxed
}
