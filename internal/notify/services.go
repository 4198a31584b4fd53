package notify

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/discord"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/googlechat"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/lark"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/matrix"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/mattermost"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/rocketchat"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/signal"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/slack"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/teams"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/wecom"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/zulip"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/incident/opsgenie"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/incident/pagerduty"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/bark"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/gotify"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/ifttt"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/join"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/ntfy"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/pushbullet"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/push/pushover"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/specialized/generic"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/specialized/notifiarr"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// services are shoutrrr's, but for three that can run templates: with text/template in the
// program the linker has to keep every method of everything, which is 5 MB. The address of
// any webhook is posted to by webhook; mail has settings of its own; and nobody needs a
// logger to be told of something.
var services = map[string]func() types.Service{
	"bark":       func() types.Service { return new(bark.Service) },
	"discord":    func() types.Service { return new(discord.Service) },
	"gotify":     func() types.Service { return new(gotify.Service) },
	"googlechat": func() types.Service { return new(googlechat.Service) },
	"hangouts":   func() types.Service { return new(googlechat.Service) },
	"ifttt":      func() types.Service { return new(ifttt.Service) },
	"join":       func() types.Service { return new(join.Service) },
	"lark":       func() types.Service { return new(lark.Service) },
	"matrix":     func() types.Service { return new(matrix.Service) },
	"mattermost": func() types.Service { return new(mattermost.Service) },
	"notifiarr":  func() types.Service { return new(notifiarr.Service) },
	"ntfy":       func() types.Service { return new(ntfy.Service) },
	"opsgenie":   func() types.Service { return new(opsgenie.Service) },
	"pagerduty":  func() types.Service { return new(pagerduty.Service) },
	"pushbullet": func() types.Service { return new(pushbullet.Service) },
	"pushover":   func() types.Service { return new(pushover.Service) },
	"rocketchat": func() types.Service { return new(rocketchat.Service) },
	"signal":     func() types.Service { return new(signal.Service) },
	"slack":      func() types.Service { return new(slack.Service) },
	"teams":      func() types.Service { return new(teams.Service) },
	"telegram":   func() types.Service { return new(telegram.Service) },
	"wecom":      func() types.Service { return new(wecom.Service) },
	"zulip":      func() types.Service { return new(zulip.Service) },
}

var (
	errAddress = errors.New("no address of a known service")
	errSlow    = errors.New("the service did not answer in time")
)

// sender takes notices.
type sender interface {
	Send(text string, params *types.Params) error
}

// senderAt finds the service of an address, such as ntfy://… or, with the address of its
// webhook as it stands, teams+https://….
func senderAt(address string) (sender, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errAddress
	}
	name, _, isCustom := strings.Cut(u.Scheme, "+")
	if name == generic.Scheme {
		return newWebhook(u, isCustom)
	}
	create, known := services[name]
	if !known {
		return nil, errAddress
	}
	service := create()
	if isCustom {
		taking, ok := service.(types.CustomURLService)
		if !ok {
			return nil, errAddress
		}
		if u, err = taking.GetConfigURLFromCustom(u); err != nil {
			return nil, err
		}
	}
	return service, service.Initialize(u, nil)
}

// sendWithin sends and does not wait longer than limit: not every service has a limit of
// its own.
func sendWithin(s sender, text string, limit time.Duration) error {
	sent := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				sent <- fmt.Errorf("panic: %v", p)
			}
		}()
		sent <- s.Send(text, new(types.Params))
	}()
	select {
	case err := <-sent:
		return err
	case <-time.After(limit):
		return errSlow
	}
}
