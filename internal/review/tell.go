package review

import (
	"context"
	"fmt"
	"slices"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/check"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/oncall"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// sent is what a recipient's row says once a notice went out.
const sent = "sent"

// letter is what several people are told alike.
type letter struct {
	kind, subject, body string
	channels            []string  // all that work when empty
	before              time.Time // after that it would be of no use
}

// addAsked writes down who is asked, and gives those who were not asked before.
func (s *Service) addAsked(ctx context.Context, tx *store.Tx, reviewID string, people []loops.Member, step int64, reason string, at time.Time) ([]loops.Member, error) {
	var added []loops.Member
	for _, m := range people {
		n, err := tx.InsertReviewRecipient(ctx, db.InsertReviewRecipientParams{
			ReviewID: reviewID, PersonID: m.ID, Step: step, Reason: reason, Role: roleOf(m), CreatedAt: store.Micros(at),
		})
		if err != nil {
			return nil, err
		}
		if n > 0 {
			added = append(added, m)
		}
	}
	return added, nil
}

func roleOf(m loops.Member) string {
	if m.Role == "" {
		return "member"
	}
	return m.Role
}

// ask tells people that an answer of theirs is wanted.
func (s *Service) ask(ctx context.Context, tx *store.Tx, r request, people []loops.Member, step int64) error {
	_, err := s.askEach(ctx, tx, r, people, step)
	return err
}

// askEach is ask that counts how many are being told by mail or chat.
func (s *Service) askEach(ctx context.Context, tx *store.Tx, r request, people []loops.Member, step int64) (int, error) {
	body := "Your answer is wanted."
	if r.Round > 1 {
		body = fmt.Sprintf("Your answer is wanted again: this is round %d, after the changes that were asked for.", r.Round)
	}
	return s.deliver(ctx, tx, r, people, step, letter{
		kind: noticeAsked, subject: "Review wanted: " + headline(r), body: body, before: store.Time(r.TimeoutAt),
	})
}

// deliver tells each person when they may be asked: in their working hours, a critical
// request at any hour, nobody during an absence.
func (s *Service) deliver(ctx context.Context, tx *store.Tx, r request, people []loops.Member, step int64, l letter) (told int, err error) {
	for _, m := range people {
		at := oncall.NextOpening(m.Availability, tx.Now(), r.Priority == ask.Critical)
		outcome := s.unreached(m, l.channels)
		if outcome == "" && !l.before.IsZero() && !at.Before(l.before) {
			outcome = "not available before it ends"
		}
		if outcome == "" {
			told++
			err = s.notice(ctx, tx, notice{ReviewID: r.ID, PersonID: m.ID, Kind: l.kind, Subject: l.subject, Body: l.body, Channels: l.channels, At: at})
		} else if l.kind == noticeAsked || l.kind == noticeEscalated {
			err = tx.SetRecipientNotified(ctx, db.SetRecipientNotifiedParams{ReviewID: r.ID, PersonID: m.ID, Step: step, Notified: outcome, NotifiedAt: store.Micros(tx.Now())})
		}
		if err != nil {
			return told, err
		}
	}
	return told, nil
}

// unreached says why a notice would reach nobody, "" when it would.
func (s *Service) unreached(m loops.Member, channels []string) string {
	takes := func(channel string) bool { return len(channels) == 0 || slices.Contains(channels, channel) }
	switch {
	case takes("mail") && s.cfg.Mail && m.Email != "", takes("chat") && s.cfg.Chat:
		return ""
	case !s.cfg.Mail && !s.cfg.Chat:
		return "neither mail nor chat is set up; the request is on the page"
	case takes("mail") && s.cfg.Mail:
		return "no mail address; the request is on the page"
	}
	return "told on the page only"
}

// tell lets people know of a change that concerns them. The agent hears by itself.
func (s *Service) tell(ctx context.Context, tx *store.Tx, h happened) error {
	r := h.Now
	if r.Mode == account.Test {
		if h.Event == NextRound {
			return s.scheduleSimulation(ctx, tx, r)
		}
		return nil
	}
	switch h.Event {
	case Decide, Cancel, Timeout, Exhausted:
		return s.tellOver(ctx, tx, h)
	case Answer:
		if r.Step == h.Was.Step {
			return nil
		}
		return s.askCircle(ctx, tx, r)
	case NextRound:
		return s.askCircle(ctx, tx, r)
	case Warn:
		return s.tellWarning(ctx, tx, h)
	default: // told elsewhere, or nobody else's concern
		return nil
	}
}

// askCircle asks those whose turn it is.
func (s *Service) askCircle(ctx context.Context, tx *store.Tx, r request) error {
	asked, err := ask.AskedOf(ctx, tx, r)
	if err != nil {
		return err
	}
	for _, step := range stepsOf(r, asked) {
		people, err := s.membersOf(ctx, tx, r, asked, func(a ask.Asked) bool { return a.Step == step })
		if err != nil {
			return err
		}
		if err := s.ask(ctx, tx, r, people, step); err != nil {
			return err
		}
	}
	return nil
}

// stepsOf are the steps that are asked now.
func stepsOf(r request, asked []ask.Asked) []int64 {
	if r.Step > 0 {
		return []int64{r.Step}
	}
	var steps []int64
	for _, a := range asked {
		if !slices.Contains(steps, a.Step) {
			steps = append(steps, a.Step)
		}
	}
	return steps
}

// membersOf finds those who were asked as people of the house who are still there.
func (s *Service) membersOf(ctx context.Context, tx *store.Tx, r request, asked []ask.Asked, which func(ask.Asked) bool) ([]loops.Member, error) {
	loop, err := loops.ByID(ctx, tx, r.LoopID)
	if err != nil {
		return nil, err
	}
	members, err := s.Loops.Active(ctx, tx, r.LoopID)
	if err != nil {
		return nil, err
	}
	var people []loops.Member
	for _, a := range asked {
		if a.RemovedAt != 0 || !which(a) {
			continue
		}
		at := slices.IndexFunc(members, func(m loops.Member) bool { return m.ID == a.PersonID })
		if at >= 0 {
			people = loops.Union(people, members[at:at+1])
			continue
		}
		if a.Reason != ask.ReasonEscalated {
			continue // left the loop
		}
		others, err := s.reachable(ctx, tx, loop, []string{a.PersonID})
		if err != nil {
			return nil, err
		}
		people = loops.Union(people, others)
	}
	return people, nil
}

// tellOver tells those who were told of a request that it is over, and who decided; and
// whoever had claimed it.
func (s *Service) tellOver(ctx context.Context, tx *store.Tx, h happened) error {
	r := h.Now
	asked, err := ask.AskedOf(ctx, tx, r)
	if err != nil {
		return err
	}
	now := store.Micros(tx.Now())
	people, err := s.membersOf(ctx, tx, r, asked, func(a ask.Asked) bool {
		told := a.Notified == sent && a.NotifiedAt <= now || a.PersonID == h.Was.Line.ClaimedBy
		return told && a.PersonID != h.By.ID
	})
	if err != nil || len(people) == 0 {
		return err
	}
	sentence, err := s.ending(ctx, tx, r)
	if err != nil {
		return err
	}
	l := letter{kind: noticeWithdrawn, subject: "No longer needed: " + headline(r), body: sentence}
	if h.Event == Decide {
		l.kind, l.subject = noticeDecided, "Decided: "+headline(r)
	}
	_, err = s.deliver(ctx, tx, r, people, r.Step, l)
	return err
}

// tellWarning warns whoever has the request, or those who have not answered it.
func (s *Service) tellWarning(ctx context.Context, tx *store.Tx, h happened) error {
	warned, ok := h.With.(change.Warned)
	if !ok {
		return nil
	}
	r := h.Now
	asked, err := ask.AskedOf(ctx, tx, r)
	if err != nil {
		return err
	}
	votes, err := tx.VotesInRound(ctx, db.VotesInRoundParams{ReviewID: r.ID, Round: r.Round})
	if err != nil {
		return err
	}
	steps := stepsOf(r, asked)
	people, err := s.membersOf(ctx, tx, r, asked, func(a ask.Asked) bool {
		if r.Line.ClaimedBy != "" {
			return a.PersonID == r.Line.ClaimedBy
		}
		answered := slices.ContainsFunc(votes, func(v db.ReviewVote) bool { return v.PersonID == a.PersonID })
		return slices.Contains(steps, a.Step) && !answered
	})
	if err != nil || len(people) == 0 {
		return err
	}
	l := letter{kind: noticeWarned, subject: "Time is running out: " + headline(r)}
	switch warned.Clock {
	case clockClaim:
		l.before, l.body = store.Time(r.ClaimBy), "Nobody has claimed this review yet. It is escalated at "
	case clockDecide:
		l.before, l.body = store.Time(r.DecideBy), "You have claimed this review. Your claim ends at "
	case clockEnd:
		l.before, l.body = store.Time(r.TimeoutAt), "Nobody has decided this review yet. It ends at "
	default:
		return nil
	}
	l.body += ask.ClockTime(l.before) + "."
	_, err = s.deliver(ctx, tx, r, people, r.Step, l)
	return err
}

func (s *Service) tellEscalated(ctx context.Context, tx *store.Tx, r request, people []loops.Member, channels []string, reason string) error {
	why := "Nobody has decided this review yet, so it comes to you."
	if reason != "" {
		why = "This review was escalated to you: " + check.OneLine(reason)
	}
	_, err := s.deliver(ctx, tx, r, people, r.Step, letter{
		kind: noticeEscalated, subject: "Escalated to you: " + headline(r), body: why, channels: channels, before: store.Time(r.TimeoutAt),
	})
	return err
}

// headline is a request in one line. An agent's line breaks would look like ours.
func headline(r request) string {
	text := r.Title
	if text == "" {
		text = r.RequestText
	}
	return cut(check.OneLine(text), 100)
}
