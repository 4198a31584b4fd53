package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

// The channels that a notice about a review request may take. A request stands on the
// pages in any case.
const (
	Mail = "mail"
	Chat = "chat"
	Page = "page"
)

// sent is what the list of those who were asked says of a person who was told; anything
// else is why not.
const sent = "sent"

const maxQuestion = 1500 // letters of the question in a notice

// lasting are the kinds that say something about a request that is over; the others are
// dropped when it is.
var lasting = []string{"review.decided", "review.withdrawn", "review.feedback"}

const wasOver = "the request was over before the notice went out"

// overtaken tells whether a notice that asks for something is about a request that is over:
// a mail server that was away takes it late.
func (n *Notifier) overtaken(ctx context.Context, text notice) (over bool, err error) {
	if text.ReviewID == "" || slices.Contains(lasting, text.Kind) {
		return false, nil
	}
	err = n.store.Peek(ctx, func(tx *store.Tx) error {
		r, err := tx.ReviewState(ctx, text.ReviewID)
		over = schemas.ReviewStatus(r.Status).Final()
		return err
	})
	if store.NotFound(err) {
		return true, nil // deleted with its loop
	}
	return over, err
}

// fanOutReview writes the notice as of now: a notice may have waited for somebody's
// working hours.
func (n *Notifier) fanOutReview(ctx context.Context, tx *store.Tx, j job.Job[Args], text notice) error {
	a := j.Args
	text.ReviewID = a.ReviewID
	r, err := tx.FindReview(ctx, a.ReviewID)
	if store.NotFound(err) {
		return nil // deleted with its loop
	}
	if err != nil {
		return err
	}
	over := schemas.ReviewStatus(r.Status).Final()
	lasts := slices.Contains(lasting, a.Kind)
	if over && !lasts {
		return noteAll(ctx, tx, a, text, wasOver)
	}
	if n.config.ReviewURL != nil {
		text.Link = n.config.ReviewURL(r.ID)
	}
	if !lasts {
		agent, err := tx.AgentByID(ctx, r.AgentID)
		if err != nil {
			return err
		}
		text.Body += "\n\n" + question(r, agent.Name)
	}
	if takes(a, Mail) && n.mails() {
		if err := n.planReviewMail(ctx, tx, j, r, text); err != nil {
			return err
		}
	}
	if !takes(a, Chat) || a.Kind == "review.feedback" {
		return nil
	}
	if !lasts {
		text.Body += "\n\n" + terms(r, "")
	}
	return n.planChat(ctx, tx, j, text)
}

func takes(a Args, channel string) bool {
	return len(a.Channels) == 0 || slices.Contains(a.Channels, channel)
}

// planReviewMail gives each person a mail with their own link and their own time.
func (n *Notifier) planReviewMail(ctx context.Context, tx *store.Tx, j job.Job[Args], r db.Review, text notice) error {
	a, lasts := j.Args, slices.Contains(lasting, j.Args.Kind)
	people, err := n.recipients(ctx, tx, a)
	if err != nil {
		return err
	}
	asked, err := tx.CircleOfReview(ctx, r.ID)
	if err != nil {
		return err
	}
	for _, p := range people {
		if !lasts && !stillAsked(asked, p.ID) {
			if err := note(ctx, tx, text, p.ID, "no longer in the loop"); err != nil {
				return err
			}
			continue
		}
		if p.Email == "" || !tellable(p) {
			if err := note(ctx, tx, text, p.ID, "no mail address"); err != nil {
				return err
			}
			continue
		}
		own := text
		own.LinkID = a.LinkID
		if !lasts {
			zone, err := tx.TimeZoneOf(ctx, p.ID)
			if err != nil && !store.NotFound(err) {
				return err
			}
			own.Body += "\n\n" + terms(r, zone)
		}
		err := mailKind.Enqueue(ctx, tx, mailArgs{To: p.Email, Name: p.Name, PersonID: p.ID, notice: own}, job.Options{Owner: j.Owner, Priority: j.Priority})
		if err != nil {
			return err
		}
	}
	return nil
}

// stillAsked tells whether an answer of a person is still wanted: a notice may have waited
// for their working hours, and they have left the loop meanwhile.
func stillAsked(asked []db.CircleOfReviewRow, personID string) bool {
	return slices.ContainsFunc(asked, func(a db.CircleOfReviewRow) bool {
		return a.PersonID == personID && (a.Member || a.Reason == "escalated")
	})
}

// question quotes the agent, line by line, so that its words cannot pass for ours.
func question(r db.Review, agent string) string {
	text := r.RequestText
	if r.Title != "" {
		text = oneLine(r.Title, maxSubject) + "\n\n" + text
	}
	var out strings.Builder
	fmt.Fprintf(&out, "The agent %s asks, in its own words:\n", oneLine(agent, maxSubject))
	for line := range strings.Lines(shorten(strings.ReplaceAll(text, "\r", "\n"), maxQuestion)) {
		out.WriteString("> " + strings.TrimRight(line, "\n") + "\n")
	}
	return strings.TrimRight(out.String(), "\n")
}

// terms are how urgent it is and until when, in UTC and in the person's own time.
func terms(r db.Review, zone string) string {
	until := store.Time(r.TimeoutAt)
	text := "Priority: " + r.Priority + "\nUntil: " + until.Format("Mon 2 Jan 2006 15:04 UTC")
	if place, err := time.LoadLocation(zone); err == nil && zone != "" && zone != "UTC" {
		text += fmt.Sprintf(" (%s in %s)", until.In(place).Format("Mon 2 Jan 15:04"), zone)
	}
	return text
}

// letter is the text of a mail. The person's own link is made here, so that no table
// holds it.
func (n *Notifier) letter(a mailArgs) string {
	if a.LinkID == "" || n.config.LinkURL == nil {
		return a.plain()
	}
	own := a.notice
	own.Link = "This link is yours alone; whoever has it can answer in your name.\n" + n.config.LinkURL(a.LinkID)
	return own.plain()
}

// asking are the kinds that bring a request to a person: how they went is kept beside the
// person's name.
var asking = []string{"review.asked", "review.escalated"}

// noteMail records how a person's mail about a request went.
func (n *Notifier) noteMail(a mailArgs, result string) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error { return note(ctx, tx, a.notice, a.PersonID, result) }
}

func noteChat(a chatArgs) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error {
		if a.ReviewID == "" || !slices.Contains(asking, a.Kind) {
			return nil
		}
		return tx.NoteRoomTold(ctx, db.NoteRoomToldParams{ReviewID: a.ReviewID, NotifiedAt: store.Micros(tx.Now())})
	}
}

func note(ctx context.Context, tx *store.Tx, text notice, personID, result string) error {
	if text.ReviewID == "" || !slices.Contains(asking, text.Kind) {
		return nil
	}
	return tx.NoteNotified(ctx, db.NoteNotifiedParams{ReviewID: text.ReviewID, PersonID: personID, Notified: result, NotifiedAt: store.Micros(tx.Now())})
}

func noteAll(ctx context.Context, tx *store.Tx, a Args, text notice, result string) error {
	for _, id := range a.PersonIDs {
		if err := note(ctx, tx, text, id, result); err != nil {
			return err
		}
	}
	return nil
}

func (n *Notifier) giveUpMail(ctx context.Context, tx *store.Tx, j job.Job[mailArgs], cause error) error {
	n.lost(string(mailKind), j.ID, j.Args.notice, cause)
	return note(ctx, tx, j.Args.notice, j.Args.PersonID, "the mail could not be delivered")
}
