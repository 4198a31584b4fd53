package view

import (
	"cmp"
	"context"
	"slices"
	"time"

	"humanops-mcp/internal/account"
	loops "humanops-mcp/internal/loop"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/quorum"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/review/ask"
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
	member   map[string]bool           // of the loop
	enrolled map[string]bool           // with a passkey, in the loop
	asked    map[string][]ask.Asked    // by request
	answered map[string]map[int64]bool // by request and step, in this round
}

// around reads what the views of some requests need: a fixed number of queries, however
// many the requests are.
func (s *Reader) around(ctx context.Context, tx *store.Tx, rows []ask.Request) (around, error) {
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

func needsOf(rows []ask.Request) needs {
	n := needs{round: map[string]int64{}}
	for _, r := range rows {
		n.loops = append(n.loops, r.LoopID)
		n.people = append(n.people, r.Line.ClaimedBy, r.DecidedBy.String)
		n.round[r.ID] = r.Round
		if r.Mode == account.Live {
			n.asked = append(n.asked, r.ID)
		}
		if quorum.Several(r.Agreement()) {
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

func (a *around) readLoops(ctx context.Context, tx *store.Tx, n needs) (err error) {
	a.loops, err = loops.ByIDs(ctx, tx, n.loops)
	return err
}

func (a *around) readRecipients(ctx context.Context, tx *store.Tx, n needs) error {
	rows, err := tx.RecipientsOf(ctx, store.IDs(n.asked))
	if err != nil {
		return err
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.PersonID
	}
	people, err := peopleNamed(ctx, tx, ids)
	slices.SortStableFunc(rows, func(x, y db.ReviewRecipient) int {
		return cmp.Or(cmp.Compare(x.CreatedAt, y.CreatedAt), cmp.Compare(x.Step, y.Step), cmp.Compare(people[x.PersonID].Name, people[y.PersonID].Name))
	})
	a.recipients, a.mine.asked = map[string][]schemas.Recipient{}, map[string][]ask.Asked{}
	for _, row := range rows {
		a.recipients[row.ReviewID] = addRecipient(a.recipients[row.ReviewID], recipient(row, people[row.PersonID]))
		if row.PersonID == a.caller.PersonID {
			a.mine.asked[row.ReviewID] = append(a.mine.asked[row.ReviewID], ask.Asked{ReviewRecipient: row})
		}
	}
	return err
}

// recipient is somebody whom a request reached, and how they were told.
func recipient(row db.ReviewRecipient, p schemas.ReviewPerson) schemas.Recipient {
	out := schemas.Recipient{UserID: row.PersonID, Name: p.Name, Email: p.Email, Role: row.Role, NotificationSent: row.Notified == notify.Sent}
	if !out.NotificationSent {
		out.NotificationError = row.Notified
	}
	return out
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
	receipts, err := receipt.Of(ctx, tx, n.withReceipt)
	for _, r := range receipts {
		if r.Round == n.round[r.ReviewID] {
			a.receipts[r.ReviewID] = store.TimePointer(r.ConsumedAt)
		}
	}
	return err
}

func (a *around) readMembership(ctx context.Context, tx *store.Tx, n needs) error {
	if a.caller.PersonID == "" {
		return nil
	}
	a.mine.member = map[string]bool{}
	mine, err := loops.Of(ctx, tx, a.caller.PersonID)
	for _, id := range mine {
		a.mine.member[id] = true
	}
	return err
}

// readEnrolled asks, for the loops that demand passkeys, whether the caller has one there.
func (s *Reader) readEnrolled(ctx context.Context, tx *store.Tx, a *around) (err error) {
	if a.caller.PersonID == "" {
		return nil
	}
	a.mine.enrolled = map[string]bool{}
	for id, loop := range a.loops {
		if !loops.Settings(loop).Passkey {
			continue
		}
		if a.mine.enrolled[id], err = s.passkeys.HasEnrolled(ctx, tx, id, a.caller.PersonID); err != nil {
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
