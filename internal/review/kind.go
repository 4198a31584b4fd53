package review

import (
	"cmp"
	"context"
	"slices"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/oncall"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/review/view"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

type (
	request  = ask.Request
	life     = change.Life[request, schemas.ReviewStatus, Event, Facts]
	move     = change.Move[request, Event, Facts]
	happened = change.Happened[request, Event]
	ringing  = change.Clock[Event]
)

// Name is the kind's name among the subjects.
const Name = string(schemas.KindReview)

// kind declares what a request is to whatever changes it.
func (s *Service) kind() change.Kind[request, schemas.ReviewStatus, Event, Facts] {
	return change.Kind[request, schemas.ReviewStatus, Event, Facts]{
		Name: Name, Life: Life, Owns: schemas.KindReview.Owns,
		Find: ask.Find, Insert: insertRow, Save: saveRow,
		Line: func(r *request) *change.Line { return &r.Line }, State: func(r *request) *string { return &r.Status },
		Facts: factsOf, Ended: schemas.ReviewStatus.Final, Needs: waitsFor, Claimed: []schemas.ReviewStatus{schemas.ReviewClaimed}, Enter: enter, Mirror: mirror,
		Says:   func(r request) any { return inRound{r.Round} },
		Clocks: s.clocks, Ring: s.timeUp, Warn: Warn, Lapse: LeaseEnd, Shift: shift,
		Ending: s.ending,
		View:   change.View{Admit: admit, Visible: visible, Missing: func(string) error { return view.Missing() }, Show: s.show},
	}
}

func insertRow(ctx context.Context, tx *store.Tx, r request) error {
	err := tx.InsertReview(ctx, db.InsertReviewParams{
		ID: r.ID, LoopID: r.LoopID, AgentID: r.AgentID, KeyID: r.KeyID, Mode: r.Mode, Step: r.Step, ProcessingType: r.ProcessingType,
		Type: r.Type, Priority: r.Priority, PriorityRank: r.PriorityRank, Title: r.Title, RequestText: r.RequestText,
		SearchText: r.SearchText, Media: r.Media, Context: r.Context, Platform: r.Platform, PlatformVersion: r.PlatformVersion,
		AgentName: r.AgentName, ResponseType: r.ResponseType, ResponseConfig: r.ResponseConfig, DefaultResponse: r.DefaultResponse,
		OnTimeout: r.OnTimeout, TimeoutSeconds: r.TimeoutSeconds,
		Tags: r.Tags, Action: r.Action, ActionDigest: r.ActionDigest, TaskID: r.TaskID, TaskSubmission: r.TaskSubmission,
		ReviewMode: r.ReviewMode, Restricted: r.Restricted, Disputed: r.Disputed, ContentHash: r.ContentHash, ClaimBy: r.ClaimBy, TimeoutAt: r.TimeoutAt,
		EscalationAt: r.EscalationAt, EscalationLast: r.EscalationLast, CreatedAt: r.CreatedAt,
	})
	return cmp.Or(err, ask.NameUploads(ctx, tx, r.Review))
}

func saveRow(ctx context.Context, tx *store.Tx, r request) error {
	err := tx.SaveReview(ctx, db.SaveReviewParams{
		ID: r.ID, Status: r.Status, StatusRank: r.StatusRank, Round: r.Round, Step: r.Step,
		Priority: r.Priority, PriorityRank: r.PriorityRank, RequestText: r.RequestText, SearchText: r.SearchText, Media: r.Media,
		TextVersion: r.TextVersion, ContentHash: r.ContentHash, Context: r.Context, ResponseConfig: r.ResponseConfig, DefaultResponse: r.DefaultResponse, OnTimeout: r.OnTimeout,
		TimeoutSeconds: r.TimeoutSeconds, Tags: r.Tags, Action: r.Action, ActionDigest: r.ActionDigest,
		Restricted: r.Restricted, ClaimedBy: r.ClaimedBy, DecideBy: r.DecideBy,
		ClaimBy: r.ClaimBy, TimeoutAt: r.TimeoutAt, EscalationAt: r.EscalationAt, EscalationStep: r.EscalationStep,
		EscalationLast: r.EscalationLast, Response: r.Response, ResponseValue: r.ResponseValue, Effective: r.Effective,
		ResponseSource: r.ResponseSource, Decision: r.Decision, DecidedBy: r.DecidedBy, DecidedVia: r.DecidedVia, Comment: r.Comment,
		EditedAction: r.EditedAction, CancelReason: r.CancelReason,
		RoundAt: r.RoundAt, UpdatedAt: r.UpdatedAt, EndedAt: r.EndedAt,
	})
	if open := r.EndedAt == 0; err == nil && (!open || r.Round > 1) { // until then it was open
		err = tx.MarkRecipients(ctx, db.MarkRecipientsParams{ReviewID: r.ID, Open: open})
	}
	return cmp.Or(err, ask.NameUploads(ctx, tx, r.Review))
}

// waitsFor says who has to do something next.
func waitsFor(r request) string {
	if r.Disputed {
		return change.NeedsOwner
	}
	return change.NeedsPeople
}

// enter sets the columns that belong to the status just entered. While a request is
// claimed its escalation and its clock to be claimed stand still.
func enter(r *request, was request, now int64) {
	status := schemas.ReviewStatus(r.Status)
	r.StatusRank = int64(slices.Index(schemas.ReviewStatuses, status))
	switch {
	case status.Final():
		r.ClaimBy, r.EscalationAt, r.DecideBy = 0, 0, 0
	case status == schemas.ReviewPending && was.Status == string(schemas.ReviewClaimed):
		stood := now - was.Line.ClaimedAt
		r.DecideBy = 0
		later(&r.ClaimBy, stood)
		later(&r.EscalationAt, stood)
	}
}

// mirror keeps what lists look for beside the line.
func mirror(r *request) {
	r.ClaimedBy, r.UpdatedAt, r.EndedAt = nullText(r.Line.ClaimedBy), r.Line.UpdatedAt, r.Line.EndedAt
}

// later moves a clock that is set.
func later(clock *int64, by int64) {
	if *clock > 0 {
		*clock += by
	}
}

// shift gives people back the time that the platform was away. Clocks that stand still
// during a claim move when it ends, by all of its time.
func shift(r *request, by int64) {
	later(&r.TimeoutAt, by)
	later(&r.DecideBy, by)
	if r.In() == schemas.ReviewPending {
		later(&r.ClaimBy, by)
		later(&r.EscalationAt, by)
	}
}

// clocks is what time will do to an open request.
func (s *Service) clocks(ctx context.Context, tx *store.Tx, r request) ([]ringing, error) {
	warn, err := s.warnBefore(ctx, tx, r)
	return clocksOf(r, warn), err
}

// clocksOf are the clocks that run. warn is how long before one people are warned; nobody
// is of test mode.
func clocksOf(r request, warn time.Duration) []ringing {
	if r.Mode != account.Live {
		warn = 0
	}
	end := ringing{Name: clockEnd, At: r.TimeoutAt, Event: Timeout, Warn: warn, Since: r.RoundAt}
	if r.In() == schemas.ReviewClaimed {
		return []ringing{end, {Name: clockDecide, At: r.DecideBy, Event: LeaseEnd, Warn: warn, Since: r.Line.ClaimedAt}}
	}
	return []ringing{
		end, {Name: clockClaim, At: r.ClaimBy, Event: ClaimLate, Warn: warn, Since: r.RoundAt}, {Name: clockEscalation, At: r.EscalationAt, Event: Escalate},
	}
}

// The names of the clocks, as the trail and the warnings have them.
const (
	clockEnd        = "end"
	clockClaim      = "claim"
	clockDecide     = "decide"
	clockEscalation = "escalation"
)

// MayRead tells whether a caller's key is for reading requests.
func MayRead(c account.Caller) bool {
	return c.Opens(account.AudienceReviews) && c.Has("requests:read")
}

// admit refuses a key that may not read requests, whichever is named.
func admit(ctx context.Context, id string) error {
	if MayRead(account.From(ctx)) {
		return nil
	}
	return schemas.NewError(schemas.CodeForbidden, "This key may not read review requests. Wait for "+check.Quote(id, 80)+" with a key that may.")
}

func visible(ctx context.Context, tx *store.Tx, l change.Line) error {
	if account.From(ctx).SeesTasksOf(l.AgentID, l.Mode) {
		return nil
	}
	loopID, err := tx.LoopOfReview(ctx, l.ID)
	if store.NotFound(err) {
		return view.Missing() // deleted with its loop
	}
	if err != nil {
		return err
	}
	return view.MayRead(ctx, tx, view.Subject{ID: l.ID, LoopID: loopID, AgentID: l.AgentID, Mode: l.Mode})
}

func (s *Service) show(ctx context.Context, tx *store.Tx, id string, out *schemas.WaitResponse) error {
	v, err := s.ByID(ctx, tx, id)
	out.Reviews = append(out.Reviews, v)
	return err
}

// warnBefore is how long before a clock the people of a request's loop are warned.
func (s *Service) warnBefore(ctx context.Context, tx *store.Tx, r request) (time.Duration, error) {
	loop, err := loops.ByID(ctx, tx, r.LoopID)
	if err != nil {
		return 0, err
	}
	return orDefault(loops.Settings(loop).WarnSeconds, s.cfg.WarnBefore), nil
}

// factsOf are a request's facts.
func factsOf(r request) Facts {
	return Facts{
		Cancels: r.OnTimeout == "cancel", LastCancels: r.EscalationLast == oncall.LastCancel || r.DefaultResponse == "",
		Changes: r.Decision == schemas.NeedsChanges, Round: r.Round,
	}
}
