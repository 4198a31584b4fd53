package upload

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/blob"
	"humanops-mcp/internal/change"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/event"
	"humanops-mcp/internal/loop"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/receipt"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/seal"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/webhook"
	"humanops-mcp/schemas"
)

const houseURL = "https://house.test"

// house has files, and requests in which they are shown.
type house struct {
	*Service
	t       testing.TB
	reviews *review.Service
	loops   *loop.Service

	agent, sandbox, stranger, owner, ada, bob context.Context
}

func newHouse(t testing.TB, s *store.Store, clk *clock.Fake) *house {
	t.Helper()
	blobs, err := blob.Open(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, blobs.Close()) })
	log, sealer := slog.New(slog.DiscardHandler), seal.New(bytes.Repeat([]byte{7}, 32))
	accounts, passkeys := account.NewService(account.Config{PublicURL: houseURL}), passkey.NewService(passkey.Config{PublicURL: houseURL})
	h := &house{t: t, loops: loop.NewService(loop.Deps{Accounts: accounts, Passkeys: passkeys}, loop.Config{PublicURL: houseURL})}
	h.reviews = review.NewService(review.Deps{
		Store: s, Accounts: accounts, Loops: h.loops, Clock: clk, Sealer: sealer, Passkeys: passkeys, Receipts: receipt.NewService(receipt.Config{}, sealer),
		Changes:  change.New(change.Deps{Store: s, Feed: event.NewFeed(s, clk, log), Clock: clk}),
		Webhooks: webhook.New(webhook.Config{Store: s, Sealer: sealer, Clock: clk}, log),
	}, review.Config{PublicURL: houseURL})
	h.Service = NewService(Deps{Store: s, Blobs: blobs, Shown: h.reviews.ShowsUpload}, houseURL)
	h.settle(accounts)
	return h
}

func (h *house) settle(accounts *account.Service) {
	as := func(c account.Caller) context.Context { c.Via = "api"; return account.With(h.t.Context(), c) }
	h.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := accounts.EnsureHouse(ctx, tx)
		require.NoError(h.t, err)
		require.NoError(h.t, h.loops.EnsureLoops(ctx, tx))
		agent, err := accounts.LocalAgentID(ctx, tx)
		require.NoError(h.t, err)
		owner, err := accounts.OwnerID(ctx, tx)
		require.NoError(h.t, err)
		_, err = tx.InsertAgent(ctx, db.InsertAgentParams{ID: "ag_other", Name: "other", Email: "o@example.com", EmailKey: "o@example.com", Tier: "HOUSE"})
		h.agent, h.sandbox = as(account.Caller{AgentID: agent, Mode: account.Live}), as(account.Caller{AgentID: agent, Mode: account.Test})
		h.stranger, h.owner = as(account.Caller{AgentID: "ag_other", Mode: account.Live}), as(account.Caller{PersonID: owner, Owner: true})
		return err
	})
	var ids []string
	for _, name := range []string{"Ada", "Bob"} {
		h.write(func(_ context.Context, tx *store.Tx) error {
			p, err := accounts.AddPerson(h.owner, tx, schemas.AddPersonRequest{Name: name})
			ids = append(ids, p.OperatorID)
			return err
		})
	}
	h.ada, h.bob = as(account.Caller{PersonID: ids[0]}), as(account.Caller{PersonID: ids[1]})
}

func (h *house) write(unit func(ctx context.Context, tx *store.Tx) error) {
	h.t.Helper()
	require.NoError(h.t, h.Store.Write(h.t.Context(), func(tx *store.Tx) error { return unit(h.t.Context(), tx) }))
}

// ask makes a request in the default loop.
func (h *house) ask(change func(in *schemas.CreateReviewRequest)) (id string) {
	h.t.Helper()
	in := schemas.CreateReviewRequest{LoopID: "default", NewReview: schemas.NewReview{
		RequestText: "Publish this post?", ResponseType: "boolean", ProcessingType: "time-sensitive", TimeoutSeconds: 3600, AllowDuplicate: true,
	}}
	if change != nil {
		change(&in)
	}
	h.write(func(_ context.Context, tx *store.Tx) error {
		made, err := h.reviews.CreateReview(h.agent, tx, in)
		id = made.RequestID
		return err
	})
	return id
}

func fileOf(name, content string) []schemas.File {
	return []schemas.File{{Name: name, Size: int64(len(content)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(content)), nil
	}}}
}

// archive is a zip file with these entries.
func archive(t *testing.T, entries map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, content := range entries {
		e, err := w.Create(name)
		require.NoError(t, err)
		_, err = io.WriteString(e, content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.String()
}

func officeFile(t *testing.T, kind string) string {
	return archive(t, map[string]string{"[Content_Types].xml": `<Types><Override ContentType="application/vnd.openxmlformats-officedocument.` + kind + `.main+xml"/></Types>`, "x/y.xml": "<y/>"})
}

const (
	png  = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	jpeg = "\xff\xd8\xff\xe0\x00\x10JFIF\x00"
	webp = "RIFF\x10\x00\x00\x00WEBPVP8 "
)

func TestFileTypes(t *testing.T) {
	o := newHouse(t, storetest.Open(t), clock.NewFake(storetest.Start))
	docx := officeFile(t, "wordprocessingml.document")
	long := strings.Repeat("ä€😀 ", 40_000)
	for _, c := range []struct {
		name, content string
		image         bool
		want          string // "" is refused
	}{
		{"a.pdf", "%PDF-1.7\n", false, "application/pdf"},
		{"A.PDF", "%PDF-1.7\n", false, "application/pdf"},
		{"a.pdf", "<html>", false, ""},
		{"a.exe", "%PDF-1.7\n", false, ""},
		{"a", "%PDF-1.7\n", false, ""},
		{"a.doc", oleMagic + "x", false, "application/msword"},
		{"a.xls", oleMagic + "x", false, "application/vnd.ms-excel"},
		{"a.ppt", "plain", false, ""},
		{"a.docx", docx, false, ooxml + "wordprocessingml.document"},
		{"a.xlsx", officeFile(t, "spreadsheetml.sheet"), false, ooxml + "spreadsheetml.sheet"},
		{"a.pptx", officeFile(t, "presentationml.presentation"), false, ooxml + "presentationml.presentation"},
		{"a.xlsx", docx, false, ""},
		{"a.docx", archive(t, map[string]string{"evil.js": "x"}), false, ""},
		{"a.docx", docx[:len(docx)-10], false, ""},
		{"a.docx", "PK\x05\x06", false, ""},
		{"a.txt", long, false, "text/plain; charset=utf-8"},
		{"a.txt", long + "\xe2\x82", false, ""},
		{"a.txt", strings.Repeat("x", 70_000) + "\xff", false, ""},
		{"a.csv", "a,b\n1,2\n", false, "text/csv; charset=utf-8"},
		{"a.csv", "a,b\x00", false, ""},
		{"a.png", png, false, ""},
		{"a.png", png, true, "image/png"},
		{"a.jpeg", jpeg, true, "image/jpeg"},
		{"a.gif", "GIF89a\x01\x00\x01\x00", true, "image/gif"},
		{"a.webp", webp, true, "image/webp"},
		{"a.png", jpeg, true, ""},
		{"a.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>", true, ""},
		{"a.pdf", "%PDF-1.7\n", true, ""},
	} {
		out, err := o.UploadFile(o.agent, schemas.Empty{}, fileOf(c.name, c.content), c.image)
		if c.want == "" {
			require.Equal(t, schemas.CodeUnsupported, schemas.ErrorCode(err), "%s %.20q", c.name, c.content)
			continue
		}
		require.NoError(t, err, "%s %.20q", c.name, c.content)
		require.Equal(t, schemas.Uploaded{URL: out.URL, FileType: c.want, FileName: c.name, SizeBytes: int64(len(c.content))}, out)
	}
}

func TestUploads(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		o := newHouse(t, s, clk)
		out, err := o.UploadFile(o.agent, schemas.Empty{}, fileOf(`C:\photos\..\a`+"\n"+`b.png`, png), true)
		require.NoError(t, err)
		require.Equal(t, "ab.png", out.FileName)
		require.Regexp(t, `^https://house\.test/v1/api/uploads/[0-9a-f]{24}$`, out.URL)
		get := func(as context.Context) error {
			content, err := o.GetUpload(as, schemas.UploadRequest{UploadID: path.Base(out.URL)})
			if err != nil {
				return err
			}
			defer content.Body.Close()
			body, err := io.ReadAll(content.Body)
			require.Equal(t, png, string(body))
			require.True(t, content.Inline)
			return err
		}
		hidden := func(as context.Context) {
			t.Helper()
			require.Equal(t, schemas.NewError(schemas.CodeNotFound, "File not found"), get(as))
		}

		t.Run("open to their agent and the owner, and to nobody else at first", func(t *testing.T) {
			require.NoError(t, get(o.agent))
			require.NoError(t, get(o.owner))
			hidden(o.stranger)
			hidden(o.sandbox)
			hidden(o.ada)
			hidden(account.With(t.Context(), account.Caller{}))
		})

		t.Run("open to the people who can see a request with the address", func(t *testing.T) {
			o.write(func(_ context.Context, tx *store.Tx) error {
				_, err := o.loops.AddMember(o.owner, tx, schemas.AddMemberRequest{LoopID: "default", UserID: "Ada"})
				return err
			})
			o.ask(nil)
			hidden(o.ada)
			o.ask(func(in *schemas.CreateReviewRequest) { in.Type, in.ImageURL = "image", out.URL })
			require.NoError(t, get(o.ada))
			hidden(o.bob)
		})

		t.Run("open where the address stands in words, and as long as it does", func(t *testing.T) {
			doc, err := o.UploadFile(o.agent, schemas.Empty{}, fileOf("words.pdf", "%PDF-1.7\n"), false)
			require.NoError(t, err)
			seen := func() schemas.Code {
				content, err := o.GetUpload(o.ada, schemas.UploadRequest{UploadID: path.Base(doc.URL)})
				if err == nil {
					require.NoError(t, content.Body.Close())
				}
				return schemas.ErrorCode(err)
			}
			require.Equal(t, schemas.CodeNotFound, seen())
			id := o.ask(func(in *schemas.CreateReviewRequest) { in.RequestText = "Compare " + doc.URL + " please" })
			require.Empty(t, seen())
			other := "Never mind"
			o.write(func(_ context.Context, tx *store.Tx) error {
				_, err := o.reviews.UpdateReview(o.agent, tx, schemas.UpdateReviewRequest{RequestID: id, RequestText: &other})
				return err
			})
			require.Equal(t, schemas.CodeNotFound, seen(), "the request names it no more")
			o.write(func(_ context.Context, tx *store.Tx) error {
				_, err := o.reviews.UpdateReview(o.agent, tx, schemas.UpdateReviewRequest{RequestID: id, Context: []byte(`{"see":"` + doc.URL + `"}`)})
				return err
			})
			require.Empty(t, seen())
		})

		t.Run("that are documents come as attachments", func(t *testing.T) {
			doc, err := o.UploadFile(o.agent, schemas.Empty{}, fileOf("a.pdf", "%PDF-1.7\n"), false)
			require.NoError(t, err)
			content, err := o.GetUpload(o.agent, schemas.UploadRequest{UploadID: path.Base(doc.URL)})
			require.NoError(t, err)
			require.NoError(t, content.Body.Close())
			require.False(t, content.Inline)
		})

		t.Run("are bounded, one by one and in all", func(t *testing.T) {
			large := fileOf("a.png", png)
			large[0].Size = maxImageBytes + 1
			_, err := o.UploadFile(o.agent, schemas.Empty{}, large, true)
			require.Equal(t, schemas.CodeTooLarge, schemas.ErrorCode(err))
			storetest.Exec(t, o.Store, "UPDATE upload_totals SET bytes = $1", int64(uploadQuota-1))
			_, err = o.UploadFile(o.agent, schemas.Empty{}, fileOf("a.png", png), true)
			require.Equal(t, schemas.CodeTooLarge, schemas.ErrorCode(err))
			require.Equal(t, []string{fmt.Sprint(uploadQuota - 1)}, storetest.Texts(t, o.Store, "SELECT CAST(bytes AS TEXT) FROM upload_totals"), "what is refused does not count")
			_, err = o.UploadFile(o.stranger, schemas.Empty{}, fileOf("a.png", png), true)
			require.NoError(t, err, "each agent has its own quota")
			require.Equal(t, []string{fmt.Sprint(len(png))}, storetest.Texts(t, o.Store, "SELECT CAST(bytes AS TEXT) FROM upload_totals WHERE agent_id = 'ag_other'"))
		})

		t.Run("keep their file from the sweep", func(t *testing.T) {
			sha := storetest.Texts(t, o.Store, "SELECT sha256 FROM uploads WHERE id = $1", path.Base(out.URL))[0]
			o.write(func(ctx context.Context, tx *store.Tx) error {
				used, err := UsesBlob(ctx, tx, sha)
				require.True(t, used)
				return err
			})
		})

		t.Run("ask for one file, and a name that exists", func(t *testing.T) {
			_, err := o.UploadFile(o.agent, schemas.Empty{}, nil, true)
			require.Equal(t, schemas.CodeInvalid, schemas.ErrorCode(err))
			for _, id := range []string{"", "x", "%", strings.Repeat("a", 24)} {
				_, err := o.GetUpload(o.owner, schemas.UploadRequest{UploadID: id})
				require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(err), id)
			}
		})
	})
}
