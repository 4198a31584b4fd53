package review

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
	"humanops-mcp/schemas"
)

// modeOf is how many people decide a request.
func modeOf(r request) schemas.ReviewMode {
	mode := schemas.ReviewMode{}
	if r.ReviewMode != "" && json.Unmarshal([]byte(r.ReviewMode), &mode) != nil {
		return schemas.ReviewMode{}
	}
	return mode
}

// standing is what a person is to an open request.
type standing struct {
	why     string  // why they may not decide; "" when they may
	circles []int64 // in which their answer counts
}

// standingOf tells whether a person may decide a request in its present round, whoever
// has claimed it.
func (s *Service) standingOf(ctx context.Context, tx *store.Tx, r request, loop db.Loop, personID string) (standing, error) {
	asked, err := askedOf(ctx, tx, r)
	if err != nil {
		return standing{}, err
	}
	member, err := loops.IsMember(ctx, tx, r.LoopID, personID)
	if err != nil {
		return standing{}, err
	}
	st := placeOf(r, asked, personID, member)
	if st.why != "" {
		return st, nil
	}
	if r.Disputed {
		p, err := account.Person(ctx, tx, personID)
		if err != nil || !p.IsOwner {
			return standing{why: "The task is in dispute, and only an owner settles that."}, err
		}
	}
	return s.keyed(ctx, tx, loop, personID, st)
}

// placeOf looks a person up among those who were asked. A member who left the loop is no
// longer one of them; who was told by an escalation need not be a member.
func placeOf(r request, asked []askedPerson, personID string, member bool) standing {
	var st standing
	recipient := false
	for _, a := range asked {
		if a.PersonID != personID || !member && a.Reason != "escalated" {
			continue
		}
		recipient = true
		if a.Step > 0 || !hasSteps(r) {
			st.circles = append(st.circles, a.Step)
		}
	}
	if r.Step > 0 {
		st.circles = slices.DeleteFunc(st.circles, func(step int64) bool { return step != r.Step })
	}
	switch {
	case !r.Restricted && member && !recipient:
		st.circles = []int64{0}
	case len(st.circles) > 0:
	case recipient && r.Step > 0:
		st.why = "It is not your turn: another circle of people is asked first, or was asked before."
	case recipient:
		st.why = "You were told of this request, and others are asked to decide it."
	case member:
		st.why = "Only the people who were asked decide this request, and you are not among them."
	default:
		st.why = "Only active members of the loop decide its requests, and you are not one of them. The owner adds people to a loop."
	}
	return st
}

func hasSteps(r request) bool { return len(modeOf(r).Steps) > 0 }

// keyed adds the demand of a loop whose decisions need a passkey.
func (s *Service) keyed(ctx context.Context, tx *store.Tx, loop db.Loop, personID string, st standing) (standing, error) {
	if !loops.Settings(loop).Passkey {
		return st, nil
	}
	has, err := s.Passkeys.HasEnrolled(ctx, tx, loop.ID, personID)
	if err == nil && !has {
		st.why = "This loop takes decisions only with a passkey that an owner has enrolled in it, and you have none there."
	}
	return st, err
}

// askedPerson is somebody who was asked, as they are now.
type askedPerson struct {
	db.ReviewRecipient
	Name       string
	LastSeenAt int64
	RemovedAt  int64
	Member     bool // of the loop, still
}

// askedOf is everybody who was asked about a request, in the order in which they were.
func askedOf(ctx context.Context, tx *store.Tx, r request) ([]askedPerson, error) {
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
	list := make([]askedPerson, len(rows))
	for i, row := range rows {
		p := people[row.PersonID]
		list[i] = askedPerson{row, p.Name, p.LastSeenAt, p.RemovedAt, slices.Contains(members, p.ID)}
	}
	return list, err
}

// circlesOf arranges those who were asked into the circles that have to decide.
func circlesOf(r request, list []askedPerson) []quorum.Circle {
	mode := modeOf(r)
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
func join(c *quorum.Circle, a askedPerson) {
	if a.RemovedAt == 0 && (a.Member || a.Reason == reasonEscalated) {
		c.People = append(c.People, a.PersonID)
	}
	if a.Reason != reasonEscalated {
		c.Needed = append(c.Needed, a.PersonID)
	}
}

func ballotsOf(votes []db.ReviewVote) []quorum.Ballot {
	out := make([]quorum.Ballot, len(votes))
	for i, v := range votes {
		out[i] = quorum.Ballot{Step: v.Step, Person: v.PersonID, Answer: answer.Answer{
			Data: json.RawMessage(v.Response), Value: json.RawMessage(v.Value), Decision: v.Decision,
		}}
	}
	return out
}
