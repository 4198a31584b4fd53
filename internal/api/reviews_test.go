package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/api/hitl"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// counted is an answer with everything that an answer of reviews may have.
type counted struct {
	ID      string               `json:"id"`
	Status  schemas.ReviewStatus `json:"status"`
	Version int64                `json:"version"`
	Since   time.Time            `json:"since"`
	Saw     string               `json:"saw,omitempty"`
	schemas.Sandboxed
}

func (counted) Said() string { return "Counted" }

func (c counted) Flat() map[string]any {
	return map[string]any{"id": c.ID, "status": c.Status, "error": "never", "data": 1}
}

func (c counted) Revision() string { return strconv.FormatInt(c.Version, 10) + "-" }

func (c counted) Standing() (schemas.ReviewStatus, time.Time) { return c.Status, c.Since }

type asked struct {
	LoopID string          `path:"loop_id" json:"loop_id" maxLength:"100"`
	Text   string          `json:"text" minLength:"1" maxLength:"10"`
	Any    json.RawMessage `json:"any,omitempty"`
}

var (
	askThing     = schemas.Endpoint[asked, counted]{Contract: schemas.Reviews, Method: "POST", Path: "/loops/{loop_id}/requests", Status: 201, Access: schemas.Agent | schemas.Owner}
	pollThing    = schemas.Endpoint[schemas.Empty, counted]{Contract: schemas.Reviews, Method: "GET", Path: "/requests/r", Status: 200, Access: schemas.Agent | schemas.Reviewer}
	loopThing    = schemas.Endpoint[schemas.Empty, counted]{Contract: schemas.Reviews, Method: "PUT", Path: "/loops/l", Status: 200, Access: schemas.Agent}
	decideThing  = schemas.Endpoint[schemas.Empty, schemas.Empty]{Contract: schemas.Reviews, Method: "POST", Path: "/requests/r/respond", Status: 200, Access: schemas.Reviewer}
	consumeThing = schemas.Endpoint[schemas.Empty, schemas.Empty]{Contract: schemas.Reviews, Method: "POST", Path: "/requests/r/receipt/consume", Status: 200, Access: schemas.Executor | schemas.Owner}
	waitThing    = schemas.Endpoint[schemas.Empty, schemas.ReviewWait]{Contract: schemas.Reviews, Method: "GET", Path: "/requests/r/wait", Status: 200, Access: schemas.Agent}
	testThing    = schemas.Endpoint[schemas.Empty, schemas.Empty]{Contract: schemas.Reviews, Method: "GET", Path: "/test", Status: 200, Access: schemas.Agent}
	crashThing   = schemas.Endpoint[schemas.Empty, schemas.Empty]{Contract: schemas.Reviews, Method: "GET", Path: "/requests/crash", Status: 200, Access: schemas.Agent}
	dropThing    = schemas.Endpoint[schemas.CancelReviewRequest, counted]{Contract: schemas.Reviews, Method: "DELETE", Path: "/requests/{request_id}", Status: 200, Access: schemas.Agent}
	followThing  = schemas.Stream[schemas.Empty]{Contract: schemas.Reviews, Method: "GET", Path: "/requests/r/events", Access: schemas.Agent}
	fileThing    = schemas.Upload[schemas.Empty, counted]{Contract: schemas.Reviews, Method: "POST", Path: "/upload/image", Status: 200, Access: schemas.Agent}
)

// reviewRig is a rig with endpoints of reviews.
type reviewRig struct {
	*rig
	standing counted
	fail     error
	events   chan string
}

// upperText is a spelling in which text is called TEXT, refused where there is neither.
func upperText(raw []byte) ([]byte, []string, error) {
	if bytes.Contains(raw, []byte(`"refuse"`)) {
		return nil, nil, schemas.NewError(schemas.CodeInvalid, "Validation failed")
	}
	return bytes.Replace(raw, []byte(`"TEXT"`), []byte(`"text"`), 1), []string{"It was spelt TEXT"}, nil
}

func newReviewRig(t *testing.T, c Config) *reviewRig {
	t.Helper()
	rg := &reviewRig{rig: newRig(t, c), events: make(chan string)}
	rg.standing = counted{ID: "r", Status: schemas.ReviewPending, Version: 3, Since: start}
	spelt(rg.api, askThing, upperText, func(_ context.Context, _ *store.Tx, in asked) (counted, error) {
		rg.runs++
		return counted{ID: in.LoopID, Status: "pending", Version: int64(rg.runs), Saw: string(in.Any)}, rg.fail
	})
	stands := func(context.Context, *store.Tx, schemas.Empty) (counted, error) { return rg.standing, rg.fail }
	nothing := func(context.Context, schemas.Empty) (schemas.Empty, error) { return schemas.Empty{}, nil }
	read(rg.api, pollThing, stands)
	write(rg.api, loopThing, stands)
	call(rg.api, decideThing, nothing)
	call(rg.api, consumeThing, nothing)
	call(rg.api, testThing, nothing)
	parked(rg.api, waitThing, func(context.Context, schemas.Empty) error { return rg.fail }, func(context.Context, schemas.Empty) (schemas.ReviewWait, error) {
		return schemas.ReviewWait{Pending: true, RetryAfter: 7, Request: schemas.Review{ID: "r"}}, nil
	})
	call(rg.api, crashThing, func(context.Context, schemas.Empty) (out schemas.Empty, err error) {
		return out, errors.New("password=hunter2")
	})
	write(rg.api, dropThing, func(_ context.Context, _ *store.Tx, in schemas.CancelReviewRequest) (counted, error) {
		return counted{ID: in.RequestID + " " + in.Reason}, nil
	})
	stream(rg.api, followThing, stands, func(ctx context.Context, _ schemas.Empty, emit emitter) error {
		select {
		case name := <-rg.events:
			return emit("ev_1", name, rg.standing)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	uploadFile(rg.api, fileThing, limits{files: 1, file: 100, all: 100}, func(_ context.Context, _ schemas.Empty, files []schemas.File) (counted, error) {
		return counted{ID: files[0].Name}, nil
	})
	return rg
}

// key makes a key by the house's live one.
func (rg *reviewRig) key(in schemas.CreateKeyRequest) string {
	rg.t.Helper()
	ctx := context.Background()
	var out schemas.CreateKeyResponse
	require.NoError(rg.t, rg.Store.Write(ctx, func(tx *store.Tx) error {
		c, err := rg.Accounts.AuthenticateKey(ctx, tx, rg.creds.LiveKey)
		if err != nil {
			return err
		}
		in.Name = "key"
		out, err = rg.Accounts.CreateKey(account.With(ctx, c), tx, in)
		return err
	}))
	return out.APIKey
}

func (rg *reviewRig) bearer(key, method, path, body string, headers ...string) reply {
	rg.t.Helper()
	return rg.do(method, path, body, append([]string{"Authorization", "Bearer " + key}, headers...)...)
}

func TestReviewsAnswerInTheirEnvelopeUnderBothPrefixes(t *testing.T) {
	for _, prefix := range []string{"/v1/api", "/v1"} {
		t.Run(prefix, func(t *testing.T) {
			rg := newReviewRig(t, Config{})
			live := rg.creds.LiveKey
			t.Run("a success", func(t *testing.T) {
				res := rg.bearer(live, "POST", prefix+"/loops/default/requests", `{"TEXT":"a","any":{ "x" : 1.50 }}`)
				require.Equal(t, 201, res.StatusCode, res.raw)
				require.Equal(t, false, res.body["error"])
				require.Equal(t, "Counted", res.body["msg"])
				require.Equal(t, "default", res.body["id"], "flat clients read it at the top")
				require.Equal(t, "default", res.body["data"].(map[string]any)["id"])
				require.Equal(t, []any{"It was spelt TEXT"}, res.body["warnings"])
				require.Equal(t, `{ "x" : 1.50 }`, res.body["data"].(map[string]any)["saw"], "what is anybody's JSON passes to the byte")
				require.Len(t, res.Header.Values("X-RateLimit-Limit"), 1)
				require.Equal(t, "1000000", res.Header.Get("X-RateLimit-Limit"))
				require.Equal(t, strconv.FormatInt(start.Add(time.Hour).Unix(), 10), res.Header.Get("X-RateLimit-Reset"))
			})
			t.Run("a test key's", func(t *testing.T) {
				res := rg.bearer(rg.creds.TestKey, "GET", prefix+"/requests/r", "")
				require.Equal(t, true, res.body["sandbox"])
				require.Equal(t, true, res.body["data"].(map[string]any)["sandbox"])
			})
			t.Run("a query parameter that is not known", func(t *testing.T) {
				known := rg.bearer(live, "GET", prefix+"/requests/r", "")
				require.NotContains(t, known.body, "warnings")
				res := rg.bearer(live, "GET", prefix+"/requests/r?staus=open", "")
				require.Equal(t, []any{`The query parameter "staus" is not known and was ignored`}, res.body["warnings"])
			})
			t.Run("a body that the spelling refuses", func(t *testing.T) {
				res := rg.bearer(live, "POST", prefix+"/loops/default/requests", `{"refuse":1}`)
				require.Equal(t, 400, res.StatusCode)
				require.Equal(t, "Validation failed", res.body["msg"])
			})
			t.Run("DELETE with a body and without", func(t *testing.T) {
				require.Equal(t, "r why", rg.bearer(live, "DELETE", prefix+"/requests/r", `{"reason":"why"}`).body["id"])
				require.Equal(t, "r ", rg.bearer(live, "DELETE", prefix+"/requests/r", "").body["id"])
			})
			for name, c := range map[string]struct {
				method, path, body string
				status             int
				code               string
				headers            []string
			}{
				"bad input":             {"POST", "/loops/l/requests", `{"text":"01234567890"}`, 400, "invalid", nil},
				"two members":           {"POST", "/loops/l/requests", `{"text":"a","text":"b"}`, 400, "invalid", nil},
				"an unknown path":       {"GET", "/nothing", "", 404, "not_found", nil},
				"a wrong method":        {"PUT", "/requests/r", "{}", 405, "method_not_allowed", nil},
				"a form":                {"POST", "/loops/l/requests", "text=a", 415, "unsupported", []string{"Content-Type", "application/x-www-form-urlencoded"}},
				"2 MB":                  {"POST", "/loops/l/requests", `{"text":"` + strings.Repeat("a", 2<<20) + `"}`, 413, "too_large", nil},
				"what goes wrong":       {"GET", "/requests/crash", "", 500, "internal", nil},
				"a page of another one": {"GET", "/requests/r", "", 403, "forbidden", []string{"Origin", "https://evil.example"}},
			} {
				t.Run(name, func(t *testing.T) {
					res := rg.bearer(live, c.method, prefix+c.path, c.body, c.headers...)
					require.Equal(t, c.status, res.StatusCode, res.raw)
					require.Equal(t, true, res.body["error"], res.raw)
					require.NotEmpty(t, res.body["msg"])
					require.Equal(t, c.code, res.body["code"])
					require.Equal(t, res.Header.Get("X-Request-Id"), res.body["request_id"])
					require.NotContains(t, res.raw, "hunter2")
					require.NotEmpty(t, res.Header.Get("X-RateLimit-Remaining"))
				})
			}
		})
	}
}

func TestWhoMayCallReviews(t *testing.T) {
	rg := newReviewRig(t, Config{})
	reader := rg.key(schemas.CreateKeyRequest{Audience: account.AudienceReviews, Scopes: []string{"requests:read"}})
	writer := rg.key(schemas.CreateKeyRequest{Audience: account.AudienceReviews, Scopes: []string{"requests:write", "loops:read"}})
	tasks := rg.key(schemas.CreateKeyRequest{Audience: account.AudienceMarketplace})
	ask, poll, loop := []string{"POST", "/v1/loops/l/requests", `{"text":"a"}`}, []string{"GET", "/v1/requests/r", ""}, []string{"PUT", "/v1/loops/l", ""}
	decide, consume := []string{"POST", "/v1/requests/r/respond", ""}, []string{"POST", "/v1/requests/r/receipt/consume", ""}
	test, work := []string{"GET", "/v1/test", ""}, []string{"GET", "/api/v1/agent", ""}
	for name, c := range map[string]struct {
		key    string
		call   []string
		status int
		msg    string
	}{
		"a key for everything asks":                   {rg.creds.LiveKey, ask, 201, "Counted"},
		"one for reviews that reads":                  {reader, poll, 200, "Counted"},
		"one that only reads does not ask":            {reader, ask, 403, "Access denied to this resource"},
		"one that only asks does not read":            {writer, poll, 403, "Access denied to this resource"},
		"one that asks":                               {writer, ask, 201, "Counted"},
		"one that may not write loops":                {writer, loop, 403, "Access denied to this resource"},
		"any scope checks its key":                    {reader, test, 200, "Success"},
		"one for the marketplace":                     {tasks, poll, 403, "This key opens marketplace only. Use a key for reviews, or for all."},
		"a key of reviews on the marketplace":         {reader, work, 403, ""},
		"an agent decides":                            {rg.creds.LiveKey, decide, 403, "This call is for reviewers: an agent's key never acts as a person. A reviewer signs in with their own link."},
		"an agent consumes":                           {rg.creds.LiveKey, consume, 403, "This call is for an executor, whose key no agent has: an agent's key never acts as a person or for one."},
		"an executor consumes":                        {rg.creds.ExecutorKey, consume, 200, "Success"},
		"an executor decides":                         {rg.creds.ExecutorKey, decide, 403, "This call is not for an executor: its key reads receipts and uses approvals up, and does nothing else."},
		"an executor asks":                            {rg.creds.ExecutorKey, ask, 403, "This call is not for an executor: its key reads receipts and uses approvals up, and does nothing else."},
		"an executor on the marketplace":              {rg.creds.ExecutorKey, work, 403, ""},
		"a person reads":                              {rg.op, poll, 200, "Counted"},
		"a person decides":                            {rg.op, decide, 200, "Success"},
		"the owner decides":                           {rg.creds.OwnerToken, decide, 200, "Success"},
		"the owner consumes":                          {rg.creds.OwnerToken, consume, 200, "Success"},
		"a person consumes":                           {rg.op, consume, 403, "This call is for the owner of the installation, and you are not one."},
		"nobody":                                      {"", poll, 401, "Missing or invalid authorization header"},
		"what is no key":                              {"garbage", poll, 401, "Invalid API key format"},
		"a key that never was":                        {"hitl_live_" + strings.Repeat("a", 42), poll, 401, "Invalid API key"},
		"a token that never was":                      {"hos_" + strings.Repeat("a", 42), poll, 401, "Invalid authorization token"},
		"a key that never was, to be checked":         {"hitl_live_" + strings.Repeat("a", 42), test, 401, "Invalid authorization token"},
		"a header that is none":                       {"  ", test, 401, "Missing or invalid authorization header"},
		"a key of another vendor's form, to be asked": {"sk-123", ask, 401, "Invalid API key format"},
	} {
		t.Run(name+" gets its due", func(t *testing.T) {
			res := rg.bearer(c.key, c.call[0], c.call[1], c.call[2])
			require.Equal(t, c.status, res.StatusCode, res.raw)
			if c.msg != "" {
				require.Equal(t, c.msg, res.body["msg"])
			}
			require.Equal(t, c.status == 401, len(res.Header.Values("WWW-Authenticate")) == 2)
		})
	}
	t.Run("a key comes as X-API-Key too", func(t *testing.T) {
		require.Equal(t, 200, rg.do("GET", "/v1/requests/r", "", "X-API-Key", reader).StatusCode)
	})
}

func TestConflictsTheContractCallsBadRequests(t *testing.T) {
	rg := newReviewRig(t, Config{})
	for message, status := range map[string]int{"Request cannot be cancelled in current state": 400, "No active members found in the loop": 400, "It was claimed by Ada.": 409} {
		rg.fail = &schemas.Error{Code: schemas.CodeConflict, Message: message, State: "claimed", Rule: status == 400}
		res := rg.bearer(rg.creds.LiveKey, "GET", "/v1/requests/r", "")
		require.Equal(t, status, res.StatusCode)
		require.Equal(t, "claimed", res.body["state"])
	}
}

func TestPollersAreToldWhenToComeAgain(t *testing.T) {
	rg := newReviewRig(t, Config{Dialects: House(hitl.Settings{PerHour: 5})})
	poll := func(headers ...string) reply {
		return rg.bearer(rg.creds.LiveKey, "GET", "/v1/requests/r", "", headers...)
	}
	first := poll()
	require.Equal(t, `"3-"`, first.Header.Get("ETag"), "the version, and the head of the trail where there is one")
	require.Equal(t, "5", first.Header.Get("Retry-After"))
	require.Equal(t, "4", first.Header.Get("X-RateLimit-Remaining"))

	t.Run("nothing new is 304, and is not counted", func(t *testing.T) {
		for _, known := range []string{`"3-"`, `"2", W/"3-"`, "*"} {
			res := poll("If-None-Match", known)
			require.Equal(t, 304, res.StatusCode)
			require.Empty(t, res.raw)
			require.Equal(t, "4", res.Header.Get("X-RateLimit-Remaining"))
			require.Equal(t, "5", res.Header.Get("Retry-After"))
		}
		require.Equal(t, 200, poll("If-None-Match", `"2"`).StatusCode)
	})
	t.Run("the longer it takes, the less often", func(t *testing.T) {
		rg.clk.Advance(time.Minute)
		require.Equal(t, "15", poll("If-None-Match", "*").Header.Get("Retry-After"))
		rg.clk.Advance(9 * time.Minute)
		require.Equal(t, "60", poll("If-None-Match", "*").Header.Get("Retry-After"))
		rg.standing.Status = schemas.ReviewCompleted
		require.Empty(t, poll("If-None-Match", "*").Header.Get("Retry-After"))
	})
	t.Run("waits are not counted, and say when to come again", func(t *testing.T) {
		for range 7 {
			res := rg.bearer(rg.creds.LiveKey, "GET", "/v1/requests/r/wait", "")
			require.Equal(t, 200, res.StatusCode)
			require.Equal(t, "7", res.Header.Get("Retry-After"))
			require.Equal(t, "3", res.Header.Get("X-RateLimit-Remaining"))
		}
	})
	t.Run("an hour's allowance is refused beyond it, each key's its own", func(t *testing.T) {
		for range 3 {
			require.Equal(t, 200, poll().StatusCode)
		}
		res := poll()
		require.Equal(t, 429, res.StatusCode)
		require.Equal(t, "API key request limit exceeded", res.body["msg"])
		want := map[string]any{"usage_count": 5.0, "usage_limit": 5.0, "remaining": 0.0, "reset_at": start.Add(time.Hour).Format(time.RFC3339)}
		require.Equal(t, want, res.body["data"])
		for name, value := range want {
			require.Equal(t, value, res.body[name], "some clients read it at the top")
		}
		require.Equal(t, "3001", res.Header.Get("Retry-After"))
		require.Equal(t, "0", res.Header.Get("X-RateLimit-Remaining"))
		require.Equal(t, 200, rg.bearer(rg.creds.TestKey, "GET", "/v1/requests/r", "").StatusCode)
		require.Equal(t, 200, rg.bearer(rg.op, "GET", "/v1/requests/r", "").StatusCode)
		rg.clk.Advance(50 * time.Minute)
		require.Equal(t, "4", poll().Header.Get("X-RateLimit-Remaining"), "an hour after the first call it begins anew")
	})
}

func TestPagesOfListedOriginsMayCallReviewsWithAKey(t *testing.T) {
	rg := newReviewRig(t, Config{PublicURL: "http://127.0.0.1", Dialects: House(hitl.Settings{Origins: []string{"https://app.example.com"}})})
	listed := []string{"Origin", "https://app.example.com", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors"}
	t.Run("the browser's question needs no key", func(t *testing.T) {
		res := rg.do("OPTIONS", "/v1/loops/l/requests", "", append(listed, "Access-Control-Request-Method", "POST")...)
		require.Equal(t, 204, res.StatusCode)
		require.Equal(t, "https://app.example.com", res.Header.Get("Access-Control-Allow-Origin"))
		for _, name := range []string{"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match"} {
			require.Contains(t, res.Header.Get("Access-Control-Allow-Headers"), name)
		}
		require.Contains(t, res.Header.Values("Vary"), "Origin")
		require.Empty(t, res.Header.Get("Access-Control-Allow-Credentials"))
	})
	t.Run("the call does, and its answer can be read", func(t *testing.T) {
		res := rg.bearer(rg.creds.LiveKey, "POST", "/v1/loops/l/requests", `{"text":"a"}`, listed...)
		require.Equal(t, 201, res.StatusCode)
		require.Equal(t, "https://app.example.com", res.Header.Get("Access-Control-Allow-Origin"))
		require.Contains(t, res.Header.Get("Access-Control-Expose-Headers"), "X-RateLimit-Remaining")
		require.Contains(t, res.Header.Get("Access-Control-Expose-Headers"), "ETag")
		refused := rg.do("POST", "/v1/loops/l/requests", `{"text":"a"}`, listed...)
		require.Equal(t, 401, refused.StatusCode)
		require.Equal(t, "https://app.example.com", refused.Header.Get("Access-Control-Allow-Origin"))
	})
	for _, origin := range []string{"https://app.example.com.evil.example", "http://app.example.com", "https://APP.example.com", "https://app.example.com:8443", "null"} {
		t.Run(origin+" is not listed", func(t *testing.T) {
			for _, method := range []string{"OPTIONS", "POST"} {
				res := rg.bearer(rg.creds.LiveKey, method, "/v1/loops/l/requests", "", "Origin", origin, "Access-Control-Request-Method", "POST")
				require.Equal(t, 403, res.StatusCode)
				require.Empty(t, res.Header.Get("Access-Control-Allow-Origin"))
			}
		})
	}
	t.Run("nothing else is opened by the list", func(t *testing.T) {
		res := rg.agent("GET", "/api/v1/agent", "", listed...)
		require.Equal(t, 403, res.StatusCode)
		require.Empty(t, res.Header.Get("Access-Control-Allow-Origin"))
	})
}

func TestARepeatedCallUnderTheOtherPrefixIsTheSameCall(t *testing.T) {
	rg := newReviewRig(t, Config{})
	first := rg.bearer(rg.creds.LiveKey, "POST", "/v1/loops/l/requests", `{"text":"a"}`, "Idempotency-Key", "k")
	again := rg.bearer(rg.creds.LiveKey, "POST", "/v1/api/loops/l/requests", `{"text":"a"}`, "Idempotency-Key", "k")
	require.Equal(t, first.raw, again.raw)
	require.Equal(t, "true", again.Header.Get("Idempotent-Replayed"))
	require.Equal(t, 409, rg.bearer(rg.creds.LiveKey, "POST", "/v1/api/loops/m/requests", `{"text":"a"}`, "Idempotency-Key", "k").StatusCode)
}

func TestAStreamBeatsAndEndsWithOneEvent(t *testing.T) {
	rg := newReviewRig(t, Config{})
	open := func(t *testing.T, ctx context.Context) *bufio.Reader {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, rg.url+"/v1/requests/r/events", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+rg.creds.LiveKey)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		t.Cleanup(func() { _ = res.Body.Close() })
		require.Equal(t, 200, res.StatusCode)
		require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
		return bufio.NewReader(res.Body)
	}
	line := func(t *testing.T, r *bufio.Reader) string {
		t.Helper()
		text, err := r.ReadString('\n')
		require.NoError(t, err)
		if text == "\n" {
			text, err = r.ReadString('\n')
			require.NoError(t, err)
		}
		return strings.TrimSpace(text)
	}
	t.Run("a comment comes at once, and every fifteen seconds", func(t *testing.T) {
		r := open(t, t.Context())
		require.Equal(t, ": following", line(t, r))
		rg.clk.Advance(heartbeat)
		require.Equal(t, ": waiting", line(t, r))
		rg.events <- "completed"
		require.Equal(t, "id: ev_1", line(t, r))
		require.Equal(t, "event: completed", line(t, r))
		require.Contains(t, line(t, r), `data: {"id":"r"`)
		rest, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, "\n", string(rest), "it ends")
	})
	t.Run("whoever may not see it gets no stream", func(t *testing.T) {
		rg.fail = schemas.NewError(schemas.CodeNotFound, "Request not found")
		res := rg.bearer(rg.creds.LiveKey, "GET", "/v1/requests/r/events", "")
		require.Equal(t, 404, res.StatusCode)
		require.Equal(t, "Request not found", res.body["msg"])
	})
}

func TestOneFileUnderItsDocumentedName(t *testing.T) {
	rg := newReviewRig(t, Config{})
	send := func(content string, parts ...string) reply {
		var out bytes.Buffer
		form := multipart.NewWriter(&out)
		for _, part := range parts {
			w, err := form.CreateFormFile(part, part+".png")
			require.NoError(t, err)
			_, err = io.WriteString(w, content)
			require.NoError(t, err)
		}
		require.NoError(t, form.Close())
		return rg.bearer(rg.creds.LiveKey, "POST", "/v1/upload/image", out.String(), "Content-Type", form.FormDataContentType())
	}
	require.Equal(t, "file.png", send("x", "file").body["id"])
	require.Equal(t, "files.png", send("x", "files").body["id"])
	require.Equal(t, 413, send("x", "file", "files").StatusCode)
	require.Equal(t, 413, send(strings.Repeat("x", 101), "file").StatusCode)
	refused := rg.bearer(rg.creds.LiveKey, "POST", "/v1/upload/image", "{}")
	require.Equal(t, 415, refused.StatusCode)
	require.Contains(t, refused.raw, "a part called file.")
}

func TestEachBodyOfABatchHasItsOwnOutcome(t *testing.T) {
	rg := newReviewRig(t, Config{})
	made := 0
	rg.batch(upperText, func(_ context.Context, _ *store.Tx, in schemas.CreateReviewRequest) (schemas.ReviewCreated, error) {
		if in.RequestText == "crash" {
			return schemas.ReviewCreated{}, errors.New("password=hunter2")
		}
		made++
		return schemas.ReviewCreated{RequestID: in.LoopID + in.RequestText, Version: int64(made)}, nil
	})
	body := `{"requests":[{"request_text":"a"},{"request_text":""},5,{"request_text":"b","request_text":"c"},{"refuse":1},{"request_text":"crash"},{"request_text":"d"}]}`
	outcomes := func(t *testing.T, headers ...string) (ids []string, raw string) {
		t.Helper()
		res := rg.bearer(rg.creds.LiveKey, "POST", "/v1/loops/default/requests/batch", body, headers...)
		require.Equal(t, 200, res.StatusCode, res.raw)
		require.NotContains(t, res.raw, "hunter2")
		data := res.body["data"].(map[string]any)
		require.InDelta(t, 2, data["created"], 0)
		require.InDelta(t, 5, data["failed"], 0)
		for i, one := range data["results"].([]any) {
			result := one.(map[string]any)
			require.InDelta(t, i, result["index"], 0)
			require.NotEmpty(t, result["msg"])
			id := "refused"
			if request, ok := result["request"].(map[string]any); ok {
				id = request["request_id"].(string)
			}
			require.Equal(t, id == "refused", result["error"])
			ids = append(ids, id)
		}
		return ids, res.raw
	}
	want := []string{"defaulta", "refused", "refused", "refused", "refused", "refused", "defaultd"}
	ids, _ := outcomes(t)
	require.Equal(t, want, ids)

	t.Run("and under an Idempotency-Key is made once", func(t *testing.T) {
		ids, first := outcomes(t, "Idempotency-Key", "k")
		require.Equal(t, want, ids)
		before := made
		_, again := outcomes(t, "Idempotency-Key", "k")
		require.Equal(t, first, again)
		require.Equal(t, before, made)
	})
	for name, bad := range map[string]string{
		"none": `{"requests":[]}`, "too many": `{"requests":[` + strings.Repeat("{},", 100) + `{}]}`, "no list": `{"requests":{}}`, "nothing": "",
	} {
		t.Run(name+" is refused as a whole", func(t *testing.T) {
			res := rg.bearer(rg.creds.LiveKey, "POST", "/v1/loops/default/requests/batch", bad)
			require.Equal(t, 400, res.StatusCode, res.raw)
		})
	}
}
