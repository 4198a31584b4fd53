package review

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/check"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/review/ask"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// The kinds of letter, as notify knows them.
const (
	letterAsked     = Name + "." + noticeAsked
	letterEscalated = Name + "." + noticeEscalated
	letterFeedback  = Name + "." + noticeFeedback
)

// lasting are the kinds that say something about a request that is over; the others are
// dropped when it is.
var lasting = []string{Name + "." + noticeDecided, Name + "." + noticeWithdrawn, letterFeedback}

const (
	maxAsked    = 1500 // letters of the question in a notice
	maxHeadline = 150
	wasOver     = "the request was over before the notice went out"
)

// Letters is the author of letters about requests. They are written as of when they go
// out: a notice may have waited for somebody's working hours.
func (s *Service) Letters() notify.Author { return letters{s} }

type letters struct{ *Service }

// Useless tells of a letter that asks for something that is over, or asks somebody who has
// left the loop meanwhile.
func (s letters) Useless(ctx context.Context, tx *store.Tx, l notify.Letter, personID string) (string, error) {
	if l.Kind == letterFeedback && personID == "" {
		return "feedback is between an agent and a person", nil
	}
	if slices.Contains(lasting, l.Kind) {
		return "", nil
	}
	r, err := s.life.Find(ctx, tx, l.About)
	if store.NotFound(err) || err == nil && r.In().Final() {
		return wasOver, nil // or deleted with its loop
	}
	if err != nil || personID == "" {
		return "", err
	}
	asked, err := ask.AskedOf(ctx, tx, r)
	if err == nil && !stillAsked(asked, personID) {
		return "no longer in the loop", nil
	}
	return "", err
}

// stillAsked tells whether an answer of a person is still wanted.
func stillAsked(asked []ask.Asked, personID string) bool {
	return slices.ContainsFunc(asked, func(a ask.Asked) bool {
		return a.PersonID == personID && (a.Member || a.Reason == ask.ReasonEscalated)
	})
}

// Complete adds the page; and of what asks for something the question, how urgent it is
// and until when, in the time of whoever reads it.
func (s letters) Complete(ctx context.Context, tx *store.Tx, l notify.Letter, personID string) (notify.Letter, error) {
	l.Link = s.Page(l.About)
	if slices.Contains(lasting, l.Kind) {
		return l, nil
	}
	r, err := s.life.Find(ctx, tx, l.About)
	if err != nil {
		return l, err
	}
	agent, err := account.Agent(ctx, tx, r.AgentID)
	if err != nil {
		return l, err
	}
	zone := ""
	if personID != "" {
		if zone, err = loops.TimeZone(ctx, tx, personID); err != nil {
			return l, err
		}
	}
	l.Body += "\n\n" + question(r, agent.Name) + "\n\n" + terms(r, zone)
	return l, nil
}

// Door is the link that lets one person in to one request.
func (s letters) Door(linkID string) string {
	return "This link is yours alone; whoever has it can answer in your name.\n" + s.LinkURL(linkID)
}

// Went keeps beside a person's name how they were asked.
func (s letters) Went(ctx context.Context, tx *store.Tx, l notify.Letter, personID, how string) error {
	if l.Kind != letterAsked && l.Kind != letterEscalated {
		return nil
	}
	if personID == "" {
		return tx.NoteRoomTold(ctx, db.NoteRoomToldParams{ReviewID: l.About, NotifiedAt: store.Micros(tx.Now())})
	}
	return tx.NoteNotified(ctx, db.NoteNotifiedParams{ReviewID: l.About, PersonID: personID, Notified: how, NotifiedAt: store.Micros(tx.Now())})
}

// question quotes the agent, line by line, so that its words cannot pass for ours.
func question(r request, agent string) string {
	text := r.RequestText
	if r.Title != "" {
		text = check.Shorten(check.OneLine(r.Title), maxHeadline) + "\n\n" + text
	}
	var out strings.Builder
	fmt.Fprintf(&out, "The agent %s asks, in its own words:\n", check.Shorten(check.OneLine(agent), maxHeadline))
	for line := range strings.Lines(check.Shorten(strings.ReplaceAll(text, "\r", "\n"), maxAsked)) {
		out.WriteString("> " + strings.TrimRight(line, "\n") + "\n")
	}
	return strings.TrimRight(out.String(), "\n")
}

// terms are how urgent it is and until when, in UTC and in the person's own time.
func terms(r request, zone string) string {
	until := store.Time(r.TimeoutAt)
	text := "Priority: " + r.Priority + "\nUntil: " + until.Format("Mon 2 Jan 2006 15:04 UTC")
	if place, err := time.LoadLocation(zone); err == nil && zone != "" && zone != "UTC" {
		text += fmt.Sprintf(" (%s in %s)", until.In(place).Format("Mon 2 Jan 15:04"), zone)
	}
	return text
}
