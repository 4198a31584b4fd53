package review

import (
	"context"
	"slices"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

// around is what views show beside the requests themselves. It is read for a whole page
// at once.
type around struct {
	caller     account.Caller
	loops      map[string]db.Loop
	people     map[string]schemas.ReviewPerson
	recipients map[string][]schemas.Recipient // by request
	answers    map[string]int                 // how many of several people have answered in this round
	feedback   map[string]bool
	receipts   map[string]*time.Time // of this round, and when it was used up
	callbacks  map[string]string     // addresses by request
	mine       mine
}

// mine is what concerns the person who asks.
type mine struct {
	member   map[string]bool                   // of the loop
	enrolled map[string]bool                   // with a passkey, in the loop
	asked    map[string][]db.CircleOfReviewRow // by request
	answered map[string]map[int64]bool         // by request and step, in this round
}

// around reads what the views of some requests need: a fixed number of queries, however
// many the requests are.
func (s *Service) around(ctx context.Context, tx *store.Tx, rows []request) (around, error) {
	a := around{caller: account.From(ctx)}
	n := needsOf(rows)
	for _, read := range []func(context.Context, *store.Tx, needs) error{a.readLoops, a.readRecipients, a.readAnswers, a.readKept, a.readMembership} {
		if err := read(ctx, tx, n); err != nil {
			return a, err
		}
	}
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	var err error
	if a.callbacks, err = webhook.Addresses(ctx, tx, ids); err != nil {
		return a, err
	}
	if a.people, err = peopleNamed(ctx, tx, n.people); err != nil {
		return a, err
	}
	return a, s.readEnrolled(ctx, tx, &a)
}

// needs are the ids that a page asks for.
type needs struct {
	loops, people          []string
	asked, several         []string // requests that reached people; that take several answers
	completed, withReceipt []string
	round                  map[string]int64
}

func needsOf(rows []request) needs {
	n := needs{round: map[string]int64{}}
	for _, r := range rows {
		n.loops = append(n.loops, r.LoopID)
		n.people = append(n.people, r.line.ClaimedBy, r.DecidedBy.String)
		n.round[r.ID] = r.Round
		if r.Mode == account.Live {
			n.asked = append(n.asked, r.ID)
		}
		if several(modeOf(r)) {
			n.several = append(n.several, r.ID)
		}
		if r.Status == string(schemas.ReviewCompleted) {
			n.completed = append(n.completed, r.ID)
			if r.Action != "" {
				n.withReceipt = append(n.withReceipt, r.ID)
			}
		}
	}
	return n
}

// among asks a query about some ids, and keeps what it finds.
func among[R any](ctx context.Context, query func(context.Context, string) ([]R, error), ids []string, keep func(R)) error {
	list := store.IDs(ids)
	if list == store.IDs(nil) {
		return nil
	}
	rows, err := query(ctx, list)
	for _, r := range rows {
		keep(r)
	}
	return err
}

func (a *around) readLoops(ctx context.Context, tx *store.Tx, n needs) error {
	a.loops = map[string]db.Loop{}
	return among(ctx, tx.LoopsByIDs, n.loops, func(l db.Loop) { a.loops[l.ID] = l })
}

func (a *around) readRecipients(ctx context.Context, tx *store.Tx, n needs) error {
	a.recipients, a.mine.asked = map[string][]schemas.Recipient{}, map[string][]db.CircleOfReviewRow{}
	return among(ctx, tx.RecipientsOf, n.asked, func(r db.RecipientsOfRow) {
		p := schemas.Recipient{UserID: r.ID, Name: r.Name, Email: r.Email, Role: r.Role, NotificationSent: r.Notified == "sent"}
		if !p.NotificationSent {
			p.NotificationError = r.Notified
		}
		if p.UserID == a.caller.PersonID {
			a.mine.asked[r.ReviewID] = append(a.mine.asked[r.ReviewID], db.CircleOfReviewRow{PersonID: r.ID, Step: r.Step, Reason: r.Reason})
		}
		a.recipients[r.ReviewID] = addRecipient(a.recipients[r.ReviewID], p)
	})
}

// addRecipient lists a person once, although several steps may ask them.
func addRecipient(list []schemas.Recipient, p schemas.Recipient) []schemas.Recipient {
	at := slices.IndexFunc(list, func(known schemas.Recipient) bool { return known.UserID == p.UserID })
	if at < 0 {
		return append(list, p)
	}
	if p.NotificationSent {
		list[at].NotificationSent, list[at].NotificationError = true, ""
	}
	return list
}

func (a *around) readAnswers(ctx context.Context, tx *store.Tx, n needs) error {
	a.answers, a.mine.answered = map[string]int{}, map[string]map[int64]bool{}
	return among(ctx, tx.AnswersOf, n.several, func(r db.AnswersOfRow) {
		if r.Round != n.round[r.ReviewID] {
			return
		}
		a.answers[r.ReviewID]++
		if r.PersonID != a.caller.PersonID {
			return
		}
		if a.mine.answered[r.ReviewID] == nil {
			a.mine.answered[r.ReviewID] = map[int64]bool{}
		}
		a.mine.answered[r.ReviewID][r.Step] = true
	})
}

func (a *around) readKept(ctx context.Context, tx *store.Tx, n needs) error {
	a.feedback, a.receipts = map[string]bool{}, map[string]*time.Time{}
	if err := among(ctx, tx.FeedbackOf, n.completed, func(id string) { a.feedback[id] = true }); err != nil {
		return err
	}
	return among(ctx, tx.ReceiptsOf, n.withReceipt, func(r db.ReceiptsOfRow) {
		if r.Round == n.round[r.ReviewID] {
			a.receipts[r.ReviewID] = timePointer(r.ConsumedAt)
		}
	})
}

func (a *around) readMembership(ctx context.Context, tx *store.Tx, n needs) error {
	if a.caller.PersonID == "" {
		return nil
	}
	a.mine.member = map[string]bool{}
	loops, err := tx.ActiveLoopsOf(ctx, a.caller.PersonID)
	for _, id := range loops {
		a.mine.member[id] = true
	}
	return err
}

// readEnrolled asks, for the loops that demand passkeys, whether the caller has one there.
func (s *Service) readEnrolled(ctx context.Context, tx *store.Tx, a *around) (err error) {
	if a.caller.PersonID == "" {
		return nil
	}
	a.mine.enrolled = map[string]bool{}
	for id, loop := range a.loops {
		if !s.settings(loop).Passkey {
			continue
		}
		if a.mine.enrolled[id], err = s.Passkeys.HasEnrolled(ctx, tx, id, a.caller.PersonID); err != nil {
			return err
		}
	}
	return nil
}

// peopleNamed reads names and addresses.
func peopleNamed(ctx context.Context, tx *store.Tx, ids []string) (map[string]schemas.ReviewPerson, error) {
	rows, err := account.People(ctx, tx, ids)
	people := make(map[string]schemas.ReviewPerson, len(rows))
	for id, p := range rows {
		people[id] = schemas.ReviewPerson{UserID: id, Name: p.Name, Email: p.Email}
	}
	return people, err
}
