package app

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/signedlink"
)

func TestSignedPhotoLinks(t *testing.T) {
	h := newHouse(t)
	crowd := h.crowd()
	o, other := h.task(h.live(), "MANUAL_REVIEW"), h.task(h.live(), "MANUAL_REVIEW")
	photos := func(c who, task string) *url.URL {
		t.Helper()
		got := h.must(c, "GET", "/api/v1/tasks/"+task, nil)
		first := got.body["submissions"].([]any)[0].(map[string]any)["files"].([]any)[0].(map[string]any)
		require.Equal(t, true, first["ready"])
		u, err := url.Parse(first["url"].(string))
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(u.String(), h.url+"/"), "links begin with the public URL")
		return u
	}
	link := photos(h.live(), o.task)
	get := func(c who, u *url.URL) answer { t.Helper(); return h.send(c, "GET", u.RequestURI(), nil) }
	altered := func(edit func(u *url.URL, q url.Values)) *url.URL {
		u := *link
		q := u.Query()
		edit(&u, q)
		u.RawQuery = q.Encode()
		return &u
	}

	t.Run("opens the one file without credentials, to be saved and not to be run", func(t *testing.T) {
		got := get(who{}, link)
		require.Equal(t, 200, got.status, got.raw)
		require.Equal(t, "image/jpeg", got.header.Get("Content-Type"))
		require.Contains(t, got.header.Get("Content-Disposition"), "attachment")
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
		require.Contains(t, got.header.Get("Content-Security-Policy"), "sandbox")
	})
	t.Run("does not open when anything in it was altered", func(t *testing.T) {
		edits := map[string]func(u *url.URL, q url.Values){
			"another task":     func(u *url.URL, q url.Values) { u.Path = strings.Replace(u.Path, o.task, other.task, 1) },
			"another file":     func(u *url.URL, q url.Values) { u.Path = strings.TrimSuffix(u.Path, "1") + "2" },
			"another size":     func(u *url.URL, q url.Values) { q.Set("size", "thumb") },
			"another caller":   func(u *url.URL, q url.Values) { q.Set("for", o.operatorID) },
			"no caller":        func(u *url.URL, q url.Values) { q.Del("for") },
			"a later end":      func(u *url.URL, q url.Values) { q.Set("expires", "99999999999") },
			"no end":           func(u *url.URL, q url.Values) { q.Del("expires") },
			"another hash":     func(u *url.URL, q url.Values) { q.Set("signature", strings.Repeat("0", 64)) },
			"half a signature": func(u *url.URL, q url.Values) { q.Set("signature", q.Get("signature")[:32]) },
			"no signature":     func(u *url.URL, q url.Values) { q.Del("signature") },
		}
		for _, what := range sorted(edits) {
			got := get(who{}, altered(edits[what]))
			require.Equal(t, 401, got.status, "%s: %s", what, got.raw)
		}
		twice := *link
		twice.RawQuery += "&for=" + o.operatorID
		require.Equal(t, 400, get(who{}, &twice).status)
	})
	t.Run("is not a way around credentials that came and are none", func(t *testing.T) {
		require.Equal(t, 401, get(byKey("garbage", "garbage"), link).status)
	})
	t.Run("made for one is not one's own key to other photos", func(t *testing.T) {
		require.Equal(t, 404, h.send(crowd.elseAgent, "GET", link.Path, nil).status)
		require.Equal(t, 404, h.send(crowd.elseTest, "GET", link.Path, nil).status)
		require.Equal(t, 404, h.send(crowd.bob, "GET", link.Path, nil).status)
		require.Equal(t, 200, h.send(o.operator, "GET", link.Path, nil).status)
		require.Equal(t, 200, h.send(h.owner(), "GET", link.Path, nil).status)
	})
	t.Run("opens nothing but the photo", func(t *testing.T) {
		for _, path := range []string{"/api/v1/tasks/" + o.task, "/api/v1/tasks", "/platform/v1/status", "/tasks/" + o.task, "/tasks/" + o.task + "/photos/1"} {
			require.Equal(t, 401, h.send(who{}, "GET", path+"?"+link.RawQuery, nil).status, path)
		}
	})
	t.Run("of an operator ends with the operator", func(t *testing.T) {
		view := h.must(o.operator, "GET", "/api/v1/operator/tasks/"+o.task, nil)
		first := view.body["submissions"].([]any)[0].(map[string]any)["files"].([]any)[0].(map[string]any)
		u, err := url.Parse(first["thumb_url"].(string))
		require.NoError(t, err)
		require.Equal(t, 200, get(who{}, u).status)
		h.must(h.owner(), "DELETE", "/platform/v1/people/"+o.operatorID, nil)
		require.Equal(t, 404, get(who{}, u).status)
		require.Equal(t, 200, get(who{}, link).status, "the agent's still opens")
	})
	t.Run("ends after fifteen minutes", func(t *testing.T) {
		h.clk.Advance(signedlink.Lifetime - time.Second)
		require.Equal(t, 200, get(who{}, link).status)
		h.clk.Advance(time.Second)
		got := get(who{}, link)
		require.Equal(t, 410, got.status)
		require.Contains(t, got.text("error"), "expired")
	})
}
