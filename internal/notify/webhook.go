package notify

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/specialized/generic"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// webhook posts to any address, as shoutrrr's service generic does: its addresses are read
// by that service, and only templates other than json are not there.
type webhook struct {
	config  *generic.Config
	headers map[string]string // of ?@Name=value
	extra   map[string]string // members beside the message, of ?$name=value
}

func newWebhook(u *url.URL, isCustom bool) (_ *webhook, err error) {
	if isCustom {
		if u, err = new(generic.Service).GetConfigURLFromCustom(u); err != nil {
			return nil, err
		}
	}
	w := &webhook{headers: map[string]string{}, extra: map[string]string{}}
	w.config, _ = generic.DefaultConfig()
	if err := w.config.SetURL(u); err != nil {
		return nil, err
	}
	if t := w.config.Template; t != "" && !strings.EqualFold(t, generic.JSONTemplate) {
		return nil, fmt.Errorf("template must be json, or left out; got %q", t)
	}
	for key, values := range w.config.GetURL().Query() {
		switch name := key[min(len(key), 1):]; {
		case name == "":
		case key[0] == generic.HeaderPrefixChar:
			w.headers[name] = values[0]
		case key[0] == generic.ExtraPrefixChar:
			w.extra[name] = values[0]
		}
	}
	return w, nil
}

// Send posts the text, in JSON where the address says so.
func (w *webhook) Send(text string, _ *types.Params) error {
	body, kind := text, "text/plain"
	if w.config.Template != "" {
		members := map[string]string{w.config.MessageKey: text}
		for name, value := range w.extra {
			members[name] = value
		}
		raw, err := json.Marshal(members)
		if err != nil {
			return err
		}
		body, kind = string(raw), w.config.ContentType
	}
	r, err := http.NewRequest(w.config.RequestMethod, w.config.WebhookURL().String(), strings.NewReader(body)) //nolint:noctx // sendWithin ends the wait
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Accept", kind)
	for name, value := range w.headers {
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}
