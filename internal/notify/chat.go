package notify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"humanops-mcp/internal/job"
	"humanops-mcp/internal/store"
)

// calls are words that chat services turn into a call to everybody; an agent's title
// must not do that.
var calls = strings.NewReplacer("@everyone", "@\u200beveryone", "@here", "@\u200bhere", "@channel", "@\u200bchannel", "@all", "@\u200ball", "<!", "<\u200b!")

// deliverChat sends one notice to one chat address.
func (n *Notifier) deliverChat(ctx context.Context, j job.Job[chatArgs]) (job.Finish, error) {
	a := j.Args
	if why, err := n.overtaken(ctx, a.Letter, ""); err != nil || why != "" {
		return nil, err
	}
	for _, address := range n.config.ChatURLs {
		if fingerprint(address) == a.Channel {
			err := sendChat(address, calls.Replace(strings.TrimSpace(a.Subject+"\n"+a.plain())))
			return n.finish(a.Letter, "", Sent), err
		}
	}
	return nil, nil // taken out of the configuration since
}

func (n *Notifier) giveUpChat(_ context.Context, _ *store.Tx, j job.Job[chatArgs], cause error) error {
	n.lost(string(chatKind), j.ID, j.Args.Letter, cause)
	return nil
}

// chatTime is how long a chat service may take to accept a notice.
const chatTime = 10 * time.Second

// sendChat keeps the address out of its errors, because it holds a token.
func sendChat(address, text string) error {
	service, _, _ := strings.Cut(address, ":")
	s, err := senderAt(address)
	if err != nil {
		return fmt.Errorf("a %s address in notify_urls cannot be used; compare it with the service's documentation", service)
	}
	if err := sendWithin(s, text, chatTime); err != nil {
		return fmt.Errorf("send a notice by %s: %s", service, cause(err))
	}
	return nil
}

func cause(err error) string {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err.Error()
	}
	return "the service did not take it"
}
