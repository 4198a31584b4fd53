package task

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// The bounds of a task, as the schema states them; rules check them again on the typed
// value, because not every caller comes through a decoder.
const (
	maxTitle        = 200
	maxDescription  = 10_000
	maxRequirements = 20
	maxRequirement  = 500
	maxInstructions = 10_000
	maxAddress      = 500
	maxPublicKey    = 4096
	maxCallbackURL  = 2000
	maxName         = 200
	maxText         = 500 // messages, notes on estimates, reasons
	maxNote         = 2000
	maxShown        = 64 // of a word that came, in a message
	maxMessages     = 50 // each side
	maxReasons      = 20
	maxActive       = 3 // tasks one operator has at a time
	maxChanges      = 2
	maxRejections   = 2
	maxFiles        = 20
	maxFileBytes    = 25 << 20
	maxAllBytes     = 100 << 20

	minReward = schemas.USD
	maxReward = 10_000 * schemas.USD

	minDeadline     = time.Minute
	maxDeadline     = 366 * 24 * time.Hour
	startWithin     = 24 * time.Hour // without an estimate
	changesExtend   = 24 * time.Hour
	duplicateWindow = 10 * time.Minute
)

// proneToAbuse are the types that marketplaces see misused most: off on live unless the
// installation allows them by name.
var proneToAbuse = []schemas.TaskType{"CAPTCHA_SOLVING", "ACCOUNT_CREATION", "PHONE_VERIFICATION", "API_KEY_PROCUREMENT", "SUBSCRIPTION_SETUP"}

// checkPost trims a new task's texts and checks every bound. A deadline that has passed
// is its own kind of refusal when nothing else is wrong.
func checkPost(in *schemas.PostTaskRequest, now time.Time, privateCallbacks bool) error {
	var p check.Problems
	p.Line("title", &in.Title, 1, maxTitle)
	p.Text("description", &in.Description, 1, maxDescription)
	if !slices.Contains(schemas.TaskTypes, in.TaskType) {
		p.Add("task_type", "must be one of %s; got %.40q. Example: PHOTO", typeNames(), in.TaskType)
	}
	checkLocation(&p, in.Location)
	checkReward(&p, in)
	checkRequirements(&p, in)
	p.Text("digital_instructions", &in.DigitalInstructions, 0, maxInstructions)
	p.Text("agent_public_key", &in.AgentPublicKey, 0, maxPublicKey)
	p.Line("assign_to", &in.AssignTo, 0, maxName)
	p.Text("callback_url", &in.CallbackURL, 0, maxCallbackURL)
	webhook.CheckCallback(&p, in.CallbackURL, in.CallbackSecret, privateCallbacks)
	if in.EstimateApproval == "" {
		in.EstimateApproval = "auto"
	}
	if in.EstimateApproval != "auto" && in.EstimateApproval != "manual" {
		p.Add("estimate_approval", "must be auto or manual; got %.40q", in.EstimateApproval)
	}
	return checkDeadline(&p, in.Deadline, now)
}

func checkLocation(p *check.Problems, l *schemas.Location) {
	if l == nil {
		return
	}
	p.Line("location.address", &l.Address, 0, maxAddress)
	p.Within("location.lat", l.Lat, -90, 90)
	p.Within("location.lng", l.Lng, -180, 180)
	if (l.Lat == nil) != (l.Lng == nil) {
		p.Add("location", "must have both lat and lng, or neither; got one of them")
	}
}

func checkReward(p *check.Problems, in *schemas.PostTaskRequest) {
	switch {
	case in.RewardUSD == 0 && in.AssignTo == "":
		p.Add("reward_usd", "must be between 1 and 10000; got 0, which is only allowed with assign_to. Example: 20")
	case in.RewardUSD != 0 && (in.RewardUSD < minReward || in.RewardUSD > maxReward):
		p.Add("reward_usd", "must be between 1 and 10000; got %s. Example: 20", in.RewardUSD)
	}
}

func checkRequirements(p *check.Problems, in *schemas.PostTaskRequest) {
	if n := len(in.ProofRequirements); n < 1 || n > maxRequirements {
		p.Add("proof_requirements", `must have 1 to %d items; got %d. Example: ["Full facade photo"]`, maxRequirements, n)
		return
	}
	in.ProofRequirements = slices.Clone(in.ProofRequirements) // trimmed in place, and the caller keeps theirs
	for i := range in.ProofRequirements {
		p.Line(fmt.Sprintf("proof_requirements[%d]", i), &in.ProofRequirements[i], 1, maxRequirement)
	}
}

func checkDeadline(p *check.Problems, deadline, now time.Time) error {
	ahead := deadline.Sub(now)
	example := now.Add(4 * time.Hour).Truncate(time.Minute).Format(time.RFC3339)
	past := schemas.FieldError{Field: "deadline", Message: fmt.Sprintf("must be in the future; got %s, and it is %s now. Example: %s",
		deadline.UTC().Format(time.RFC3339), now.Format(time.RFC3339), example)}
	switch {
	case ahead <= 0 && len(*p) == 0 && !deadline.IsZero():
		return &schemas.Error{Code: schemas.CodeGone, Fields: []schemas.FieldError{past}}
	case ahead <= 0:
		*p = append(*p, past)
	case ahead < minDeadline:
		p.Add("deadline", "must be at least one minute ahead; got %s. Example: %s", deadline.UTC().Format(time.RFC3339), example)
	case ahead > maxDeadline:
		p.Add("deadline", "must be at most one year ahead; got %s. Example: %s", deadline.UTC().Format(time.RFC3339), example)
	}
	return p.Err()
}

func typeNames() string {
	names := make([]string, len(schemas.TaskTypes))
	for i, t := range schemas.TaskTypes {
		names[i] = string(t)
	}
	return strings.Join(names, ", ")
}

// checkType refuses, on live, the types prone to abuse that the installation has not allowed.
func checkType(t schemas.TaskType, allowed []string) error {
	if !slices.Contains(proneToAbuse, t) || slices.Contains(allowed, string(t)) {
		return nil
	}
	return &schemas.Error{Code: schemas.CodeUnprocessable, Fields: []schemas.FieldError{{Field: "task_type", Message: fmt.Sprintf(
		"%s is switched off here because it is prone to abuse. The owner of this installation can allow it with marketplace.allowed_types; in test mode it works as it is", t)}}}
}

// limits are what one agent may post on live.
type limits struct {
	maxReward  schemas.Money
	dailyCap   schemas.Money // 0: none
	dailyTasks int64         // 0: any number
}

// limitsOf are the contract's tiers, and the house's own cap.
func limitsOf(tier string, houseCap schemas.Money) limits {
	switch tier {
	case "HOUSE":
		return limits{maxReward: maxReward, dailyCap: houseCap}
	case "STANDARD":
		return limits{maxReward, 50_000 * schemas.USD, 100}
	case "VERIFIED":
		return limits{100 * schemas.USD, 200 * schemas.USD, 10}
	}
	return limits{10 * schemas.USD, 10 * schemas.USD, 50}
}

// check refuses a reward that the limits do not allow today.
func (l limits) check(reward, spent schemas.Money, posted int64, now time.Time) error {
	reset := nextDay(now).Format(time.RFC3339)
	switch {
	case reward > l.maxReward:
		return unprocessable("reward_usd", "must be at most %s for this agent's tier; got %s", l.maxReward, reward)
	case l.dailyTasks > 0 && posted >= l.dailyTasks:
		return unprocessable("", "This agent may post %d tasks a day and has posted %d. The count starts again at %s.", l.dailyTasks, posted, reset)
	case l.dailyCap > 0 && spent+reward > l.dailyCap:
		return unprocessable("reward_usd", "would pass the daily cap of %s: %s is left today, and the cap starts again at %s; got %s",
			l.dailyCap.Dollars(), l.left(spent).Dollars(), reset, reward.Dollars())
	}
	return nil
}

// left is what can still be spent today.
func (l limits) left(spent schemas.Money) schemas.Money { return max(0, l.dailyCap-spent) }

func unprocessable(field, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if field == "" {
		return schemas.NewError(schemas.CodeUnprocessable, text)
	}
	return &schemas.Error{Code: schemas.CodeUnprocessable, Fields: []schemas.FieldError{{Field: field, Message: text}}}
}

// Days are UTC days.
func dayStart(now time.Time) time.Time { return now.UTC().Truncate(24 * time.Hour) }
func nextDay(now time.Time) time.Time  { return dayStart(now).Add(24 * time.Hour) }

// contentHash is equal for the same task posted twice. The deadline stays out of it:
// who repeats "within 4 hours" a moment later means the same task.
func contentHash(mode string, in *schemas.PostTaskRequest, assignTo string) string {
	raw, err := json.Marshal([]any{mode, in.Title, in.Description, in.TaskType, in.Location, in.RewardUSD, in.ProofRequirements,
		in.DigitalInstructions, in.AgentPublicKey, in.CallbackURL, assignTo, in.EstimateApproval})
	if err != nil {
		panic(err) // strings and finite numbers: cannot fail
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// estimateMinutes adds up an operator's estimate.
func estimateMinutes(in *schemas.AcceptTaskRequest) (int64, error) {
	var p check.Problems
	for _, part := range []struct {
		field       string
		value, most int
	}{{"estimate_days", in.EstimateDays, 60}, {"estimate_hours", in.EstimateHours, 1000}, {"estimate_minutes", in.EstimateMinutes, 10_000}} {
		if part.value < 0 || part.value > part.most {
			p.Add(part.field, "must be between 0 and %d; got %d", part.most, part.value)
		}
	}
	p.Text("estimate_note", &in.EstimateNote, 0, maxText)
	minutes := int64(in.EstimateDays)*24*60 + int64(in.EstimateHours)*60 + int64(in.EstimateMinutes)
	if minutes == 0 && in.EstimateNote != "" {
		p.Add("estimate_note", "is given without an estimate; say how long it takes, for example estimate_minutes 45")
	}
	return minutes, p.Err()
}

// fits tells whether an estimate can be approved without asking: there is none, or it
// ends before the deadline and the agent did not ask to be asked.
func fits(minutes int64, approval string, now, deadline time.Time) bool {
	if minutes == 0 {
		return true
	}
	return approval == "auto" && !now.Add(time.Duration(minutes)*time.Minute).After(deadline)
}

// startBy is when an accepted task goes back to the pool unless work has begun.
func startBy(minutes int64, accepted, deadline time.Time) time.Time {
	at := accepted.Add(startWithin)
	if minutes > 0 {
		at = accepted.Add(time.Duration(minutes) * time.Minute)
	}
	if at.After(deadline) {
		return deadline
	}
	return at
}

// silences are how long a state may last before the platform moves on by itself.
type silences struct {
	guardian, review, dispute time.Duration
}

// nextClock says what time will do to a task, and when. A final state waits for nothing.
func nextClock(t task, s silences) (Event, int64) {
	switch schemas.TaskStatus(t.Status) {
	case schemas.Posted, schemas.EstimatePending, schemas.InProgress:
		return Deadline, t.Deadline
	case schemas.Accepted:
		if t.StartBy < t.Deadline {
			return Lapse, t.StartBy
		}
		return Deadline, t.Deadline
	case schemas.Submitted:
		return GuardianUnsure, t.SubmittedAt + s.guardian.Microseconds()
	case schemas.ManualReview:
		return ReviewSilent, t.ReviewSince + s.review.Microseconds()
	case schemas.Disputed:
		return DisputeSilent, t.ReviewSince + s.dispute.Microseconds()
	case schemas.Verified:
		return Settle, t.VerifiedAt
	default:
		return "", 0
	}
}

// enter sets the clocks that belong to the state just entered, and gives the task into the
// hands of whoever does it.
func enter(t *task, _ task, now int64) {
	switch schemas.TaskStatus(t.Status) {
	case schemas.Posted:
		t.OperatorID.Valid, t.OperatorID.String = false, ""
		t.AcceptedAt, t.StartBy, t.StartedAt = 0, 0, 0
		if t.EstimateState != "rejected" { // who gave the task back takes their estimate along
			t.EstimateID, t.EstimateMinutes, t.EstimateNote, t.EstimateState = "", 0, "", ""
		}
	case schemas.Accepted:
		t.AcceptedAt = now
	case schemas.InProgress:
		if t.StartedAt == 0 {
			t.StartedAt = now
		}
		t.ReviewSince = 0
	case schemas.Submitted:
		t.SubmittedAt = now
	case schemas.ManualReview, schemas.Disputed:
		t.ReviewSince = now
	case schemas.Verified:
		t.VerifiedAt = now
	case schemas.Paid:
		t.PaidAt = now
	case schemas.Cancelled, schemas.Expired:
		t.EndedAt = now
	case schemas.EstimatePending: // has no clock but the deadline
	}
	if slices.Contains(inHand, schemas.TaskStatus(t.Status)) {
		takeInHand(t, now)
	}
}

// takeInHand notes who has the task, since when, and until when work has to begin.
func takeInHand(t *task, now int64) {
	since, until := t.AcceptedAt, int64(0)
	if since == 0 {
		since = now
	}
	if schemas.TaskStatus(t.Status) == schemas.Accepted {
		until = t.StartBy
	}
	change.Claim(&t.line, t.OperatorID.String, since, until)
}

// guardianEvent is what a verdict does. Only something that looked at the pictures may
// approve by itself; completeness never does on live.
func guardianEvent(v schemas.Verdict, mode string) Event {
	looked := v.Method == "vision" || v.Method == "simulated" && mode == "test"
	switch {
	case v.Decision == "approved" && v.Confidence >= 90 && looked:
		return GuardianApprove
	case v.Decision == "rejected" && v.Confidence < 50:
		return GuardianReject
	}
	return GuardianUnsure
}

// escrow is what is still held for a task.
func escrow(t task) schemas.Money {
	if schemas.TaskStatus(t.Status).Final() {
		return 0
	}
	return schemas.Money(t.Reward)
}

// counts tells whether the day's postings have to be added up for a reward.
func (l limits) counts(reward schemas.Money) bool {
	return l.dailyTasks > 0 || l.dailyCap > 0 && reward > 0
}
