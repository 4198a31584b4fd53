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
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// notice is what people are told, and who.
type notice struct {
	to            []string
	owners        bool // the owners of the house too
	subject, body string
}

// tellPosted tells people of a task that they could take.
func (s *Service) tellPosted(ctx context.Context, tx *store.Tx, t db.Task, people []schemas.PersonBrief, assigned bool) error {
	n := notice{subject: "New task: " + t.Title, body: "A task is open: " + summary(t)}
	if assigned {
		n = notice{subject: "A task for you: " + t.Title, body: "You were asked to do this: " + summary(t)}
	}
	for _, p := range people {
		n.to = append(n.to, p.OperatorID)
	}
	return s.send(ctx, tx, t, n)
}

func summary(t db.Task) string {
	parts := []string{check.OneLine(t.Title)} // an agent's line breaks would look like ours
	if t.Address != "" {
		parts = append(parts, t.Address)
	}
	parts = append(parts, schemas.Money(t.Reward).Dollars(), "until "+store.Time(t.Deadline).Format("2 Jan 15:04 UTC"))
	return strings.Join(parts, " · ")
}

// tell lets people know of a change that concerns them: those who do the task, and the
// owners when it is done or waits for a decision. The agent hears by itself.
func (s *Service) tell(ctx context.Context, tx *store.Tx, t db.Task, m move) error {
	if n, worth := noticeOf(t, m); worth {
		if err := s.send(ctx, tx, t, n); err != nil {
			return err
		}
	}
	if schemas.TaskStatus(t.Status) == schemas.Posted {
		return s.tellAgain(ctx, tx, t, m.former)
	}
	return nil
}

// noticeOf says who hears of a change, and what.
func noticeOf(t db.Task, m move) (notice, bool) {
	operator := []string{t.OperatorID.String}
	switch m.event {
	case ApproveEstimate:
		return notice{to: operator, subject: "Estimate approved: " + t.Title, body: "The task is yours. Start before " + store.Time(t.StartBy).Format("2 Jan 15:04 UTC") + "."}, true
	case RejectEstimate:
		return notice{to: []string{m.former}, subject: "Estimate not approved: " + t.Title, body: "The task is open to everybody again."}, true
	case Lapse:
		return notice{to: []string{m.former}, subject: "Task given back: " + t.Title, body: "Work had not begun in time, so the task is open to everybody again."}, true
	case Cancel:
		return notice{to: operator, subject: "Task withdrawn: " + t.Title, body: "The task was cancelled before work began."}, true
	case RequestChanges:
		return notice{to: operator, subject: "Changes requested: " + t.Title, body: "Please improve your proof: " + reasonsOf(m)}, true
	case Refund:
		return notice{to: operator, owners: true, subject: "Dispute settled: " + t.Title, body: "The dispute was settled for the agent, and the reward was refunded. " + reasonsOf(m)}, true
	default:
		return noticeOfState(t, m, operator)
	}
}

func noticeOfState(t db.Task, m move, operator []string) (notice, bool) {
	switch schemas.TaskStatus(t.Status) {
	case schemas.InProgress:
		if m.event == GuardianReject {
			return notice{to: operator, subject: "Proof not sufficient: " + t.Title, body: "Please submit again: " + reasonsOf(m)}, true
		}
	case schemas.Disputed: // those who decide are asked by the review
		if m.event == ReviewSilent {
			return notice{to: operator, subject: "In dispute: " + t.Title, body: "Nobody decided on the proof in time, so the owner does."}, true
		}
		return notice{to: operator, subject: "In dispute: " + t.Title, body: "The proof was not accepted, and the owner decides. " + reasonsOf(m)}, true
	case schemas.Paid:
		return notice{to: operator, owners: true, subject: "Done: " + t.Title, body: "The task is done, and " + schemas.Money(t.Reward).Dollars() + " went to the operator."}, true
	case schemas.Expired:
		return notice{to: operator, owners: true, subject: "Expired: " + t.Title, body: "The deadline passed without proof, and the reward was refunded."}, true
	default: // nobody but the agent cares
	}
	return notice{}, false
}

func reasonsOf(m move) string {
	reasons, _ := m.data["reasons"].([]string)
	return strings.Join(reasons, " · ")
}

// tellAgain tells those who could take a task that came back, but not who gave it back.
func (s *Service) tellAgain(ctx context.Context, tx *store.Tx, t db.Task, former string) error {
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
func (s *Service) tellMessage(ctx context.Context, tx *store.Tx, t db.Task, sender string) error {
	switch {
	case t.Mode == account.Test:
		return s.scheduleSimulation(ctx, tx, t)
	case sender == "agent":
		return s.send(ctx, tx, t, notice{to: []string{t.OperatorID.String}, subject: "Message about: " + t.Title, body: "There is a new message on the task."})
	}
	return nil
}

func (s *Service) send(ctx context.Context, tx *store.Tx, t db.Task, n notice) error {
	to := slices.DeleteFunc(n.to, func(id string) bool { return id == "" })
	if len(to) == 0 && !n.owners {
		return nil
	}
	return notify.Kind.Enqueue(ctx, tx, notify.Args{
		PersonIDs: to, ToOwner: n.owners, Subject: n.subject, Body: n.body, Link: s.link(t.ID), Kind: "task." + strings.ToLower(t.Status),
	}, job.Options{Owner: t.AgentID, Priority: job.PriorityOf(t.Mode)})
}
