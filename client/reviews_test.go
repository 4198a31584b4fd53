package client_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/client"
	"humanops-mcp/schemas"
)

func TestReviews(t *testing.T) {
	t.Run("the key travels as a bearer token, the loop in the path, the rest in the body", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			require.Equal(t, "POST /v1/api/loops/content_moderation/requests", r.Method+" "+r.URL.Path)
			require.Equal(t, "Bearer ho_test_k", r.Header.Get("Authorization"))
			require.Empty(t, r.Header.Get("X-API-Key"))
			require.Equal(t, "once", r.Header.Get("Idempotency-Key"))
			raw, _ := io.ReadAll(r.Body)
			require.JSONEq(t, `{"request_text":"Publish?","default_response":false}`, string(raw))
			w.WriteHeader(http.StatusCreated)
			io.WriteString(w, `{"error":false,"msg":"Request created","data":{"request_id":"65f","status":"pending","broadcasted_to":2},"id":"65f","status":"pending"}`)
		})
		out, err := c.CreateReview(client.WithIdempotencyKey(t.Context(), "once"), schemas.CreateReviewRequest{
			LoopID: "content_moderation", NewReview: schemas.NewReview{RequestText: "Publish?", DefaultResponse: json.RawMessage("false")},
		})
		require.NoError(t, err)
		require.Equal(t, "65f", out.RequestID, "the envelope is taken off")
		require.Equal(t, 2, out.BroadcastedTo)
	})
	t.Run("the key check and uploads have no /api, as they are documented", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/v1/test":
				io.WriteString(w, `{"error":false,"data":{"permissions":["loops:read"]}}`)
			case "/v1/upload/document":
				_, head, err := r.FormFile("file")
				require.NoError(t, err)
				io.WriteString(w, `{"error":false,"data":{"url":"u","file_name":"`+head.Filename+`"}}`)
			default:
				t.Error("asked for " + r.URL.Path)
			}
		})
		key, err := c.CheckKey(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"loops:read"}, key.Permissions)
		file, err := c.UploadDocument(t.Context(), textFile("terms.txt", "terms"))
		require.NoError(t, err)
		require.Equal(t, "terms.txt", file.FileName)
	})
	t.Run("a person decides by their token, though there is a key", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			require.Equal(t, "Bearer person", r.Header.Get("Authorization"))
			io.WriteString(w, `{"data":{"request":{"id":"r","decision":"approved"}}}`)
		}, func(o *client.Options) { o.Token = "person" })
		out, err := c.DecideReview(t.Context(), schemas.DecideReviewRequest{RequestID: "r", ResponseData: json.RawMessage("true")})
		require.NoError(t, err)
		require.Equal(t, "approved", out.Request.Decision)
	})
	t.Run("a wait lasts a little longer than the server's", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			require.Equal(t, "45", r.URL.Query().Get("timeout"))
			io.WriteString(w, `{"data":{"pending":true,"request":{"id":"r","status":"pending"}}}`)
		}, func(o *client.Options) { o.Timeout = time.Nanosecond })
		out, err := c.WaitReview(t.Context(), schemas.WaitReviewRequest{RequestID: "r", TimeoutSeconds: 45})
		require.NoError(t, err)
		require.True(t, out.Pending)
	})
	t.Run("an address may already hold the prefix", func(t *testing.T) {
		for _, suffix := range []string{"/v1", "/v1/api", "/v1/api/"} {
			c, err := client.New(client.Options{BaseURL: "https://api.hitl.example" + suffix})
			require.NoError(t, err)
			require.Equal(t, "https://api.hitl.example", c.Address())
		}
	})
}

func TestReviewRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		body    string
		code    schemas.Code
		message string
	}{
		"a sentence in data":        {400, `{"error":true,"msg":"Validation failed","data":"priority must be one of: low, medium, high, critical"}`, schemas.CodeInvalid, "Validation failed: priority must be one of: low, medium, high, critical"},
		"a field and its issue":     {400, `{"error":true,"msg":"Invalid request body","data":{"field":"type","issue":"is not known"}}`, schemas.CodeInvalid, "Invalid request body; type is not known"},
		"the message alone":         {404, `{"error":true,"msg":"Request not found"}`, schemas.CodeNotFound, "Request not found"},
		"the code of our own":       {400, `{"error":true,"msg":"Too late","data":{"code":"conflict","state":"completed"}}`, schemas.CodeConflict, "Too late"},
		"a sentence and its fields": {400, `{"error":true,"msg":"Validation failed","data":"priority must be low","code":"invalid","fields":[{"field":"priority","message":"must be low"}]}`, schemas.CodeInvalid, "Validation failed; priority must be low"},
		"an answer of a proxy":      {502, `<html>`, schemas.CodeUnavailable, "The review service at"},
		"the seed's simple error":   {401, `{"error":"Invalid signature"}`, schemas.CodeUnauthenticated, "Invalid signature"},
	} {
		t.Run(name, func(t *testing.T) {
			cl := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			})
			_, err := cl.GetReview(t.Context(), schemas.ReviewRequest{RequestID: "r"})
			require.Equal(t, c.code, schemas.ErrorCode(err))
			require.ErrorContains(t, err, c.message)
			require.Equal(t, 1, strings.Count(err.Error(), c.message), "said once")
		})
	}
	t.Run("a used-up allowance says when it is full again, and is not asked again before", func(t *testing.T) {
		asked := 0
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.Header().Set("Date", "Sun, 22 Nov 2026 12:00:00 GMT")
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.Header().Set("X-RateLimit-Reset", "1795349700") // 12:15
			w.WriteHeader(http.StatusTooManyRequests)
			io.WriteString(w, `{"error":true,"msg":"API key request limit exceeded"}`)
		})
		_, err := c.ListReviews(t.Context(), schemas.ListReviewsRequest{})
		var e *schemas.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, 900, e.RetryAfterSeconds)
		require.Equal(t, 1, asked)
	})
	t.Run("a request is not made again where its key may mean nothing", func(t *testing.T) {
		for ours, want := range map[bool]int32{false: 1, true: 2} {
			var asked atomic.Int32
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if ours {
					w.Header().Set("Server", "humanops-mcp/1")
				}
				if r.URL.Path == "/v1/test" {
					io.WriteString(w, `{"data":{}}`)
					return
				}
				if asked.Add(1) == 1 {
					w.WriteHeader(http.StatusBadGateway)
					return
				}
				io.WriteString(w, `{"data":{"request_id":"r"}}`)
			})
			extended, err := c.ExtendedReviews(t.Context())
			require.NoError(t, err)
			require.Equal(t, ours, extended)
			_, err = c.CreateReview(t.Context(), schemas.CreateReviewRequest{LoopID: "l"})
			require.Equal(t, ours, err == nil)
			require.Equal(t, want, asked.Load())
		}
	})
}

func TestFollowReview(t *testing.T) {
	in := schemas.ReviewRequest{RequestID: "r"}
	stream := func(t *testing.T, text string) *client.Client {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			require.Equal(t, "/v1/api/requests/r/events", r.URL.Path)
			require.Equal(t, "text/event-stream", r.Header.Get("Accept"))
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, text)
		})
	}
	for name, data := range map[string]string{
		"a request":         `{"id":"r","status":"completed","decision":"approved"}`,
		"a wrapped request": `{"request":{"id":"r","status":"completed","decision":"approved"}}`,
	} {
		t.Run("reads the one event that ends it, past comments: "+name, func(t *testing.T) {
			c := stream(t, ": still waiting\n\n: still waiting\r\n\r\nevent: completed\ndata: "+data+"\n\n")
			out, err := c.FollowReview(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, "completed", out.Event)
			require.Equal(t, "approved", out.Request.Decision)
		})
	}
	t.Run("a stream that breaks off is no decision", func(t *testing.T) {
		c := stream(t, ": still waiting\n\nevent: completed\n")
		_, err := c.FollowReview(t.Context(), in)
		require.Equal(t, schemas.CodeUnavailable, schemas.ErrorCode(err))
		require.ErrorContains(t, err, "before the request was decided")
	})
	t.Run("a refusal is read as one", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"error":true,"msg":"Request not found"}`)
		})
		_, err := c.FollowReview(t.Context(), in)
		require.EqualError(t, err, "Request not found")
	})
	t.Run("who hangs up gets no event", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, strings.Repeat(": waiting\n\n", 3))
			w.(http.Flusher).Flush()
			cancel()
			<-r.Context().Done()
		})
		_, err := c.FollowReview(ctx, in)
		require.ErrorIs(t, err, context.Canceled)
	})
}
