package task

import (
	"context"
	"slices"
	"strings"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// notice is what people are told, and who.
type notice struct {
	to            []string
	owners        bool // the owners of the house too
	subject, body string
}

// tellPosted tells people of a task that they could take.
func (s *Service) tellPosted(ctx context.Context, tx *store.Tx, t task, people []schemas.PersonBrief, assigned bool) error {
	n := notice{subject: "New task: " + t.Title, body: "A task is open: " + summary(t)}
	if assigned {
		n = notice{subject: "A task for you: " + t.Title, body: "You were asked to do this: " + summary(t)}
	}
	for _, p := range people {
		n.to = append(n.to, p.OperatorID)
	}
	return s.send(ctx, tx, t, n)
}

func summary(t task) string {
	parts := []string{check.OneLine(t.Title)} // an agent's line breaks would look like ours
	if t.Address != "" {
		parts = append(parts, t.Address)
	}
	parts = append(parts, schemas.Money(t.Reward).Dollars(), "until "+store.Time(t.Deadline).Format("2 Jan 15:04 UTC"))
	return strings.Join(parts, " · ")
}

// tell lets people know of a change that concerns them: those who do the task, and the
// owners when it is done or waits for a decision. The agent hears by itself.
func (s *Service) tell(ctx context.Context, tx *store.Tx, h happened) error {
	switch t := h.Now; {
	case h.Event == Post: // whom to tell, the answer says too
		return nil
	case t.Mode == account.Test:
		return s.scheduleSimulation(ctx, tx, t)
	}
	if n, worth := noticeOf(h); worth {
		if err := s.send(ctx, tx, h.Now, n); err != nil {
			return err
		}
	}
	if schemas.TaskStatus(h.Now.Status) == schemas.Posted {
		return s.tellAgain(ctx, tx, h.Now, h.Was.OperatorID.String)
	}
	return nil
}

// noticeOf says who hears of a change, and what.
func noticeOf(h happened) (notice, bool) {
	t, operator, former := h.Now, []string{h.Now.OperatorID.String}, []string{h.Was.OperatorID.String}
	switch h.Event {
	case ApproveEstimate:
		return notice{to: operator, subject: "Estimate approved: " + t.Title, body: "The task is yours. Start before " + store.Time(t.StartBy).Format("2 Jan 15:04 UTC") + "."}, true
	case RejectEstimate:
		return notice{to: former, subject: "Estimate not approved: " + t.Title, body: "The task is open to everybody again."}, true
	case Lapse:
		return notice{to: former, subject: "Task given back: " + t.Title, body: "Work had not begun in time, so the task is open to everybody again."}, true
	case Cancel:
		return notice{to: operator, subject: "Task withdrawn: " + t.Title, body: "The task was cancelled before work began."}, true
	case RequestChanges:
		return notice{to: operator, subject: "Changes requested: " + t.Title, body: "Please improve your proof: " + oneLineOf(h.With)}, true
	case Refund:
		return notice{to: operator, owners: true, subject: "Dispute settled: " + t.Title, body: "The dispute was settled for the agent, and the reward was refunded. " + oneLineOf(h.With)}, true
	default:
		return noticeOfState(h, operator)
	}
}

func noticeOfState(h happened, operator []string) (notice, bool) {
	switch t := h.Now; schemas.TaskStatus(t.Status) {
	case schemas.InProgress:
		if h.Event == GuardianReject {
			return notice{to: operator, subject: "Proof not sufficient: " + t.Title, body: "Please submit again: " + oneLineOf(h.With)}, true
		}
	case schemas.Disputed: // those who decide are asked by the review
		if h.Event == ReviewSilent {
			return notice{to: operator, subject: "In dispute: " + t.Title, body: "Nobody decided on the proof in time, so the owner does."}, true
		}
		return notice{to: operator, subject: "In dispute: " + t.Title, body: "The proof was not accepted, and the owner decides. " + oneLineOf(h.With)}, true
	case schemas.Paid:
		return notice{to: operator, owners: true, subject: "Done: " + t.Title, body: "The task is done, and " + schemas.Money(t.Reward).Dollars() + " went to the operator."}, true
	case schemas.Expired:
		return notice{to: operator, owners: true, subject: "Expired: " + t.Title, body: "The deadline passed without proof, and the reward was refunded."}, true
	default: // nobody but the agent cares
	}
	return notice{}, false
}

func oneLineOf(with any) string { return strings.Join(reasonsOf(with), " · ") }

// tellAgain tells those who could take a task that came back, but not who gave it back.
func (s *Service) tellAgain(ctx context.Context, tx *store.Tx, t task, former string) error {
	people, err := s.Accounts.InReach(ctx, tx, account.Live)
	if err != nil {
		return err
	}
	if t.AssignTo.Valid {
		people = only(people, t.AssignTo.String)
	}
	people = slices.DeleteFunc(people, func(p schemas.PersonBrief) bool { return p.OperatorID == former })
	return s.tellPosted(ctx, tx, t, people, t.AssignTo.Valid)
}

// tellMessage tells the operator what the agent wrote. In test mode the simulated
// operator may have waited for it.
func (s *Service) tellMessage(ctx context.Context, tx *store.Tx, t task, sender string) error {
	switch {
	case t.Mode == account.Test:
		return s.scheduleSimulation(ctx, tx, t)
	case sender == "agent":
		return s.send(ctx, tx, t, notice{to: []string{t.OperatorID.String}, subject: "Message about: " + t.Title, body: "There is a new message on the task."})
	}
	return nil
}

func (s *Service) send(ctx context.Context, tx *store.Tx, t task, n notice) error {
	to := slices.DeleteFunc(n.to, func(id string) bool { return id == "" })
	if len(to) == 0 && !n.owners {
		return nil
	}
	return notify.Kind.Enqueue(ctx, tx, notify.Letter{
		PersonIDs: to, ToOwner: n.owners, Subject: n.subject, Body: n.body, Link: s.link(t.ID), Kind: "task." + strings.ToLower(t.Status),
	}, job.Options{Owner: t.AgentID, Priority: job.PriorityOf(t.Mode)})
}
