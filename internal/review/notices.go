package review

import (
	"context"
	"slices"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/job"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/store"
)

// The kinds of notice. Those about a request that is open are dropped when it is over
// before they go out.
const (
	noticeAsked     = "asked"
	noticeWarned    = "warned"
	noticeEscalated = "escalated"
	noticeDecided   = "decided"
	noticeWithdrawn = "withdrawn"
	noticeFeedback  = "feedback"
)

// notice is what one person is told about a request. The question, how urgent it is and
// where to answer are added when it goes out.
type notice struct {
	ReviewID, PersonID string
	Kind               string
	Subject, Body      string
	Channels           []string  // mail, chat, page; all that work when empty
	At                 time.Time // zero: now
}

// opens tells whether the notice asks for something, and so carries a link to do it.
func (n notice) opens() bool {
	return n.Kind == noticeAsked || n.Kind == noticeWarned || n.Kind == noticeEscalated
}

func (n notice) takes(channel string) bool {
	return len(n.Channels) == 0 || slices.Contains(n.Channels, channel)
}

// notice tells a person about a request: by mail with a link of their own, and the shared
// chat room once for all whom one change concerns. Nobody is told of test mode.
func (s *Service) notice(ctx context.Context, tx *store.Tx, n notice) error {
	r, err := s.life.Find(ctx, tx, n.ReviewID)
	if err != nil || r.Mode == account.Test {
		return err
	}
	p, err := account.Person(ctx, tx, n.PersonID)
	if err != nil {
		return err
	}
	if s.cfg.Mail && n.takes(notify.Mail) && p.Email != "" && p.RemovedAt == 0 && !p.Simulated {
		if err := s.mailNotice(ctx, tx, r, n); err != nil {
			return err
		}
	}
	if s.cfg.Chat && n.takes(notify.Chat) && n.Kind != noticeFeedback {
		return s.chatNotice(ctx, tx, r, n)
	}
	return nil
}

func (s *Service) mailNotice(ctx context.Context, tx *store.Tx, r request, n notice) (err error) {
	a := notify.Letter{
		PersonIDs: []string{n.PersonID}, About: n.ReviewID, Subject: n.Subject, Body: n.Body, Kind: "review." + n.Kind, Channels: []string{notify.Mail},
	}
	if n.opens() {
		if a.LinkID, err = s.newLink(ctx, tx, n.ReviewID, n.PersonID, n.At); err != nil {
			return err
		}
	}
	return notify.Kind.Enqueue(ctx, tx, a, job.Options{Owner: r.AgentID, Priority: job.PriorityOf(r.Mode), RunAt: n.At})
}

// chatNotice has one job for each request and kind, at the earliest time of all.
func (s *Service) chatNotice(ctx context.Context, tx *store.Tx, r request, n notice) error {
	key := "notice.chat:" + n.ReviewID + ":" + n.Kind
	at := n.At
	if at.IsZero() {
		at = tx.Now()
	}
	err := notify.Kind.Enqueue(ctx, tx, notify.Letter{
		About: n.ReviewID, Subject: n.Subject, Body: n.Body, Kind: "review." + n.Kind, Channels: []string{notify.Chat},
	}, job.Options{Owner: r.AgentID, Priority: job.PriorityOf(r.Mode), RunAt: at, UniqueKey: key})
	if err != nil {
		return err
	}
	return job.Hasten(ctx, tx, key, at)
}
