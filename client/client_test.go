package client_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/client"
	"humanops-mcp/schemas"
)

// serve starts a fake server and a client of it.
func serve(t *testing.T, h http.HandlerFunc, change ...func(*client.Options)) *client.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	o := client.Options{BaseURL: srv.URL, APIKey: "ho_test_k"}
	for _, f := range change {
		f(&o)
	}
	c, err := client.New(o)
	require.NoError(t, err)
	return c
}

func TestEveryEndpointHasAClientMethod(t *testing.T) {
	seen := map[string]int{}
	mux := http.NewServeMux()
	for _, e := range schemas.All() {
		for _, pattern := range e.Patterns() {
			mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
				seen[e.Pattern()]++
				if e.Kind == schemas.Events {
					io.WriteString(w, "event: completed\n")
					io.WriteString(w, "data: ")
				}
				io.WriteString(w, "{}\n\n")
			})
		}
	}
	c, err := client.New(client.Options{HTTPClient: &http.Client{Transport: client.InProcess(mux)}, APIKey: "k", Token: "t"})
	require.NoError(t, err)

	v := reflect.ValueOf(c)
	for i := range v.NumMethod() {
		callWithAnything(t, v.Method(i))
	}
	for _, e := range schemas.All() {
		require.Equal(t, 1, seen[e.Pattern()], "calls of %s", e.Pattern())
	}
}

// callWithAnything calls m when it looks like an endpoint, with "x" in each text field.
func callWithAnything(t *testing.T, m reflect.Value) {
	t.Helper()
	typ := m.Type()
	if typ.NumOut() != 2 || typ.NumIn() == 0 || typ.Out(0).Kind() != reflect.Struct {
		return
	}
	args := []reflect.Value{reflect.ValueOf(context.Background())}
	if typ.NumIn() == 2 {
		in := reflect.New(typ.In(1)).Elem()
		for i := range in.NumField() {
			if in.Field(i).Kind() == reflect.String {
				in.Field(i).SetString("x")
			}
		}
		if _, ok := in.Interface().(schemas.File); ok {
			in.Set(reflect.ValueOf(textFile("x.txt", "x")))
		}
		args = append(args, in)
	}
	out := m.Call(args)
	require.Nil(t, out[1].Interface())
	if content, ok := out[0].Interface().(schemas.Content); ok {
		content.Body.Close()
	}
}

// textFile is a file on its way up.
func textFile(name, text string) schemas.File {
	return schemas.File{Name: name, Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

func TestCall(t *testing.T) {
	t.Run("puts each field where it travels", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			require.Equal(t, "/api/v1/tasks/a%2Fb/cancel", r.URL.EscapedPath())
			raw, _ := io.ReadAll(r.Body)
			require.JSONEq(t, `{"reason":"found it"}`, string(raw))
			require.Equal(t, "ho_test_k", r.Header.Get("X-API-Key"))
			io.WriteString(w, `{"task_id":"a/b","status":"CANCELLED","refunded_usd":1.5}`)
		})
		out, err := c.CancelTask(t.Context(), schemas.CancelTaskRequest{TaskID: "a/b", Reason: "found it"})
		require.NoError(t, err)
		require.Equal(t, schemas.Money(1_500_000), out.RefundedUSD)
	})
	t.Run("sends the query", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			require.Equal(t, "limit=5&status=open", r.URL.RawQuery)
			io.WriteString(w, `{"data":[{"task_id":"t","status":"PENDING"}]}`)
		})
		in := schemas.ListTasksRequest{Status: "open"}
		in.Limit = 5
		out, err := c.ListTasks(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, "POSTED", out.Data[0].Status)
		require.Equal(t, "PENDING", out.Data[0].HostedStatus)
	})
	t.Run("refuses a path that would leave the endpoint", func(t *testing.T) {
		c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("was called") })
		_, err := c.GetTask(t.Context(), schemas.TaskRequest{TaskID: ".."})
		require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err))
	})
	t.Run("waits a little longer than the server does", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			require.Equal(t, "7", r.URL.Query().Get("timeout"))
			io.WriteString(w, `{"items":[]}`)
		}, func(o *client.Options) { o.Timeout = time.Nanosecond })
		_, err := c.Wait(t.Context(), schemas.WaitRequest{IDs: "t", TimeoutSeconds: 7})
		require.NoError(t, err)
	})
	t.Run("passes over fields that a hosted server words otherwise", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"task_id":"t","status":"COMPLETED","estimate":45,"title":"x"}`)
		})
		out, err := c.GetTask(t.Context(), schemas.TaskRequest{TaskID: "t"})
		require.NoError(t, err)
		require.Equal(t, "PAID", out.Status)
		require.Equal(t, "x", out.Title)
	})
	t.Run("uploads files with the form", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			require.NoError(t, r.ParseMultipartForm(1<<20))
			require.Equal(t, "done", r.FormValue("note"))
			require.Equal(t, "1.5", r.FormValue("lat"))
			require.Equal(t, "a.jpg", r.MultipartForm.File["files"][0].Filename)
			io.WriteString(w, `{}`)
		})
		lat := 1.5
		file := schemas.File{Name: "a.jpg", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("jpg")), nil }}
		_, err := c.SubmitProof(t.Context(), schemas.SubmitProofRequest{TaskID: "t", Note: "done", Lat: &lat, Files: []schemas.File{file}})
		require.NoError(t, err)
	})
	t.Run("streams a file", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/jpeg")
			w.Header().Set("Content-Disposition", `attachment; filename="p.jpg"`)
			io.WriteString(w, "photo")
		})
		content, err := c.GetProof(t.Context(), schemas.GetProofRequest{TaskID: "t", N: 1})
		require.NoError(t, err)
		defer content.Body.Close()
		raw, err := io.ReadAll(content.Body)
		require.NoError(t, err)
		require.Equal(t, "photo", string(raw))
		require.Equal(t, "p.jpg", content.Name)
		require.Equal(t, "image/jpeg", content.MIME)
	})
}

func TestRetries(t *testing.T) {
	t.Run("repeat a post under one generated key", func(t *testing.T) {
		var keys []string
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			keys = append(keys, r.Header.Get("Idempotency-Key"))
			raw, _ := io.ReadAll(r.Body)
			require.Contains(t, string(raw), `"title"`)
			if len(keys) == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			io.WriteString(w, `{}`)
		})
		_, err := c.PostTask(t.Context(), schemas.PostTaskRequest{Title: "x"})
		require.NoError(t, err)
		require.Len(t, keys, 2)
		require.NotEmpty(t, keys[0])
		require.Equal(t, keys[0], keys[1])
	})
	t.Run("use the key of the context", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			require.Equal(t, "mine", r.Header.Get("Idempotency-Key"))
			io.WriteString(w, `{}`)
		})
		_, err := c.PostTask(client.WithIdempotencyKey(t.Context(), "mine"), schemas.PostTaskRequest{})
		require.NoError(t, err)
	})
	for name, test := range map[string]struct {
		status int
		after  string
		call   func(*client.Client) error
	}{
		"are not made for a decision without a key": {503, "", func(c *client.Client) error {
			_, err := c.DecideTask(t.Context(), schemas.DecideTaskRequest{TaskID: "t"})
			return err
		}},
		"are not made when the pause asked for is long": {429, "60", func(c *client.Client) error {
			_, err := c.GetBalance(t.Context())
			return err
		}},
		"are not made for a refusal": {409, "", func(c *client.Client) error {
			_, err := c.GetBalance(t.Context())
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				calls++
				w.Header().Set("Retry-After", test.after)
				w.WriteHeader(test.status)
			})
			require.Error(t, test.call(c))
			require.Equal(t, 1, calls)
		})
	}
	t.Run("end after a few attempts", func(t *testing.T) {
		calls := 0
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.WriteHeader(http.StatusBadGateway)
		})
		_, err := c.GetBalance(t.Context())
		require.Equal(t, schemas.CodeUnavailable, schemas.ErrorCode(err))
		require.Equal(t, 4, calls)
	})
}

func TestErrors(t *testing.T) {
	refuse := func(t *testing.T, status int, body string) *schemas.Error {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(status)
			io.WriteString(w, body)
		})
		_, err := c.GetTask(t.Context(), schemas.TaskRequest{TaskID: "t"})
		var e *schemas.Error
		require.ErrorAs(t, err, &e)
		return e
	}
	t.Run("of ours arrive whole", func(t *testing.T) {
		e := refuse(t, 409, `{"error":"too late","code":"conflict","state":"PENDING","fields":[{"field":"a","message":"b"}]}`)
		require.Equal(t, &schemas.Error{Code: schemas.CodeConflict, Message: "too late", State: "POSTED", Fields: []schemas.FieldError{{Field: "a", Message: "b"}}, RetryAfterSeconds: 60}, e)
	})
	t.Run("whose text only repeats their fields say it once", func(t *testing.T) {
		e := refuse(t, 400, `{"error":"a must be b; c is required","code":"invalid","fields":[{"field":"a","message":"must be b"},{"field":"c","message":"is required"}]}`)
		require.Empty(t, e.Message)
		require.Equal(t, "a must be b; c is required", e.Error())
	})
	t.Run("in prose only get their code from the status", func(t *testing.T) {
		e := refuse(t, 402, `{"error":"Insufficient balance"}`)
		require.Equal(t, schemas.CodePaymentRequired, e.Code)
		require.Equal(t, "Insufficient balance", e.Message)
	})
	t.Run("without an envelope name the server", func(t *testing.T) {
		e := refuse(t, 404, `<html>nginx</html>`)
		require.Equal(t, schemas.CodeNotFound, e.Code)
		require.Contains(t, e.Message, "404")
		require.NotContains(t, e.Message, "nginx")
	})
	t.Run("of a server that is not there say what to do", func(t *testing.T) {
		srv := httptest.NewServer(nil)
		srv.Close()
		c, err := client.New(client.Options{BaseURL: srv.URL})
		require.NoError(t, err)
		_, err = c.DecideTask(t.Context(), schemas.DecideTaskRequest{TaskID: "t"})
		require.Equal(t, schemas.CodeUnavailable, schemas.ErrorCode(err))
		require.ErrorContains(t, err, "humanops-mcp serve")
	})
	t.Run("of a cancelled caller are the caller's", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		_, err := c.GetBalance(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("stop an answer without end", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			chunk := strings.Repeat(" ", 1<<20)
			for range 17 {
				io.WriteString(w, chunk)
			}
		})
		_, err := c.GetBalance(t.Context())
		require.Equal(t, schemas.CodeTooLarge, schemas.ErrorCode(err))
	})
}

func TestNew(t *testing.T) {
	for name, o := range map[string]client.Options{
		"plain http to another host":      {BaseURL: "http://api.example.com"},
		"an address without a host":       {BaseURL: "api.example.com"},
		"a password in the address":       {BaseURL: "https://a:b@example.com"},
		"a live key in a remote sandbox":  {BaseURL: "https://example.com", APIKey: "ho_live_x", Sandbox: true},
		"no address without a transport":  {},
		"an address that is not for http": {BaseURL: "ftp://example.com"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			_, err := client.New(o)
			require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err))
		})
	}
	for name, o := range map[string]client.Options{
		"plain http to this machine":          {BaseURL: "http://127.0.0.1:8787"},
		"plain http when allowed":             {BaseURL: "http://10.0.0.2", AllowInsecure: true},
		"a test key in a remote sandbox":      {BaseURL: "https://example.com", APIKey: "ho_test_x", Sandbox: true},
		"an address that ends in the prefix":  {BaseURL: "https://example.com/api/v1"},
		"any key for a handler in process":    {APIKey: "ho_live_x", Sandbox: true, HTTPClient: &http.Client{Transport: client.InProcess(http.NotFoundHandler())}},
		"no address for a handler in process": {HTTPClient: &http.Client{Transport: client.InProcess(http.NotFoundHandler())}},
	} {
		t.Run("takes "+name, func(t *testing.T) {
			c, err := client.New(o)
			require.NoError(t, err)
			require.NotContains(t, c.Address(), "/api/v1")
		})
	}
}

func TestRedirects(t *testing.T) {
	leaked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked = true }))
	defer other.Close()
	t.Run("to another host are refused", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
		_, err := c.GetBalance(t.Context())
		require.ErrorContains(t, err, "is not sent there")
		require.False(t, leaked)
	})
	t.Run("never turn a post into a get", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			require.Equal(t, http.MethodPost, r.Method)
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		})
		_, err := c.PostTask(t.Context(), schemas.PostTaskRequest{})
		require.ErrorContains(t, err, "set that address instead")
	})
}

func TestExtended(t *testing.T) {
	for name, test := range map[string]struct {
		server, body string
		want         bool
	}{
		"knows ours by its header":                 {"humanops-mcp/1.0", `{}`, true},
		"knows ours behind a proxy by its balance": {"nginx", `{"mode":"live"}`, true},
		"takes anything else for hosted":           {"cloudflare", `{"deposit_balance":450.00,"escrow_balance":0,"currency":"USD"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				calls++
				w.Header().Set("Server", test.server)
				io.WriteString(w, test.body)
			})
			for range 2 {
				extended, err := c.Extended(t.Context())
				require.NoError(t, err)
				require.Equal(t, test.want, extended)
			}
			require.Equal(t, 1, calls)
		})
	}
}

func TestInProcess(t *testing.T) {
	c := func(h http.HandlerFunc) *client.Client {
		made, err := client.New(client.Options{HTTPClient: &http.Client{Transport: client.InProcess(h)}})
		require.NoError(t, err)
		return made
	}
	t.Run("carries body and answer", func(t *testing.T) {
		out, err := c(func(w http.ResponseWriter, r *http.Request) {
			var in map[string]any
			require.NoError(t, json.NewDecoder(r.Body).Decode(&in))
			w.WriteHeader(http.StatusCreated)
			json.NewEncoder(w).Encode(map[string]any{"title": in["title"]})
		}).PostTask(t.Context(), schemas.PostTaskRequest{Title: "x"})
		require.NoError(t, err)
		require.Equal(t, "x", out.Title)
	})
	t.Run("survives a panic", func(t *testing.T) {
		_, err := c(func(http.ResponseWriter, *http.Request) { panic("oh") }).DecideTask(t.Context(), schemas.DecideTaskRequest{TaskID: "t"})
		require.Equal(t, schemas.CodeUnavailable, schemas.ErrorCode(err))
	})
	t.Run("cancels the handler with its caller", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		_, err := c(func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
			close(ended)
		}).GetBalance(ctx)
		require.ErrorIs(t, err, context.Canceled)
		<-ended
	})
}
