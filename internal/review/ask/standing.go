package ask

import (
	"context"
	"encoding/json"
	"slices"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/answer"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/quorum"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// Why somebody was asked.
const (
	ReasonLoop      = "loop"
	ReasonAssigned  = "assigned"
	ReasonEscalated = "escalated"
)

// NoPasskey is why somebody who was asked may still not decide, as pages say it and refusals do.
const NoPasskey = "This loop takes decisions only with a passkey that an owner has enrolled in it, and you have none there."

// Standing is what a person is to an open request.
type Standing struct {
	Why     string  // why they may not decide; "" when they may
	Circles []int64 // in which their answer counts
}

// Who is somebody who may have a say.
type Who struct {
	PersonID string
	Member   bool // of the loop
	Owner    bool // of the house
}

// Place says what a person is to a request. An owner decides on every proof, as they may on
// its task; nobody else settles a dispute.
func Place(r Request, asked []Asked, who Who) Standing {
	switch {
	case r.IsProof() && who.Owner:
		return Standing{Circles: []int64{0}}
	case r.Disputed:
		return Standing{Why: "The task is in dispute, and only an owner settles that."}
	}
	return place(r, asked, who.PersonID, who.Member)
}

// place looks a person up among those who were asked. A member who left the loop is no
// longer one of them; who was told by an escalation need not be a member.
func place(r Request, asked []Asked, personID string, member bool) Standing {
	var st Standing
	recipient := false
	for _, a := range asked {
		if a.PersonID != personID || !member && a.Reason != ReasonEscalated {
			continue
		}
		recipient = true
		if a.Step > 0 || len(r.Agreement().Steps) == 0 {
			st.Circles = append(st.Circles, a.Step)
		}
	}
	if r.Step > 0 {
		st.Circles = slices.DeleteFunc(st.Circles, func(step int64) bool { return step != r.Step })
	}
	switch {
	case !r.Restricted && member && !recipient:
		st.Circles = []int64{0}
	case len(st.Circles) > 0:
	case recipient && r.Step > 0:
		st.Why = "It is not your turn: another circle of people is asked first, or was asked before."
	case recipient:
		st.Why = "You were told of this request, and others are asked to decide it."
	case member:
		st.Why = "Only the people who were asked decide this request, and you are not among them."
	default:
		st.Why = "Only active members of the loop decide its requests, and you are not one of them. The owner adds people to a loop."
	}
	return st
}

// Asked is somebody who was asked, as they are now.
type Asked struct {
	db.ReviewRecipient
	Name       string
	LastSeenAt int64
	RemovedAt  int64
	Member     bool // of the loop, still
}

// AskedOf is everybody who was asked about a request, in the order in which they were.
func AskedOf(ctx context.Context, tx *store.Tx, r Request) ([]Asked, error) {
	rows, err := tx.RecipientsIn(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.PersonID
	}
	people, err := account.People(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	members, err := loops.Active(ctx, tx, r.LoopID)
	list := make([]Asked, len(rows))
	for i, row := range rows {
		p := people[row.PersonID]
		list[i] = Asked{row, p.Name, p.LastSeenAt, p.RemovedAt, slices.Contains(members, p.ID)}
	}
	return list, err
}

// Circles arranges those who were asked into the circles that have to decide.
func Circles(r Request, list []Asked) []quorum.Circle {
	mode := r.Agreement()
	circles := []quorum.Circle{{Mode: mode.Mode, Threshold: mode.Threshold}}
	if len(mode.Steps) > 0 {
		circles = circles[:0]
		for i, step := range mode.Steps {
			circles = append(circles, quorum.Circle{Step: int64(i) + 1, Mode: step.Mode, Threshold: step.Threshold})
		}
	}
	for _, a := range list {
		for i := range circles {
			if circles[i].Step == a.Step {
				join(&circles[i], a)
			}
		}
	}
	return circles
}

// join puts a person into a circle. Who was told by an escalation may answer but need not,
// where everybody has to. Who has left may not answer any more, but is missed.
func join(c *quorum.Circle, a Asked) {
	if a.RemovedAt == 0 && (a.Member || a.Reason == ReasonEscalated) {
		c.People = append(c.People, a.PersonID)
	}
	if a.Reason != ReasonEscalated {
		c.Needed = append(c.Needed, a.PersonID)
	}
}

// Ballots are the votes of a round.
func Ballots(votes []db.ReviewVote) []quorum.Ballot {
	out := make([]quorum.Ballot, len(votes))
	for i, v := range votes {
		out[i] = quorum.Ballot{Step: v.Step, Person: v.PersonID, Answer: answer.Answer{
			Data: json.RawMessage(v.Response), Value: json.RawMessage(v.Value), Decision: v.Decision,
		}}
	}
	return out
}

// OpenByPerson is how many open requests each of some people has in hand, or was meant for.
func OpenByPerson(ctx context.Context, tx *store.Tx, people []loops.Member) (map[string]int, error) {
	ids := make([]string, len(people))
	for i, m := range people {
		ids[i] = m.ID
	}
	rows, err := tx.OpenByPerson(ctx, store.IDs(ids))
	open := make(map[string]int, len(rows))
	for _, row := range rows {
		open[row.PersonID] = int(row.Open)
	}
	return open, err
}
