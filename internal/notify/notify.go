// Package notify tells people by mail and chat that something waits for them.
//
// A notice becomes one delivery for each person with a mail address and one for each
// configured chat address, so that a failing channel is retried alone. Where nothing is
// configured a notice ends quietly: the pages show the same things.
package notify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strings"
	"time"

	"humanops-mcp/internal/check"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// The kinds of job: a notice, and its deliveries.
const (
	Kind     job.Kind[Args]     = "notify"
	mailKind job.Kind[mailArgs] = "notify.mail"
	chatKind job.Kind[chatArgs] = "notify.chat"
)

const (
	attempts   = 8
	maxSubject = 150  // letters
	maxBody    = 4000 // letters
)

// Args is a notice. Subject and Body may hold an agent's words; they go out as plain
// text, cut to a bearable length.
type Args struct {
	PersonIDs []string `json:"person_ids,omitempty"`
	ToOwner   bool     `json:"to_owner,omitempty"` // every owner, beside PersonIDs
	Subject   string   `json:"subject"`
	Body      string   `json:"body"`
	Link      string   `json:"link,omitempty"`
	Kind      string   `json:"kind,omitempty"` // what it is about, such as task.posted

	// Of a notice about a review request: which, the link that is the person's own, and
	// the channels it may take (mail, chat), all of them when empty.
	ReviewID string   `json:"review_id,omitempty"`
	LinkID   string   `json:"link_id,omitempty"`
	Channels []string `json:"channels,omitempty"`
}

// Config names the channels. Each may be empty.
type Config struct {
	SMTP     SMTP
	From     string   // sender of mail: an address, with or without a name
	ChatURLs []string // shoutrrr URLs, set by the owner; they hold tokens

	ReviewURL func(reviewID string) string // a request's page, for who signs in
	LinkURL   func(linkID string) string   // a person's own way to a request, made when it is sent
}

// Notifier sends notices.
type Notifier struct {
	config Config
	store  *store.Store
	log    *slog.Logger
}

// New makes a notifier.
func New(c Config, s *store.Store, log *slog.Logger) *Notifier {
	return &Notifier{config: c, store: s, log: log}
}

func (n *Notifier) mails() bool { return n.config.SMTP.Host != "" && n.config.From != "" }

func tellable(p db.Person) bool { return p.RemovedAt == 0 && !p.Simulated }

// RegisterJobs makes the runner send notices.
func (n *Notifier) RegisterJobs(r *job.Runner) {
	Kind.Handle(r, n.fanOut)
	mailKind.HandleEffect(r, attempts, n.deliverMail, n.giveUpMail)
	chatKind.HandleEffect(r, attempts, n.deliverChat, n.giveUpChat)
}

// notice is what a delivery carries. LinkID stands for an address that only the mail
// itself may hold.
type notice struct {
	Subject string    `json:"subject"`
	Body    string    `json:"body"`
	Link    string    `json:"link,omitempty"`
	Kind    string    `json:"kind,omitempty"`
	At      time.Time `json:"at"`

	ReviewID string `json:"review_id,omitempty"`
	LinkID   string `json:"link_id,omitempty"`
}

type mailArgs struct {
	To       string `json:"to"`
	Name     string `json:"name"`
	PersonID string `json:"person_id,omitempty"`
	notice
}

// chatArgs names the address by its fingerprint: the database holds no tokens.
type chatArgs struct {
	Channel string `json:"channel"`
	notice
}

// fanOut plans one delivery for each person and channel, in one transaction.
func (n *Notifier) fanOut(ctx context.Context, tx *store.Tx, j job.Job[Args]) error {
	a := j.Args
	text := notice{Subject: oneLine(a.Subject, maxSubject), Body: shorten(a.Body, maxBody), Link: a.Link, Kind: a.Kind, At: tx.Now()}
	if a.ReviewID != "" {
		return n.fanOutReview(ctx, tx, j, text)
	}
	if n.mails() {
		if err := n.planMail(ctx, tx, j, text); err != nil {
			return err
		}
	}
	return n.planChat(ctx, tx, j, text)
}

func (n *Notifier) planChat(ctx context.Context, tx *store.Tx, j job.Job[Args], text notice) error {
	for _, address := range n.config.ChatURLs {
		if err := chatKind.Enqueue(ctx, tx, chatArgs{fingerprint(address), text}, job.Options{Owner: j.Owner, Priority: j.Priority}); err != nil {
			return err
		}
	}
	return nil
}

func (n *Notifier) planMail(ctx context.Context, tx *store.Tx, j job.Job[Args], text notice) error {
	people, err := n.recipients(ctx, tx, j.Args)
	if err != nil {
		return err
	}
	told := map[string]bool{}
	for _, p := range people {
		key := strings.ToLower(p.Email)
		if key == "" || told[key] || !tellable(p) {
			continue
		}
		told[key] = true
		err := mailKind.Enqueue(ctx, tx, mailArgs{To: p.Email, Name: p.Name, notice: text}, job.Options{Owner: j.Owner, Priority: j.Priority})
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *Notifier) recipients(ctx context.Context, tx *store.Tx, a Args) ([]db.Person, error) {
	var people []db.Person
	for _, id := range a.PersonIDs {
		p, err := tx.PersonByID(ctx, id)
		if store.NotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		people = append(people, p)
	}
	if !a.ToOwner {
		return people, nil
	}
	owners, err := tx.NotifyOwners(ctx)
	return append(people, owners...), err
}

// lost tells the log of a notice that reached nobody.
func (n *Notifier) lost(channel, jobID string, text notice, cause error) {
	n.log.Warn("A notice could not be delivered; check the smtp and notify_urls settings", "channel", channel, "about", cmp.Or(text.Kind, "-"), "job", jobID, "error", cause)
}

func fingerprint(address string) string {
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:8])
}

// plain is the text of a notice, as mail and chat show it.
func (t notice) plain() string {
	if t.Link == "" {
		return t.Body
	}
	return strings.TrimSpace(t.Body + "\n\n" + t.Link)
}

// oneLine keeps somebody's words from becoming another header or another message.
func oneLine(text string, most int) string {
	return shorten(check.OneLine(text), most)
}

func shorten(text string, most int) string {
	return check.Shorten(strings.ToValidUTF8(text, "?"), most)
}
