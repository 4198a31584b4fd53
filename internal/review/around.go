package review

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
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

func (a *around) readLoops(ctx context.Context, tx *store.Tx, n needs) error {
	a.loops = map[string]db.Loop{}
	return lookUp(ctx, tx, "SELECT id, slug, name, description, icon, creator_id, settings FROM loops WHERE id IN (?)", n.loops, func(rows *sql.Rows) error {
		var l db.Loop
		err := rows.Scan(&l.ID, &l.Slug, &l.Name, &l.Description, &l.Icon, &l.CreatorID, &l.Settings)
		a.loops[l.ID] = l
		return err
	})
}

func (a *around) readRecipients(ctx context.Context, tx *store.Tx, n needs) error {
	a.recipients, a.mine.asked = map[string][]schemas.Recipient{}, map[string][]db.CircleOfReviewRow{}
	const text = `SELECT rr.review_id, rr.step, rr.reason, rr.role, rr.notified, p.id, p.name, p.email FROM review_recipients rr
JOIN people p ON p.id = rr.person_id WHERE rr.review_id IN (?) ORDER BY rr.created_at, rr.step, p.name, p.id`
	return lookUp(ctx, tx, text, n.asked, func(rows *sql.Rows) error {
		var id, reason, notified string
		var step int64
		var p schemas.Recipient
		if err := rows.Scan(&id, &step, &reason, &p.Role, &notified, &p.UserID, &p.Name, &p.Email); err != nil {
			return err
		}
		if p.NotificationSent = notified == "sent"; !p.NotificationSent {
			p.NotificationError = notified
		}
		if p.UserID == a.caller.PersonID {
			a.mine.asked[id] = append(a.mine.asked[id], db.CircleOfReviewRow{PersonID: p.UserID, Step: step, Reason: reason})
		}
		a.recipients[id] = addRecipient(a.recipients[id], p)
		return nil
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
	return lookUp(ctx, tx, "SELECT review_id, round, step, person_id FROM review_votes WHERE review_id IN (?)", n.several, func(rows *sql.Rows) error {
		var id, person string
		var round, step int64
		if err := rows.Scan(&id, &round, &step, &person); err != nil || round != n.round[id] {
			return err
		}
		a.answers[id]++
		if person == a.caller.PersonID {
			if a.mine.answered[id] == nil {
				a.mine.answered[id] = map[int64]bool{}
			}
			a.mine.answered[id][step] = true
		}
		return nil
	})
}

func (a *around) readKept(ctx context.Context, tx *store.Tx, n needs) error {
	a.feedback, a.receipts = map[string]bool{}, map[string]*time.Time{}
	err := lookUp(ctx, tx, "SELECT review_id FROM review_feedback WHERE review_id IN (?)", n.completed, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		a.feedback[id] = true
		return err
	})
	if err != nil {
		return err
	}
	return lookUp(ctx, tx, "SELECT review_id, round, consumed_at FROM receipts WHERE review_id IN (?)", n.withReceipt, func(rows *sql.Rows) error {
		var id string
		var round, consumed int64
		err := rows.Scan(&id, &round, &consumed)
		if round == n.round[id] {
			a.receipts[id] = timePointer(consumed)
		}
		return err
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
	people := map[string]schemas.ReviewPerson{}
	err := lookUp(ctx, tx, "SELECT id, name, email FROM people WHERE id IN (?)", ids, func(rows *sql.Rows) error {
		var p schemas.ReviewPerson
		err := rows.Scan(&p.UserID, &p.Name, &p.Email)
		people[p.UserID] = p
		return err
	})
	return people, err
}

// The sizes of the lists that lookUp asks with: few texts, so that they stay prepared.
const (
	oneID   = 1
	manyIDs = 100
)

// lookUp runs a query over ids, which stand where its text has (?).
func lookUp(ctx context.Context, tx *store.Tx, text string, ids []string, scan func(*sql.Rows) error) error {
	ids = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(ids))), func(id string) bool { return id == "" })
	for chunk := range slices.Chunk(ids, manyIDs) {
		size := manyIDs
		if len(chunk) == oneID {
			size = oneID
		}
		if err := lookUpChunk(ctx, tx, strings.Replace(text, "(?)", placeholders(size), 1), chunk, size, scan); err != nil {
			return err
		}
	}
	return nil
}

func lookUpChunk(ctx context.Context, tx *store.Tx, text string, ids []string, size int, scan func(*sql.Rows) error) error {
	args := make([]any, size)
	for i := range args {
		args[i] = ids[min(i, len(ids)-1)]
	}
	rows, err := tx.Query(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func placeholders(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(map[bool]string{true: "(", false: ", "}[i == 0] + "$" + strconv.Itoa(i+1))
	}
	return b.String() + ")"
}
