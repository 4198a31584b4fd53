package account

import (
	"context"
	"fmt"

	"humanops-mcp/internal/ledger"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// simulatedPeople is how many operators test mode has.
const simulatedPeople = 3

// Credentials are the house's own secrets. They exist in clear only here and in the
// credentials file.
type Credentials struct {
	LiveKey     string // of the local agent
	TestKey     string // of the local agent
	OwnerToken  string // the owner's, for this program's commands
	ExecutorKey string // for the program that carries out what was approved; no agent's
}

// EnsureHouse makes the owner, the local agent with its credit, and the simulated
// operators on first start, and returns the secrets. Afterwards, and on a replica that
// came second, it returns nil.
func (s *Service) EnsureHouse(ctx context.Context, tx *store.Tx) (*Credentials, error) {
	n, err := tx.EstablishHouse(ctx, store.Time(store.Micros(tx.Now())).Format("2006-01-02T15:04:05Z"))
	if err != nil || n == 0 {
		return nil, err
	}
	owner, _, err := addOrFind(ctx, tx, schemas.AddPersonRequest{Name: "Owner", Roles: []string{roleOwner}})
	if err != nil {
		return nil, err
	}
	agent, err := addAgent(ctx, tx, newAgent{name: "local", tier: TierHouse})
	if err != nil {
		return nil, err
	}
	if err := ledger.Issue(ctx, tx, agent, ledger.House, s.config.LocalCredit); err != nil {
		return nil, err
	}
	if err := s.EnsureSimulated(ctx, tx); err != nil {
		return nil, err
	}
	return s.newCredentials(ctx, tx, agent, owner.ID)
}

// RecoverCredentials replaces the house's secrets, for when the credentials file was
// lost: the old keys and the old session of the commands end at once.
func (s *Service) RecoverCredentials(ctx context.Context, tx *store.Tx) (*Credentials, error) {
	owner, err := s.OwnerID(ctx, tx)
	if err != nil {
		return nil, err
	}
	agent, err := s.LocalAgentID(ctx, tx)
	if err != nil {
		return nil, err
	}
	s.forgetKeys(tx)
	err = tx.RevokeKeysNamed(ctx, db.RevokeKeysNamedParams{AgentID: agent, Name: defaultNamed, Audience: "", RevokedAt: store.Micros(tx.Now())})
	if err != nil {
		return nil, err
	}
	if err := tx.DeleteSessionsOf(ctx, db.DeleteSessionsOfParams{PersonID: owner, Kind: SessionCLI}); err != nil {
		return nil, err
	}
	return s.newCredentials(ctx, tx, agent, owner)
}

func (s *Service) newCredentials(ctx context.Context, tx *store.Tx, agentID, ownerID string) (*Credentials, error) {
	out := &Credentials{}
	for _, k := range []struct {
		into           *string
		mode, audience string
	}{{&out.LiveKey, Live, AudienceAll}, {&out.TestKey, Test, AudienceAll}, {&out.ExecutorKey, Live, AudienceExecutor}} {
		_, secret, err := addKey(ctx, tx, newKey{agentID: agentID, name: defaultNamed, mode: k.mode, audience: k.audience})
		if err != nil {
			return nil, err
		}
		*k.into = secret
	}
	token, err := s.CreateSession(ctx, tx, ownerID, SessionCLI)
	out.OwnerToken = token
	return out, err
}

// RenewExecutor replaces the house's executor key alone, for an installation that has
// none yet or whose file does not fit the database. The old one ends at once.
func (s *Service) RenewExecutor(ctx context.Context, tx *store.Tx) (string, error) {
	agent, err := s.LocalAgentID(ctx, tx)
	if err != nil {
		return "", err
	}
	s.forgetKeys(tx)
	err = tx.RevokeKeysNamed(ctx, db.RevokeKeysNamedParams{
		AgentID: agent, Name: defaultNamed, Audience: AudienceExecutor, RevokedAt: store.Micros(tx.Now()),
	})
	if err != nil {
		return "", err
	}
	_, secret, err := addKey(ctx, tx, newKey{agentID: agent, name: defaultNamed, mode: Live, audience: AudienceExecutor})
	return secret, err
}

// OwnerID is the id of the owner, the first where there are several.
func (s *Service) OwnerID(ctx context.Context, tx *store.Tx) (string, error) {
	owner, err := tx.PersonOwner(ctx)
	if store.NotFound(err) {
		return "", errNoHouse
	}
	return owner.ID, err
}

// LocalAgentID is the id of the house's own agent.
func (s *Service) LocalAgentID(ctx context.Context, tx *store.Tx) (string, error) {
	id, err := tx.HouseAgentID(ctx)
	if store.NotFound(err) {
		return "", errNoHouse
	}
	return id, err
}

var errNoHouse = schemas.NewError(schemas.CodeUnavailable, "This installation is not set up yet. Start it once with: humanops-mcp serve")

// EnsureSimulated makes the operators of test mode, once. Their ids are fixed, so that
// test runs repeat.
func (s *Service) EnsureSimulated(ctx context.Context, tx *store.Tx) error {
	for i := 1; i <= simulatedPeople; i++ {
		name := fmt.Sprintf("Simulated operator %d", i)
		_, err := tx.InsertPerson(ctx, db.InsertPersonParams{
			ID: fmt.Sprintf("%ssimulated%07d", schemas.KindOperator.Prefix(), i), Name: name, NameKey: nameKey(name),
			Email: "", Phone: "", IsOwner: false, IsOperator: true, Simulated: true, CreatedAt: store.Micros(tx.Now()),
		})
		if err != nil {
			return err
		}
	}
	return nil
}
