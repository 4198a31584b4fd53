package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/schemas"
)

type proof struct {
	ID    string         `path:"id" json:"id"`
	Note  string         `json:"note,omitempty" maxLength:"10"`
	Lat   *float64       `json:"lat,omitempty" minimum:"-90" maximum:"90"`
	Files []schemas.File `json:"-"`
}

type proofTaken struct {
	Note  string   `json:"note"`
	Lat   *float64 `json:"lat"`
	Files []string `json:"files"`
}

var sendProof = schemas.Upload[proof, proofTaken]{Contract: schemas.Marketplace, Method: "POST", Path: "/proof/{id}", Status: 200, Access: schemas.Operator}

func uploadRig(t *testing.T) *rig {
	rg := newRig(t, Config{})
	takeProof(rg.api, sendProof, func(_ context.Context, in proof) (proofTaken, error) {
		out := proofTaken{Note: in.Note, Lat: in.Lat}
		for _, f := range in.Files {
			file, err := f.Open()
			if err != nil {
				return out, err
			}
			raw, err := io.ReadAll(file)
			out.Files = append(out.Files, fmt.Sprintf("%s:%d:%.5s", f.Name, f.Size, raw))
			if err = errors.Join(err, file.Close()); err != nil {
				return out, err
			}
		}
		return out, nil
	})
	return rg
}

// sent is a part of a form: a file when it has a file name.
type sent struct{ name, file, content string }

func (rg *rig) form(parts ...sent) reply {
	rg.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, p := range parts {
		var part io.Writer
		var err error
		if p.file != "" {
			part, err = w.CreateFormFile(p.name, p.file)
		} else {
			part, err = w.CreateFormField(p.name)
		}
		require.NoError(rg.t, err)
		_, err = io.WriteString(part, p.content)
		require.NoError(rg.t, err)
	}
	require.NoError(rg.t, w.Close())
	res := rg.do("POST", "/api/v1/proof/a", body.String(), "Authorization", "Bearer "+rg.op, "Content-Type", w.FormDataContentType())
	left, err := os.ReadDir(rg.Config.TempDir)
	require.NoError(rg.t, err)
	require.Empty(rg.t, left, "nothing stays in the temporary folder")
	return res
}

func TestUpload(t *testing.T) {
	rg := uploadRig(t)
	t.Run("hands over the fields and the files", func(t *testing.T) {
		res := rg.form(sent{"note", "", "hi"}, sent{"files", "a.jpg", "12345678"}, sent{"lat", "", "30.5"}, sent{"files", "../../b.jpg", "x"}, sent{"nota", "", "?"})
		require.Equal(t, 200, res.StatusCode, res.raw)
		require.Equal(t, []any{"a.jpg:8:12345", "b.jpg:1:x"}, res.body["files"])
		require.Equal(t, "hi", res.body["note"])
		require.InDelta(t, 30.5, res.body["lat"], 0)
		require.Equal(t, []any{`The form field "nota" is not known and was ignored; did you mean note?`}, res.body["warnings"])
	})
	many := make([]sent, 21)
	for i := range many {
		many[i] = sent{"files", fmt.Sprintf("%d.jpg", i), "x"}
	}
	large := strings.Repeat("x", 24<<20)
	for name, c := range map[string]struct {
		parts  []sent
		status int
		text   string
	}{
		"a bad field":         {[]sent{{"lat", "", "91"}, {"note", "", "long long long"}}, 400, "lat must be between -90 and 90; got 91; note must have at most 10 characters; got 14"},
		"a word for a number": {[]sent{{"lat", "", "north"}}, 400, `lat must be a number; got \"north\"`},
		"a field twice":       {[]sent{{"note", "", "a"}, {"note", "", "b"}}, 400, `\"note\" is given more than once`},
		"too many files":      {many, 413, `At most 20 files at a time; \"20.jpg\" is one too many.`},
		"a file too large":    {[]sent{{"files", "big.jpg", strings.Repeat("x", 25<<20+1)}}, 413, `\"big.jpg\" is larger than 25 MiB; send a smaller one.`},
		"too much in all":     {[]sent{{"files", "1", large}, {"files", "2", large}, {"files", "3", large}, {"files", "4", large}, {"files", "5", large}}, 413, "larger than 100 MiB in all"},
		"a field too large":   {[]sent{{"note", "", strings.Repeat("x", 70<<10)}}, 413, "larger than 64 KiB"},
	} {
		t.Run(name+" gets a sentence", func(t *testing.T) {
			res := rg.form(c.parts...)
			require.Equal(t, c.status, res.StatusCode, res.raw)
			require.Contains(t, res.raw, c.text)
		})
	}
	t.Run("what is no form gets a sentence", func(t *testing.T) {
		bearer := "Bearer " + rg.op
		require.Equal(t, 415, rg.do("POST", "/api/v1/proof/a", `{}`, "Authorization", bearer, "Content-Type", "application/json").StatusCode)
		require.Equal(t, 400, rg.do("POST", "/api/v1/proof/a", `{}`, "Authorization", bearer, "Content-Type", "multipart/form-data").StatusCode)
		res := rg.do("POST", "/api/v1/proof/a", "--b\r\nContent-Disposition: form-data; name=files; filename=a\r\n\r\nx", "Authorization", bearer, "Content-Type", "multipart/form-data; boundary=b")
		require.Equal(t, 400, res.StatusCode)
		require.Contains(t, res.raw, "breaks off")
	})
}

type pictureRequest struct {
	ID        string `path:"id" json:"id"`
	Signature string `query:"signature" json:"signature,omitempty"`
}

type closing struct {
	io.Reader
	closed *atomic.Int64
}

func (c closing) Close() error { c.closed.Add(1); return nil }

type seeking struct {
	io.ReadSeeker
	closed *atomic.Int64
}

func (s seeking) Close() error { s.closed.Add(1); return nil }

func TestDownload(t *testing.T) {
	rg := newRig(t, Config{})
	var closed atomic.Int64
	getPhoto := schemas.Download[pictureRequest]{Contract: schemas.Marketplace, Method: "GET", Path: "/photos/{id}", Access: schemas.Agent | schemas.Link}
	download(rg.api, getPhoto, func(_ context.Context, in pictureRequest) (schemas.Content, error) {
		c := schemas.Content{Name: "ä \"1\".jpg", MIME: "image/jpeg", Size: 5, ETag: "abc"}
		switch in.ID {
		case "file":
			c.Body = seeking{strings.NewReader("hello"), &closed}
		case "stream":
			c.Body = closing{strings.NewReader("hello"), &closed}
		case "broken":
			c.Size, c.Body = -1, closing{io.MultiReader(strings.NewReader("hel"), failing{}), &closed}
		default:
			return c, schemas.NewError(schemas.CodeNotFound, "There is no such photo.")
		}
		return c, nil
	})
	for _, id := range []string{"file", "stream"} {
		t.Run("streams a "+id+" that no browser runs", func(t *testing.T) {
			before := closed.Load()
			res := rg.agent("GET", "/api/v1/photos/"+id, "")
			require.Equal(t, "hello", res.raw)
			require.Equal(t, "image/jpeg", res.Header.Get("Content-Type"))
			require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
			require.True(t, strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment;"))
			require.Contains(t, res.Header.Get("Content-Security-Policy"), "sandbox")
			require.Contains(t, res.Header.Get("Cache-Control"), "private")
			require.Equal(t, `"abc"`, res.Header.Get("ETag"))
			require.Equal(t, 304, rg.agent("GET", "/api/v1/photos/"+id, "", "If-None-Match", `"abc"`).StatusCode)
			require.Equal(t, int64(2), closed.Load()-before)
		})
	}
	t.Run("cuts the connection when the file breaks off", func(t *testing.T) {
		req, err := http.NewRequest(http.MethodGet, rg.url+"/api/v1/photos/broken", nil)
		require.NoError(t, err)
		req.Header.Set("X-API-Key", rg.creds.LiveKey)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return // cut before the headers went out
		}
		defer res.Body.Close()
		_, err = io.ReadAll(res.Body)
		require.Error(t, err)
	})
	t.Run("lets a signed link through to the service, and nothing else", func(t *testing.T) {
		require.Equal(t, 404, rg.do("GET", "/api/v1/photos/x?signature=s", "").StatusCode)
		require.Equal(t, 401, rg.do("GET", "/api/v1/photos/x", "").StatusCode)
		require.Equal(t, 401, rg.do("GET", "/api/v1/agent?signature=s", "").StatusCode)
		require.NotContains(t, rg.log.String(), "signature=")
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }
