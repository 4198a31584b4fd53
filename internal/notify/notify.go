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
	"slices"
	"strings"
	"time"

	"humanops-mcp/internal/check"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
)

// The kinds of job: a letter, and its deliveries.
const (
	Kind     job.Kind[Letter]   = "notify"
	mailKind job.Kind[mailArgs] = "notify.mail"
	chatKind job.Kind[chatArgs] = "notify.chat"
)

// The channels that a letter may take. What it is about stands on the pages in any case.
const (
	Mail = "mail"
	Chat = "chat"
	Page = "page"
)

// Sent is how a letter went that a channel took; anything else is why none did.
const Sent = "sent"

const (
	attempts   = 8
	maxSubject = 150  // letters
	maxBody    = 4000 // letters
)

// Letter is what people are told. Subject and Body may hold an agent's words; they go out
// as plain text, cut to a bearable length.
type Letter struct {
	PersonIDs []string `json:"person_ids,omitempty"`
	ToOwner   bool     `json:"to_owner,omitempty"` // every owner, beside PersonIDs
	Subject   string   `json:"subject"`
	Body      string   `json:"body"`
	Link      string   `json:"link,omitempty"`
	Kind      string   `json:"kind,omitempty"`     // task.posted; its author is who writes for "task"
	About     string   `json:"about,omitempty"`    // id of the subject, for the author
	LinkID    string   `json:"link_id,omitempty"`  // of a way in that is one person's own, for the author
	Channels  []string `json:"channels,omitempty"` // all that there are when empty
}

func (l Letter) takes(channel string) bool {
	return len(l.Channels) == 0 || slices.Contains(l.Channels, channel)
}

// Author has the words of letters about one kind of subject, as they are when a letter
// goes out, which may be hours after it was written: and hears how that went.
type Author interface {
	// Useless tells why a letter to a person need not go out any more, "" while it is of
	// use. The person is "" for a room.
	Useless(ctx context.Context, tx *store.Tx, l Letter, personID string) (why string, err error)
	// Complete adds what is known only now. The person is "" for a room.
	Complete(ctx context.Context, tx *store.Tx, l Letter, personID string) (Letter, error)
	// Door is what a mail says of the person's own way in. It is made when the mail is
	// sent, so that no table holds it.
	Door(linkID string) string
	// Went records how a letter went: Sent, or why not.
	Went(ctx context.Context, tx *store.Tx, l Letter, personID, how string) error
}

// Addressee is a person as letters reach them. Who is to get no mail has no address.
type Addressee struct{ ID, Name, Email string }

// Config names the channels, each of which may be empty, and who knows people and words.
type Config struct {
	SMTP     SMTP
	From     string   // sender of mail: an address, with or without a name
	ChatURLs []string // shoutrrr URLs, set by the owner; they hold tokens

	// People finds people by id, and the owners where they are wanted.
	People func(ctx context.Context, tx *store.Tx, ids []string, owners bool) ([]Addressee, error)
	// Authors are by the first word of a letter's kind. Letters of others go as they are.
	Authors map[string]Author
}

// Notifier sends letters.
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

// RegisterJobs makes the runner send letters.
func (n *Notifier) RegisterJobs(r *job.Runner) {
	Kind.Handle(r, n.fanOut)
	mailKind.HandleEffect(r, attempts, n.deliverMail, n.giveUpMail)
	chatKind.HandleEffect(r, attempts, n.deliverChat, n.giveUpChat)
}

// written is a letter as a delivery carries it.
type written struct {
	Letter
	At time.Time `json:"at"`
}

type mailArgs struct {
	To       string `json:"to"`
	Name     string `json:"name"`
	PersonID string `json:"person_id,omitempty"`
	written
}

// chatArgs names the address by its fingerprint: the database holds no tokens.
type chatArgs struct {
	Channel string `json:"channel"`
	written
}

// fanOut plans one delivery for each person and channel, in one transaction.
func (n *Notifier) fanOut(ctx context.Context, tx *store.Tx, j job.Job[Letter]) error {
	l := j.Args
	l.Subject, l.Body = oneLine(l.Subject, maxSubject), shorten(l.Body, maxBody)
	if l.takes(Mail) && n.mails() {
		if err := n.planMail(ctx, tx, j, l); err != nil {
			return err
		}
	}
	if l.takes(Chat) && len(n.config.ChatURLs) > 0 {
		return n.planChat(ctx, tx, j, l)
	}
	return nil
}

func (n *Notifier) planChat(ctx context.Context, tx *store.Tx, j job.Job[Letter], l Letter) error {
	text, why, err := n.complete(ctx, tx, l, "")
	if err != nil || why != "" {
		return err
	}
	for _, address := range n.config.ChatURLs {
		err := chatKind.Enqueue(ctx, tx, chatArgs{fingerprint(address), written{text, tx.Now()}}, job.Options{Owner: j.Owner, Priority: j.Priority})
		if err != nil {
			return err
		}
	}
	return nil
}

// planMail writes to each address once.
func (n *Notifier) planMail(ctx context.Context, tx *store.Tx, j job.Job[Letter], l Letter) error {
	people, err := n.config.People(ctx, tx, l.PersonIDs, l.ToOwner)
	if err != nil {
		return err
	}
	told := map[string]bool{}
	for _, p := range people {
		text, why, err := n.complete(ctx, tx, l, p.ID)
		if why == "" && p.Email == "" {
			why = "no mail address"
		}
		if err == nil && why != "" {
			err = n.went(ctx, tx, l, p.ID, why)
		}
		if err != nil {
			return err
		}
		if why != "" || told[strings.ToLower(p.Email)] {
			continue
		}
		told[strings.ToLower(p.Email)] = true
		text.PersonIDs, text.ToOwner = nil, false // the others are nobody's business
		err = mailKind.Enqueue(ctx, tx, mailArgs{To: p.Email, Name: p.Name, PersonID: p.ID, written: written{text, tx.Now()}}, job.Options{Owner: j.Owner, Priority: j.Priority})
		if err != nil {
			return err
		}
	}
	return nil
}

// author is who has the words of a letter; nil when they are in it.
func (n *Notifier) author(l Letter) Author {
	kind, _, _ := strings.Cut(l.Kind, ".")
	return n.config.Authors[kind]
}

// complete gives a letter the words of its author, or says why it is of no use any more.
func (n *Notifier) complete(ctx context.Context, tx *store.Tx, l Letter, personID string) (out Letter, why string, err error) {
	author := n.author(l)
	if author == nil {
		return l, "", nil
	}
	if why, err = author.Useless(ctx, tx, l, personID); err != nil || why != "" {
		return l, why, err
	}
	out, err = author.Complete(ctx, tx, l, personID)
	return out, "", err
}

// overtaken tells why a letter on its way is of no use any more: a mail server that was
// away takes it late.
func (n *Notifier) overtaken(ctx context.Context, l Letter, personID string) (why string, err error) {
	author := n.author(l)
	if author == nil {
		return "", nil
	}
	err = n.store.Read(ctx, func(tx *store.Tx) error {
		why, err = author.Useless(ctx, tx, l, personID)
		return err
	})
	return why, err
}

func (n *Notifier) went(ctx context.Context, tx *store.Tx, l Letter, personID, how string) error {
	if author := n.author(l); author != nil {
		return author.Went(ctx, tx, l, personID, how)
	}
	return nil
}

// finish records how a delivery went, in the transaction that completes it.
func (n *Notifier) finish(l Letter, personID, how string) job.Finish {
	return func(ctx context.Context, tx *store.Tx) error { return n.went(ctx, tx, l, personID, how) }
}

// lost tells the log of a letter that reached nobody.
func (n *Notifier) lost(channel, jobID string, l Letter, cause error) {
	n.log.Warn("A notice could not be delivered; check the smtp and notify_urls settings", "channel", channel, "about", cmp.Or(l.Kind, "-"), "job", jobID, "error", cause)
}

func fingerprint(address string) string {
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:8])
}

// plain is the text of a letter, as mail and chat show it.
func (l Letter) plain() string {
	if l.Link == "" {
		return l.Body
	}
	return strings.TrimSpace(l.Body + "\n\n" + l.Link)
}

// oneLine keeps somebody's words from becoming another header or another message.
func oneLine(text string, most int) string {
	return shorten(check.OneLine(text), most)
}

func shorten(text string, most int) string {
	return check.Shorten(strings.ToValidUTF8(text, "?"), most)
}
