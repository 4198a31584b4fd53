package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/passkey/passkeytest"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// loop is the id of a new loop, made on the page.
func (b *browser) loop(name string) string {
	b.t.Helper()
	got := b.post("/loops", url.Values{"name": {name}})
	require.Equal(b.t, http.StatusSeeOther, got.Status, got.Body)
	return strings.TrimPrefix(got.Header.Get("Location"), "/loops/")
}

func (h *house) loop(id string) (out schemas.Loop) {
	h.t.Helper()
	h.write(func(ctx context.Context, tx *store.Tx) error {
		got, err := h.loops.GetLoop(account.With(ctx, h.owner), tx, schemas.LoopRequest{LoopID: id})
		out = got.Loop
		return err
	})
	return out
}

func (h *house) memberID(loop, name string) string {
	h.t.Helper()
	for _, m := range h.loop(loop).Members {
		if m.Name == name {
			return m.UserID
		}
	}
	require.Fail(h.t, "nobody of that name is in the loop", name)
	return ""
}

// invitation is the path of a code that was made on the page.
func (b *browser) invitation(loop string) string {
	b.t.Helper()
	got := b.post("/loops/"+loop+"/invitations", nil)
	require.Equal(b.t, http.StatusOK, got.Status, got.Body)
	return "/join/" + regexp.MustCompile(regexp.QuoteMeta(publicURL) + `/join/(\w+)`).FindStringSubmatch(got.Body)[1]
}

func TestJoin(t *testing.T) {
	h := newHouse(t)
	owner := h.person("me")
	loop := owner.loop("Payments")

	t.Run("somebody new gives a name and is in, signed in", func(t *testing.T) {
		link, b := owner.invitation(loop), h.browser()
		require.Contains(t, b.get(link).Body, "Payments")
		got := b.post(link, url.Values{"name": {" "}})
		require.Equal(t, http.StatusBadRequest, got.Status)
		require.Contains(t, got.Body, "Write your name")
		got = b.post(link, url.Values{"name": {"Grace"}, "email": {"no address"}})
		require.Equal(t, http.StatusBadRequest, got.Status)
		require.Contains(t, got.Body, `value="no address"`)
		got = b.post(link, url.Values{"name": {"Grace"}, "email": {"grace@house.example"}})
		require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
		require.Contains(t, b.get("/").Body, "You are in the loop.")
		require.Contains(t, owner.get("/loops/"+loop).Body, "Grace")
	})
	t.Run("a name that somebody has is not taken over", func(t *testing.T) {
		got := h.browser().post(owner.invitation(loop), url.Values{"name": {"Grace"}})
		require.Equal(t, http.StatusConflict, got.Status)
		require.Empty(t, got.Header.Values("Set-Cookie"))
	})
	t.Run("somebody who is signed in joins as themselves", func(t *testing.T) {
		ada, link := h.person("Ada"), owner.invitation(loop)
		require.Contains(t, ada.get(link).Body, "Join as Ada")
		require.Equal(t, http.StatusSeeOther, ada.post(link, nil).Status)
		require.Equal(t, 3, h.loop(loop).MemberCount)
	})
	t.Run("by an agent's code one waits, and the page says so until an owner admits", func(t *testing.T) {
		var made schemas.LoopCreated
		h.write(func(ctx context.Context, tx *store.Tx) (err error) {
			made, err = h.loops.CreateLoop(account.With(ctx, h.agent), tx, schemas.CreateLoopRequest{Name: "Agent's own " + attack})
			return err
		})
		b := h.browser()
		page := b.get("/join/" + made.InviteCode)
		require.Contains(t, page.Body, "has to admit you")
		require.NotContains(t, page.Body, "<script>alert")
		require.Equal(t, http.StatusSeeOther, b.post("/join/"+made.InviteCode, url.Values{"name": {"Linus"}}).Status)
		require.Contains(t, b.get("/").Body, "You wait to be admitted to")
		list := owner.get("/loops/" + made.Loop.ID)
		require.Contains(t, list.Body, "Waiting to be admitted")
		require.Equal(t, http.StatusSeeOther, owner.post("/loops/"+made.Loop.ID+"/members", url.Values{"user_id": {"Linus"}}).Status)
		require.NotContains(t, b.get("/").Body, "You wait to be admitted to")
	})
	t.Run("a code is typed on the start page, or its whole link", func(t *testing.T) {
		link := owner.invitation(loop)
		code := strings.TrimPrefix(link, "/join/")
		for _, b := range []*browser{h.browser(), owner} {
			require.Contains(t, b.get("/").Body, `action="/join"`)
			for _, typed := range []string{code, " " + code + " ", publicURL + link, publicURL + link + "/"} {
				require.Equal(t, link, b.get("/join?code="+url.QueryEscape(typed)).Header.Get("Location"), typed)
			}
		}
		require.Equal(t, "/", owner.get("/join").Header.Get("Location"))
		require.Equal(t, "/join/a%3Fb", owner.get("/join?code=a%3Fb").Header.Get("Location"))
	})
	t.Run("an ended code opens nothing, and reading changes nothing", func(t *testing.T) {
		link := owner.invitation(loop)
		for range 20 {
			require.Equal(t, http.StatusOK, h.browser().get(link).Status)
		}
		require.Equal(t, http.StatusSeeOther, owner.post("/loops/"+loop+"/invitations/end", nil).Status)
		require.Equal(t, http.StatusNotFound, h.browser().get(link).Status)
	})
}

func TestJoinIsNotTriedForEver(t *testing.T) {
	h := newHouse(t)
	var last answer
	for range 20 {
		last = h.browser().post("/join/ABCDEFGHJ", url.Values{"name": {"Eve"}})
	}
	require.Equal(t, http.StatusTooManyRequests, last.Status)
	require.Contains(t, last.Body, "Wait a minute")
	require.Contains(t, last.Header.Get("Content-Security-Policy"), "default-src 'none'")
}

func TestQRCode(t *testing.T) {
	h := newHouse(t)
	owner := h.person("me")
	link := owner.invitation(owner.loop("Payments"))
	got := h.browser().get("/qr/" + strings.TrimPrefix(link, "/join/") + ".png")
	require.Equal(t, http.StatusOK, got.Status)
	require.Equal(t, "image/png", got.Header.Get("Content-Type"))
	require.True(t, strings.HasPrefix(got.Body, "\x89PNG"))
	for _, path := range []string{"/qr/x.png", "/qr/" + strings.TrimPrefix(link, "/join/"), "/qr/..%2fx.png"} {
		require.Equal(t, http.StatusNotFound, h.browser().get(path).Status, path)
	}
}

func TestOwnersPages(t *testing.T) {
	h := newHouse(t)
	owner, ada := h.person("me"), h.person("Ada")
	loop := owner.loop("Payments")

	t.Run("are not there for others", func(t *testing.T) {
		for _, path := range []string{"/loops", "/loops/" + loop, "/groups"} {
			require.Equal(t, http.StatusOK, owner.get(path).Status, path)
			require.Equal(t, http.StatusNotFound, ada.get(path).Status, path)
			require.Equal(t, http.StatusUnauthorized, h.browser().get(path).Status, path)
		}
		for _, path := range []string{"/loops", "/loops/" + loop, "/loops/" + loop + "/members", "/loops/" + loop + "/members/Ada/remove",
			"/loops/" + loop + "/invitations", "/loops/" + loop + "/invitations/end", "/loops/" + loop + "/passkey", "/groups", "/groups/x/delete"} {
			require.Equal(t, http.StatusNotFound, ada.post(path, url.Values{"name": {"x"}, "user_id": {"Ada"}}).Status, path)
			require.Equal(t, http.StatusForbidden, owner.post(path, url.Values{"name": {"x"}, "user_id": {"Ada"}}, "Origin", "https://evil.example").Status, path)
		}
		require.Equal(t, 1, h.loop(loop).MemberCount)
	})
	t.Run("a loop without a name is not made", func(t *testing.T) {
		got := owner.post("/loops", url.Values{"description": {"kept words"}})
		require.Equal(t, http.StatusBadRequest, got.Status)
		require.Contains(t, got.Body, "kept words")
	})
	t.Run("members come and go", func(t *testing.T) {
		require.Equal(t, http.StatusSeeOther, owner.post("/loops/"+loop+"/members", url.Values{"user_id": {"Ada"}}).Status)
		require.Equal(t, 2, h.loop(loop).MemberCount)
		id := h.memberID(loop, "Ada")
		require.Equal(t, http.StatusSeeOther, owner.post("/loops/"+loop+"/members/"+id+"/remove", nil).Status)
		require.Equal(t, 1, h.loop(loop).MemberCount)
		got := owner.post("/loops/"+loop+"/members", url.Values{"user_id": {"Nobody here"}})
		require.GreaterOrEqual(t, got.Status, 400)
		require.Contains(t, got.Body, `value="Nobody here"`)
	})
	t.Run("groups are made, changed and deleted", func(t *testing.T) {
		people := regexp.MustCompile(`name="members" value="(op_\w+)"`).FindAllStringSubmatch(owner.get("/groups").Body, -1)
		require.Len(t, people, 2)
		require.Equal(t, http.StatusSeeOther, owner.post("/groups", url.Values{"group": {"Finance"}, "members": {people[0][1], people[1][1]}}).Status)
		page := owner.get("/groups").Body
		require.Contains(t, page, "Finance")
		id := regexp.MustCompile(`/groups/(\w+)/delete`).FindStringSubmatch(page)[1]
		require.Equal(t, http.StatusSeeOther, owner.post("/groups/"+id+"/delete", nil).Status)
		require.NotContains(t, owner.get("/groups").Body, "<strong dir=\"auto\">Finance")
		require.Contains(t, owner.post("/groups", url.Values{}).Body, "Give the group a name.")
	})
}

func TestSettings(t *testing.T) {
	h := newHouse(t)
	owner := h.person("me")
	h.person("Ada")
	loop := owner.loop("Payments")
	form := func(more url.Values) url.Values {
		out := url.Values{"name": {"Payments"}, "routing": {"round_robin"}, "mode": {"first"}, "order": {"sequential"}, "p0_last": {"keep_open"}}
		for name, values := range more {
			out[name] = values
		}
		return out
	}

	t.Run("five steps of escalation are kept, in their order, without script", func(t *testing.T) {
		in := form(url.Values{"fail_closed": {"yes"}, "claim": {"5 min"}, "decide": {"1h"}, "warn": {"90 s"}, "lease": {"2 min"},
			"p0_priorities": {"high", "critical"}, "p0_repeat": {"2"}, "p0_last": {"cancel"}})
		for i, after := range []string{"1 min", "2 min", "3 min", "4 min", "5 min"} {
			at := "p0_s" + string(rune('0'+i)) + "_"
			in.Set(at+"after", after)
			in.Set(at+"to", "Ada, owner")
			in[at+"channels"] = []string{"page"}
		}
		got := owner.post("/loops/"+loop, in)
		require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
		set := h.loop(loop).Settings
		require.True(t, set.FailClosed)
		require.Equal(t, "round_robin", set.Routing)
		require.Equal(t, []int{300, 3600, 90, 120}, []int{set.ClaimSeconds, set.DecideSeconds, set.WarnSeconds, set.LeaseSeconds})
		require.Len(t, set.Escalation, 1)
		require.Equal(t, []string{"high", "critical"}, set.Escalation[0].Priorities)
		require.Equal(t, "cancel", set.Escalation[0].Last)
		require.Equal(t, 2, set.Escalation[0].Repeat)
		require.Len(t, set.Escalation[0].Steps, 5)
		require.Equal(t, 300, set.Escalation[0].Steps[4].AfterSeconds)
		require.Equal(t, []string{"page"}, set.Escalation[0].Steps[4].Channels)
	})
	t.Run("what the page shows can be sent as it is", func(t *testing.T) {
		before := h.loop(loop).Settings
		page := owner.get("/loops/" + loop)
		require.Contains(t, page.Body, `name="p0_s5_to"`, "there is room for one more")
		got := owner.post("/loops/"+loop, shownForm(t, page.Body, "/loops/"+loop))
		require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
		after := h.loop(loop).Settings
		require.Equal(t, before, after)
	})
	t.Run("mistakes stand at their fields, with all that was typed", func(t *testing.T) {
		for field, c := range map[string]struct {
			more url.Values
			says string
		}{
			"claim":       {url.Values{"claim": {"soon"}}, "Write a length of time"},
			"p0_s3_to":    {url.Values{"p0_s3_to": {"Nobody here"}, "p0_s3_after": {"5 min"}}, "Nobody here"},
			"p0_s1_after": {url.Values{"p0_s1_to": {"Ada"}}, "Say after how long"},
			"name":        {url.Values{"name": {""}}, "Give the loop a name."},
		} {
			got := owner.post("/loops/"+loop, form(c.more))
			require.Equal(t, http.StatusBadRequest, got.Status, field)
			require.Contains(t, got.Body, c.says, field)
			for _, typed := range c.more {
				require.Contains(t, got.Body, `value="`+typed[0]+`"`, field)
			}
		}
	})
	t.Run("circles and quorums", func(t *testing.T) {
		got := owner.post("/loops/"+loop, form(url.Values{"mode": {"quorum"}, "threshold": {"2"}, "open": {"yes"}}))
		require.Contains(t, []int{http.StatusSeeOther, http.StatusBadRequest}, got.Status, got.Body)
		got = owner.post("/loops/"+loop, form(url.Values{"c0_to": {"me"}, "c0_mode": {"first"}, "c2_to": {"Ada"}, "c2_mode": {"all"}, "order": {"parallel"}}))
		require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
		mode := h.loop(loop).Settings.Mode
		require.Len(t, mode.Steps, 2)
		require.Equal(t, "parallel", mode.Order)
		require.Equal(t, "all", mode.Steps[1].Mode)
	})
}

// shownForm is what a browser would send of the form with the action, untouched.
func shownForm(t *testing.T, body, action string) url.Values {
	t.Helper()
	form := regexp.MustCompile(`(?s)<form method="post" action="` + action + `"[^>]*>(.*?)</form>`).FindStringSubmatch(body)
	require.NotEmpty(t, form)
	out := url.Values{}
	for _, tag := range regexp.MustCompile(`<input [^>]*>`).FindAllString(form[1], -1) {
		name, value := htmlAttr(tag, "name"), htmlAttr(tag, "value")
		if kind := htmlAttr(tag, "type"); (kind == "checkbox" || kind == "radio") && !strings.Contains(tag, " checked") {
			continue
		}
		out.Add(name, value)
	}
	for _, m := range regexp.MustCompile(`(?s)<select [^>]*name="(\w+)".*?</select>`).FindAllStringSubmatch(form[1], -1) {
		chosen := regexp.MustCompile(`<option value="(\w*)"`).FindStringSubmatch(m[0])
		if s := regexp.MustCompile(`<option value="(\w*)" selected`).FindStringSubmatch(m[0]); s != nil {
			chosen = s
		}
		out.Set(m[1], chosen[1])
	}
	for _, m := range regexp.MustCompile(`(?s)<textarea [^>]*name="(\w+)"[^>]*>(.*?)</textarea>`).FindAllStringSubmatch(form[1], -1) {
		out.Set(m[1], m[2])
	}
	return out
}

func htmlAttr(tag, name string) string {
	if m := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(tag); m != nil {
		return m[1]
	}
	return ""
}

func TestMyPage(t *testing.T) {
	h := newHouse(t)
	ada := h.person("Ada")
	t.Run("hours and absence are kept in one's zone", func(t *testing.T) {
		got := ada.post("/people/me/hours", url.Values{"time_zone": {"Europe/Vienna"}, "days0": {"mon", "tue"}, "from0": {"09:00"}, "until0": {"17:00"},
			"absent_from": {"2030-02-10T08:00"}, "absent_until": {"2030-02-12T08:00"}})
		require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
		page := ada.get("/people/me").Body
		require.Contains(t, page, `value="Europe/Vienna"`)
		require.Contains(t, page, `value="2030-02-10T08:00"`)
		require.Regexp(t, `name="days0" value="mon" checked`, page)
		var rules schemas.Availability
		h.write(func(ctx context.Context, tx *store.Tx) (err error) {
			rules, err = h.loops.GetAvailability(account.With(ctx, h.owner), tx, schemas.PersonRequest{PersonID: "Ada"})
			return err
		})
		require.Equal(t, time.Date(2030, 2, 10, 7, 0, 0, 0, time.UTC), rules.AbsentFrom.UTC())
		require.Equal(t, []schemas.Hours{{Days: []string{"mon", "tue"}, From: "09:00", Until: "17:00"}}, rules.Hours)
	})
	t.Run("mistakes are kept and explained", func(t *testing.T) {
		for _, form := range []url.Values{
			{"time_zone": {"Middle/Earth"}}, {"from0": {"09:00"}}, {"absent_from": {"tomorrow"}}, {"days0": {"mon"}, "from0": {"9"}, "until0": {"17:00"}},
		} {
			got := ada.post("/people/me/hours", form)
			require.Equal(t, http.StatusBadRequest, got.Status, form)
			require.Contains(t, got.Body, `role="alert"`)
		}
	})
	t.Run("nobody else's", func(t *testing.T) {
		require.Equal(t, http.StatusUnauthorized, h.browser().get("/people/me").Status)
		require.Equal(t, http.StatusUnauthorized, h.browser().post("/people/me/hours", nil).Status)
		require.Equal(t, http.StatusForbidden, ada.post("/people/me/passkeys", nil, "Origin", "https://evil.example").Status)
	})
}

// begin begins a ceremony as passkey.js does.
func (b *browser) begin(path string, form url.Values) passkey.Ceremony {
	b.t.Helper()
	got := b.post(path, form, "Accept", "application/json")
	require.Equal(b.t, http.StatusOK, got.Status, got.Body)
	var c struct {
		ID      string
		Options json.RawMessage
	}
	require.NoError(b.t, json.Unmarshal([]byte(got.Body), &c))
	return passkey.Ceremony{ID: c.ID, Options: c.Options}
}

func asserted(t *testing.T, form url.Values, a schemas.Assertion) url.Values {
	t.Helper()
	raw, err := json.Marshal(a)
	require.NoError(t, err)
	out := url.Values{"assertion": {string(raw)}}
	for name, values := range form {
		out[name] = values
	}
	return out
}

func (b *browser) register() *passkeytest.Device {
	b.t.Helper()
	d := passkeytest.New(b.t, "house.example", publicURL)
	c := b.begin("/people/me/passkeys/begin", nil)
	got := b.post("/people/me/passkeys", asserted(b.t, url.Values{"name": {"My phone"}}, d.Create(c)))
	require.Equal(b.t, http.StatusSeeOther, got.Status, got.Body)
	return d
}

func TestPasskeyLoop(t *testing.T) {
	h := newHouse(t)
	owner, ada := h.person("me"), h.member("Ada")
	mine, hers := owner.register(), ada.register()
	loop := h.loop("default").ID
	require.Contains(t, ada.get("/people/me").Body, "My phone")

	on := url.Values{"change": {"settings"}, "name": {"Default"}, "passkey": {"yes"}, "fail_closed": {"yes"}, "routing": {"broadcast"}, "mode": {"first"}}
	t.Run("it is turned on with a passkey of the owner, and not without", func(t *testing.T) {
		require.Equal(t, http.StatusForbidden, owner.post("/loops/"+loop, on).Status)
		c := owner.begin("/loops/"+loop+"/passkey", on)
		got := owner.post("/loops/"+loop, asserted(t, on, mine.Get(c)))
		require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
		require.True(t, h.loop(loop).Settings.Passkey)
	})
	id := h.asked(nil)
	form := url.Values{"round": {"1"}, "action_digest": {""}, "answer": {"true"}}
	t.Run("who has no enrolled passkey cannot decide, and is told how to get there", func(t *testing.T) {
		got := ada.get("/reviews/" + id)
		require.NotContains(t, got.Body, "data-answer")
		require.Contains(t, got.Body, "/people/me")
		require.GreaterOrEqual(t, ada.post("/reviews/"+id, form).Status, 400)
		require.Equal(t, schemas.ReviewPending, h.review(id).Status)
	})
	t.Run("an owner enrols it by a passkey", func(t *testing.T) {
		add := url.Values{"change": {"add"}, "user_id": {h.memberID(loop, "Ada")}}
		require.Equal(t, http.StatusForbidden, owner.post("/loops/"+loop+"/members", add).Status)
		got := owner.post("/loops/"+loop+"/passkey", add, "Accept", "application/json")
		require.Contains(t, got.Body, "My phone, registered")
		c := owner.begin("/loops/"+loop+"/passkey", add)
		require.Equal(t, http.StatusSeeOther, owner.post("/loops/"+loop+"/members", asserted(t, add, mine.Get(c))).Status)
		require.Contains(t, owner.get("/loops/"+loop).Body, "Passkey enrolled")
	})
	t.Run("then a decision takes an assertion over exactly that decision", func(t *testing.T) {
		require.Contains(t, ada.get("/reviews/"+id).Body, `data-passkey="/reviews/`+id+`/passkey"`)
		require.Equal(t, http.StatusForbidden, ada.post("/reviews/"+id, form).Status)
		no := url.Values{"round": {"1"}, "action_digest": {""}, "answer": {"false"}}
		c := ada.begin("/reviews/"+id+"/passkey", no)
		require.GreaterOrEqual(t, ada.post("/reviews/"+id, asserted(t, form, hers.Get(c))).Status, 400)
		require.Equal(t, schemas.ReviewPending, h.review(id).Status)
		c = ada.begin("/reviews/"+id+"/passkey", form)
		got := ada.post("/reviews/"+id, asserted(t, form, hers.Get(c)))
		require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
		require.Equal(t, "passkey", h.review(id).DecidedVia)
		require.Equal(t, schemas.Approved, h.review(id).Decision)
	})
	t.Run("an answer that has to be mended begins no ceremony", func(t *testing.T) {
		other := h.asked(nil)
		got := ada.post("/reviews/"+other+"/passkey", url.Values{"round": {"1"}}, "Accept", "application/json")
		require.Equal(t, http.StatusBadRequest, got.Status)
		require.JSONEq(t, `{"error":"Something in the form has to be mended first."}`, got.Body)
	})
	t.Run("an enrolled passkey is removed by a passkey", func(t *testing.T) {
		key := regexp.MustCompile(`/people/me/passkeys/([\w-]+)/remove`).FindStringSubmatch(ada.get("/people/me").Body)[1]
		require.Equal(t, http.StatusForbidden, ada.post("/people/me/passkeys/"+key+"/remove", nil).Status)
		c := ada.begin("/people/me/passkeys/"+key+"/confirm", nil)
		got := ada.post("/people/me/passkeys/"+key+"/remove", asserted(t, nil, hers.Get(c)))
		require.Equal(t, http.StatusSeeOther, got.Status, got.Body)
		require.NotContains(t, ada.get("/people/me").Body, "<strong dir=\"auto\">My phone")
	})
}
