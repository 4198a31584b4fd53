// Package task is the life of a task: posting, accepting, proof, verification,
// decision and payment. Rules are pure (rules.go, life.go); the service arranges them
// in the caller's transaction.
package task

import (
	"context"
	"database/sql"
	"log/slog"
	"strings"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/blob"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/guardian"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/signedlink"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// Deps are the parts that the service works with.
type Deps struct {
	Store    *store.Store
	Accounts *account.Service
	Blobs    *blob.Store
	Guardian *guardian.Guardian
	Changes  *change.Changes
	Clock    clock.Clock
	Logger   *slog.Logger
	Links    *signedlink.Signer
	Webhooks *webhook.Service
	Reviews  *review.Service // where people decide on proof
}

// Config is what an installation chooses. Zero values mean the defaults, except for
// LocalDailyCap, where zero means that there is no cap.
type Config struct {
	StatusNames     string // seed (default) or hosted: the words of status on the wire
	PublicURL       string
	ReviewSilence   time.Duration // 7 days: then an undecided review becomes a dispute
	DisputeSilence  time.Duration // 14 days: then an unsettled dispute pays the operator
	GuardianSilence time.Duration // 15 minutes: then people decide
	OperatorQuota   int64         // bytes of proof one operator may store; 2 GB
	SimulatedStep   time.Duration // pace of test mode; 1 second
	AllowedTypes    []string      // types prone to abuse that are allowed on live
	LocalDailyCap   schemas.Money // of the house's own agent

	PrivateCallbacks bool // callbacks may go into private networks
}

// Service is the task service.
type Service struct {
	Deps
	cfg      Config
	silences silences
	life     *life
}

// NewService makes the service, has it take back the tasks of people who leave, and has it
// hear what people decide on proof.
func NewService(d Deps, c Config) *Service {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	orElse(&c.StatusNames, "seed")
	orElse(&c.ReviewSilence, 7*24*time.Hour)
	orElse(&c.DisputeSilence, 14*24*time.Hour)
	orElse(&c.GuardianSilence, 15*time.Minute)
	orElse(&c.OperatorQuota, 2<<30)
	orElse(&c.SimulatedStep, time.Second)
	s := &Service{Deps: d, cfg: c, silences: silences{c.GuardianSilence, c.ReviewSilence, c.DisputeSilence}}
	s.life = change.Register(d.Changes, s.kind())
	s.follow()
	d.Accounts.OnRemove(s.giveBack)
	d.Reviews.OnTaskDecision(s.decideFromReview)
	return s
}

func orElse[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// word is a status in the configured vocabulary.
func (s *Service) word(status string) string {
	if s.cfg.StatusNames == "hosted" {
		return schemas.TaskStatus(status).Hosted()
	}
	return status
}

// link is the page of a task, for people.
func (s *Service) link(taskID string) string {
	return strings.TrimSuffix(s.cfg.PublicURL, "/") + "/tasks/" + taskID
}

func noTask(id string) error {
	return schemas.NewError(schemas.CodeNotFound, "There is no task "+check.Quote(id, maxShown)+" among yours. list_tasks (GET /api/v1/tasks) shows them.")
}

// conflict refuses because of the state that the task is in, and names it.
func (s *Service) conflict(t task, sentence string) error {
	return &schemas.Error{Code: schemas.CodeConflict, Message: sentence, State: s.word(t.Status)}
}

// sees tells whether an operator may see the task: it is theirs, or open to them.
func sees(c account.Caller, t task) bool {
	if !c.Operator || t.Mode != "live" {
		return false
	}
	return t.OperatorID.String == c.PersonID || schemas.TaskStatus(t.Status) == schemas.Posted && openTo(c, t)
}

// openTo tells whether the task is in the pool, or meant for this operator.
func openTo(c account.Caller, t task) bool {
	return !t.AssignTo.Valid || t.AssignTo.String == c.PersonID
}

// holds tells whether the operator has, or had, the task.
func holds(c account.Caller, t task) bool {
	return c.Operator && t.Mode == "live" && t.OperatorID.Valid && t.OperatorID.String == c.PersonID
}

// lockOwn reads one of the caller's own tasks, to change it in the same transaction.
func (s *Service) lockOwn(ctx context.Context, tx *store.Tx, id string) (task, account.Caller, error) {
	c := account.From(ctx)
	t, err := s.life.Lock(ctx, tx, id)
	if store.NotFound(err) || err == nil && !c.SeesTasksOf(t.AgentID, t.Mode) {
		return t, c, noTask(id)
	}
	return t, c, err
}

// lockHeld reads a task that the calling operator has, to change it. Who needs the
// person's lock too takes it before.
func (s *Service) lockHeld(ctx context.Context, tx *store.Tx, id string) (task, account.Caller, error) {
	c := account.From(ctx)
	t, err := s.life.Lock(ctx, tx, id)
	switch {
	case store.NotFound(err), err == nil && !holds(c, t) && !sees(c, t):
		return t, c, noTask(id)
	case err != nil:
		return t, c, err
	case !holds(c, t):
		return t, c, s.conflict(t, "Nobody has this task yet; accept it first.")
	}
	return t, c, nil
}

func nullText(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

func nullFloat(f *float64) sql.NullFloat64 {
	if f == nil {
		return sql.NullFloat64{}
	}
	return sql.NullFloat64{Float64: *f, Valid: true}
}

func floatPointer(f sql.NullFloat64) *float64 {
	if !f.Valid {
		return nil
	}
	return &f.Float64
}
