package app

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/schemas"
)

// initialize is the first message of the protocol.
const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`

// door is one thing that a page might try.
type door struct {
	method, path string
	body         any
}

// doors are all routes of the API, the pages and the protocol.
func (h *house) doors(o object, link string) []door {
	own, proof := "/tasks/"+o.task, "/reviews/"+h.reviewOf(o.task)
	list := []door{
		{"GET", "/healthz", nil}, {"GET", "/readyz", nil}, {"GET", "/openapi.json", nil},
		{"GET", "/", nil}, {"GET", own, nil}, {"GET", own + "/photos/1", nil}, {"GET", "/decide/" + o.task, nil},
		{"GET", link, nil}, {"POST", link, nil}, {"POST", "/sign-out", nil},
		{"POST", own + "/accept", nil}, {"POST", own + "/start", nil}, {"POST", own + "/release", nil}, {"POST", own + "/messages", nil},
		{"POST", own + "/proof", nil}, {"POST", "/decide/" + o.task, nil}, {"GET", proof, nil}, {"GET", proof + "/photos/1", nil}, {"POST", proof, nil}, {"GET", "/nothing", nil},
		{"POST", "/mcp", initialize}, {"GET", "/mcp", nil}, {"DELETE", "/mcp", nil}, {"OPTIONS", "/mcp", nil},
		{"GET", "/sse", nil}, {"POST", "/message?sessionId=x", initialize}, {"POST", "/sse", initialize},
	}
	all := h.fixtures()
	fill := strings.NewReplacer("{task_id}", o.task, "{n}", "1", "{key_id}", "key_x", "{person_id}", "Bob", "{group}", "night-shift",
		"{loop_id}", "default", "{request_id}", strings.Repeat("0", 24), "{user_id}", "Bob", "{webhook_id}", "x", "{delivery_id}", "x", "{upload_id}", "x")
	for _, info := range schemas.All() {
		var body any
		if make := all[info.Pattern()].body; make != nil {
			body = make(o)
		}
		for _, prefix := range info.Contract.Prefixes() {
			path := fill.Replace(prefix + info.Path)
			list = append(list, door{info.Method, path, body}, door{"OPTIONS", path, nil})
		}
	}
	return append(list, door{"GET", schemas.ReceiptKeysPath, nil}, door{"GET", "/v1/nothing", nil})
}

func with(c who, name string, headers map[string]string) who {
	merged := map[string]string{}
	for k, v := range c.headers {
		merged[k] = v
	}
	for k, v := range headers {
		merged[k] = v
	}
	return who{name: name + " as " + c.name, kind: c.kind, headers: merged}
}

// A page of another origin, or of a name that was pointed at this machine, gets nothing
// from the loopback port: not with the browser's cookie, and not with a key it learned.
func TestForeignPagesGetNothingFromTheLoopbackPort(t *testing.T) {
	h := newHouse(t)
	h.person("Bob")
	o := h.task(h.live(), "MANUAL_REVIEW")
	link := h.must(h.owner(), "POST", "/platform/v1/people/Bob/link", nil).text("url")
	link = strings.TrimPrefix(link, h.url)
	port := h.url[strings.LastIndex(h.url, ":"):]
	callers := []who{
		{name: "nobody"}, {name: "the owner's browser", headers: map[string]string{"Cookie": "humanops_session=" + h.browser()}},
		h.live(), h.owner(), o.operator,
	}
	pages := map[string]map[string]string{
		"a foreign page":                       {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
		"a foreign page in an old browser":     {"Origin": "https://evil.example"},
		"a foreign page's picture or script":   {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
		"a page of another port":               {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
		"a sandboxed page":                     {"Origin": "null", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
		"a rebound name":                       {"Host": "evil.example" + port},
		"a rebound name's own page":            {"Host": "evil.example" + port, "Origin": "http://evil.example" + port, "Sec-Fetch-Site": "same-origin"},
		"a rebound name without a port":        {"Host": "evil.example"},
		"a rebound name that begins like ours": {"Host": "127.0.0.1.evil.example" + port},
	}
	h.unchanged(func() {
		for _, page := range sorted(pages) {
			for _, c := range callers {
				c = with(c, page, pages[page])
				for _, d := range h.doors(o, link) {
					got := h.send(c, d.method, d.path, d.body)
					require.Contains(t, []int{401, 403}, got.status, "%s %s by %s: %s", d.method, d.path, c.name, got.raw)
					h.saysNothing(t, got, o, fmt.Sprintf("%s %s by %s", d.method, d.path, c.name))
				}
			}
		}
	})
	require.Equal(t, 200, h.send(who{}, "GET", link, nil).status, "nothing used the link up")
}

// saysNothing looks for anything of the house in an answer.
func (h *house) saysNothing(t *testing.T, got answer, o object, what string) {
	t.Helper()
	for _, secret := range []string{"Storefront", "Show the facade", h.creds.LiveKey, h.creds.OwnerToken, "jsonrpc", "openapi", o.operatorID} {
		require.NotContains(t, got.raw, secret, what)
	}
	require.Empty(t, got.header.Get("Access-Control-Allow-Origin"), what)
	require.NotContains(t, got.header.Values("Set-Cookie"), "humanops_session", what)
}

// A listed origin's pages reach the reviews with a key that they hold, and nothing else;
// the browser's cookie is no key.
func TestAListedPageReachesTheReviewsAndNothingElse(t *testing.T) {
	h := newHouse(t, "HUMANOPS_REVIEWS_CORS_ORIGINS=https://app.example.com")
	o := h.task(h.live(), "MANUAL_REVIEW")
	link := strings.TrimPrefix(h.must(h.owner(), "POST", "/platform/v1/people/Operator%201/link", nil).text("url"), h.url)
	page := map[string]string{"Origin": "https://app.example.com", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
	browser := who{name: "the owner's browser", headers: map[string]string{"Cookie": "humanops_session=" + h.browser()}}

	t.Run("with a key it asks and reads", func(t *testing.T) {
		key := who{name: "a key", kind: schemas.Agent, headers: map[string]string{"Authorization": "Bearer " + h.creds.LiveKey}}
		asked := h.must(with(key, "a listed page", page), "POST", "/v1/loops/default/requests", map[string]any{"content": "Publish?"})
		require.Equal(t, "https://app.example.com", asked.header.Get("Access-Control-Allow-Origin"))
		require.Empty(t, asked.header.Get("Access-Control-Allow-Credentials"))
		require.Equal(t, "pending", h.must(with(key, "a listed page", page), "GET", "/v1/requests/"+asked.text("id")+"/status", nil).text("status"))
	})
	t.Run("the browser's question is answered without a key", func(t *testing.T) {
		question := with(who{}, "a listed page", page)
		question.headers["Access-Control-Request-Method"] = "POST"
		require.Equal(t, 204, h.send(question, "OPTIONS", "/v1/api/loops/default/requests", nil).status)
	})
	h.unchanged(func() {
		for _, c := range []who{{name: "nobody"}, browser, h.live(), h.owner()} {
			c = with(c, "a listed page", page)
			for _, d := range h.doors(o, link) {
				reviews := strings.HasPrefix(d.path, "/v1/")
				if reviews && (c.headers["X-API-Key"] != "" || c.headers["Authorization"] != "") {
					continue
				}
				got := h.send(c, d.method, d.path, d.body)
				require.GreaterOrEqual(t, got.status, 401, "%s %s by %s: %s", d.method, d.path, c.name, got.raw)
				if !reviews {
					h.saysNothing(t, got, o, d.path)
				}
			}
		}
	})
}

func TestOwnPagesAndProgramsAreServed(t *testing.T) {
	h := newHouse(t)
	o := h.task(h.live(), "MANUAL_REVIEW")
	browser := who{name: "the owner's browser", headers: map[string]string{"Cookie": "humanops_session=" + h.browser()}}
	port := h.url[strings.LastIndex(h.url, ":"):]

	t.Run("a link in a mail opens the page", func(t *testing.T) {
		mail := with(browser, "from a mail", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
		for _, path := range []string{"/", h.proofPage(mail, o.task)} {
			require.Equal(t, 200, h.send(mail, "GET", path, nil).status, path)
		}
	})
	t.Run("the own page's form decides", func(t *testing.T) {
		own := with(browser, "own page", map[string]string{"Origin": h.url, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"})
		require.Equal(t, 303, h.send(own, "POST", h.proofPage(browser, o.task), approval.Encode()).status)
		require.Equal(t, "PAID", h.must(h.live(), "GET", "/api/v1/tasks/"+o.task, nil).text("status"))
	})
	t.Run("every name of this machine is served", func(t *testing.T) {
		for _, host := range []string{"127.0.0.1" + port, "localhost" + port, "LOCALHOST" + port, "[::1]" + port} {
			c := with(h.live(), host, map[string]string{"Host": host})
			require.Equal(t, 200, h.send(c, "GET", "/api/v1/agents/balance", nil).status, host)
		}
	})
	t.Run("the protocol speaks to a program with a key, and to nobody without", func(t *testing.T) {
		accept := map[string]string{"Accept": "application/json, text/event-stream"}
		require.Equal(t, 200, h.send(with(h.live(), "mcp", accept), "POST", "/mcp", initialize).status)
		for _, c := range []who{{name: "nobody"}, browser, h.owner(), byKey("garbage", "ho_live_x")} {
			require.Equal(t, 401, h.send(with(c, "mcp", accept), "POST", "/mcp", initialize).status, c.name)
			require.Equal(t, 401, h.send(with(c, "mcp", accept), "GET", "/sse", nil).status, c.name)
		}
	})
}

func TestAnUntrustedPeerCannotSayThatItIsAnother(t *testing.T) {
	register := func(h *house, n int) int {
		c := who{headers: map[string]string{"X-Forwarded-For": fmt.Sprintf("203.0.113.%d", n), "X-Real-Ip": fmt.Sprintf("203.0.113.%d", n), "Forwarded": fmt.Sprintf("for=203.0.113.%d", n)}}
		return h.send(c, "POST", "/api/v1/agents/register", map[string]any{"name": "Bot", "email": fmt.Sprintf("n%d@example.com", n)}).status
	}
	count := func(h *house) (served int) {
		for n := range 15 {
			if register(h, n) == 201 {
				served++
			}
		}
		return served
	}
	t.Run("a stranger is counted by its own address", func(t *testing.T) {
		require.Equal(t, 10, count(newHouse(t)))
	})
	t.Run("a trusted proxy speaks for others", func(t *testing.T) {
		require.Equal(t, 15, count(newHouse(t, "HUMANOPS_TRUSTED_PROXIES=127.0.0.1/32")))
	})
}

func TestLinksAreMadeFromThePublicURLOnly(t *testing.T) {
	h := newHouse(t, "HUMANOPS_PUBLIC_URL=https://humans.example.com", "HUMANOPS_ALLOWED_HOSTS=[evil.example]")
	o := h.task(h.live(), "MANUAL_REVIEW")
	forged := map[string]string{"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "ftp", "Forwarded": "host=evil.example;proto=ftp"}
	calls := map[string]answer{
		"a sign-in link":       h.send(with(h.owner(), "forged", forged), "POST", "/platform/v1/people/Operator%201/link", nil),
		"an agent's photos":    h.send(with(h.live(), "forged", forged), "GET", "/api/v1/tasks/"+o.task, nil),
		"an operator's":        h.send(with(o.operator, "forged", forged), "GET", "/api/v1/operator/tasks/"+o.task, nil),
		"a list of tasks":      h.send(with(h.owner(), "forged", forged), "GET", "/api/v1/tasks", nil),
		"the status":           h.send(with(h.owner(), "forged", forged), "GET", "/platform/v1/status", nil),
		"the openapi document": h.send(with(who{}, "forged", forged), "GET", "/openapi.json", nil),
	}
	for _, what := range sorted(calls) {
		require.Less(t, calls[what].status, 300, "%s: %s", what, calls[what].raw)
		require.NotContains(t, calls[what].raw, "evil.example", what)
	}
	for _, what := range []string{"a sign-in link", "an agent's photos", "an operator's"} {
		require.Contains(t, calls[what].raw, "https://humans.example.com/", what)
	}
}
