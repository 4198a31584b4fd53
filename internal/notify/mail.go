package notify

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
	"time"

	smtp "github.com/wneessen/go-mail"

	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
)

const mailTimeout = 30 * time.Second

// SMTP is a mail server.
type SMTP struct {
	Host               string
	Port               int    // 587 when zero
	Username, Password string // empty for servers that ask for neither
	TLS                string // starttls (also when empty), tls or none
}

// deliverMail sends one mail. Its Message-ID comes from the job, so that a mail sent
// twice is shown once.
func (n *Notifier) deliverMail(ctx context.Context, j job.Job[mailArgs]) (job.Finish, error) {
	a := j.Args
	if !n.mails() {
		return n.finish(a.Letter, a.PersonID, "mail was switched off before it was sent"), nil
	}
	if why, err := n.overtaken(ctx, a.Letter, a.PersonID); err != nil || why != "" {
		return n.finish(a.Letter, a.PersonID, why), err
	}
	message, err := n.message(j.ID, a)
	if err != nil {
		return nil, err
	}
	client, err := n.client()
	if err != nil {
		return nil, err
	}
	if err := client.DialAndSendWithContext(ctx, message); err != nil {
		return nil, fmt.Errorf("send a mail through %s: %w", n.config.SMTP.Host, err)
	}
	return n.finish(a.Letter, a.PersonID, Sent), nil
}

func (n *Notifier) giveUpMail(ctx context.Context, tx *store.Tx, j job.Job[mailArgs], cause error) error {
	n.lost(string(mailKind), j.ID, j.Args.Letter, cause)
	return n.went(ctx, tx, j.Args.Letter, j.Args.PersonID, "the mail could not be delivered")
}

// opened is the text of a mail, with the way in that is the person's own.
func (n *Notifier) opened(l Letter) string {
	if author := n.author(l); author != nil && l.LinkID != "" {
		l.Link = author.Door(l.LinkID)
	}
	return l.plain()
}

func (n *Notifier) message(id string, a mailArgs) (*smtp.Msg, error) {
	m := smtp.NewMsg(smtp.WithNoDefaultUserAgent())
	if err := m.From(n.config.From); err != nil {
		return nil, fmt.Errorf("the sender in smtp.from is no mail address: %w", err)
	}
	if err := m.AddToFormat(a.Name, a.To); err != nil {
		return nil, fmt.Errorf("a person's mail address cannot be used: %w", err)
	}
	m.SetMessageIDWithValue(id + "@" + n.domain())
	m.SetDateWithValue(a.At)
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.Subject(a.Subject)
	m.SetBodyString(smtp.TypeTextPlain, n.opened(a.Letter)+"\n")
	return m, nil
}

// domain is the sender's.
func (n *Notifier) domain() string {
	if address, err := mail.ParseAddress(n.config.From); err == nil {
		if _, domain, ok := strings.Cut(address.Address, "@"); ok {
			return domain
		}
	}
	return "humanops.invalid"
}

func (n *Notifier) client() (*smtp.Client, error) {
	c := n.config.SMTP
	port := c.Port
	if port == 0 {
		port = 587
	}
	options := []smtp.Option{smtp.WithPort(port), smtp.WithTimeout(mailTimeout)}
	switch c.TLS {
	case "tls":
		options = append(options, smtp.WithSSL())
	case "none":
		options = append(options, smtp.WithTLSPolicy(smtp.NoTLS))
	default:
		options = append(options, smtp.WithTLSPolicy(smtp.TLSMandatory))
	}
	if c.Username != "" {
		options = append(options, smtp.WithSMTPAuth(smtp.SMTPAuthAutoDiscover), smtp.WithUsername(c.Username), smtp.WithPassword(c.Password))
	}
	client, err := smtp.NewClient(c.Host, options...)
	if err != nil {
		return nil, fmt.Errorf("the mail server's settings cannot be used: %w", err)
	}
	return client, nil
}
