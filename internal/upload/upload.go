// Package upload keeps the files that agents show to people: who may upload what and how
// much, and who may look at it.
package upload

import (
	"context"
	"fmt"
	"path"
	"strings"
	"unicode"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/blob"
	"humanops-mcp/internal/ident"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
	"humanops-mcp/schemas"
)

const (
	maxDocumentBytes = 50 << 20
	maxImageBytes    = 10 << 20
	uploadQuota      = 1 << 30  // of one agent
	testUploadQuota  = 50 << 20 // of one that uploads in test mode, which anybody may
	maxFileName      = 200      // letters
)

// Deps are the parts that the service works with.
type Deps struct {
	Store *store.Store
	Blobs *blob.Store
	// Shown tells whether a person can see something in which a file's address stands.
	Shown func(ctx context.Context, tx *store.Tx, file db.Upload, personID string) (bool, error)
}

// Service keeps files.
type Service struct {
	Deps
	publicURL string
}

// NewService makes the service. Addresses of files begin with publicURL.
func NewService(d Deps, publicURL string) *Service {
	return &Service{d, strings.TrimSuffix(publicURL, "/")}
}

// UploadFile keeps an agent's file for its requests. Bytes and name both have to say that
// it is of an allowed kind. The file is stored before the row that names it.
func (s *Service) UploadFile(ctx context.Context, _ schemas.Empty, files []schemas.File, image bool) (out schemas.Uploaded, err error) {
	if len(files) != 1 {
		return out, schemas.Invalid("file", fmt.Sprintf("must be one file, as the part called file; got %d", len(files)))
	}
	name, limit := fileName(files[0].Name), int64(maxDocumentBytes)
	if image {
		limit = maxImageBytes
	}
	ref, mime, err := s.keepFile(ctx, files[0], name, image, limit)
	if err != nil {
		return out, err
	}
	c := account.From(ctx)
	id := ident.Hex()
	err = s.Store.Write(ctx, func(tx *store.Tx) error {
		return insertUpload(ctx, tx, db.InsertUploadParams{
			ID: id, AgentID: c.AgentID, Mode: c.Mode, Name: name, Mime: mime, Bytes: ref.Size, Sha256: ref.SHA256, CreatedAt: store.Micros(tx.Now()),
		})
	})
	if err != nil {
		return out, err
	}
	out = schemas.Uploaded{
		URL:      s.publicURL + schemas.Reviews.Prefix() + "/uploads/" + id,
		FileType: mime, FileName: name, SizeBytes: ref.Size,
	}
	account.MarkTest(&out.Sandboxed, c.Mode)
	return out, nil
}

// keepFile stores the file, and looks at what was stored. What is refused is removed by
// the sweep, since no row names it.
func (s *Service) keepFile(ctx context.Context, f schemas.File, name string, image bool, limit int64) (ref blob.Ref, mime string, err error) {
	if f.Size > limit {
		return ref, "", schemas.NewError(schemas.CodeTooLarge, fmt.Sprintf("The file may have at most %d MB; %.80q has more. Send a smaller one.", limit>>20, name))
	}
	body, err := f.Open()
	if err != nil {
		return ref, "", fmt.Errorf("open the upload: %w", err)
	}
	defer body.Close() //nolint:errcheck // it was only read
	if ref, err = s.Blobs.Put(ctx, body, limit); err != nil {
		return ref, "", err
	}
	stored, err := s.Blobs.Open(ref.SHA256)
	if err != nil {
		return ref, "", err
	}
	defer stored.Close() //nolint:errcheck // it was only read
	mime, err = fileType(stored, ref.Size, name, image)
	return ref, mime, err
}

// insertUpload locks the agent, whose quota it is.
func insertUpload(ctx context.Context, tx *store.Tx, up db.InsertUploadParams) error {
	if _, err := account.LockAgent(ctx, tx, up.AgentID); err != nil {
		return fmt.Errorf("find the agent that uploads: %w", err)
	}
	total, err := tx.AddUploaded(ctx, db.AddUploadedParams{AgentID: up.AgentID, Bytes: up.Bytes})
	if err != nil {
		return err
	}
	quota := int64(uploadQuota)
	if up.Mode == account.Test {
		quota = testUploadQuota
	}
	if total > quota {
		return schemas.NewError(schemas.CodeTooLarge, fmt.Sprintf("This agent may store %d MB of uploaded files and has %d MB already. Send the address of a file that is elsewhere instead.", quota>>20, (total-up.Bytes)>>20))
	}
	return tx.InsertUpload(ctx, up)
}

// GetUpload gives a file to the agent that uploaded it, to an owner, and to a person who
// can see a request of that agent in which the file's address stands: a member of the
// request's loop, or somebody who was asked.
func (s *Service) GetUpload(ctx context.Context, in schemas.UploadRequest) (schemas.Content, error) {
	var up db.Upload
	err := s.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if !schemas.IsHex(in.UploadID) {
			return noUpload()
		}
		up, err = s.find(ctx, tx, strings.ToLower(in.UploadID))
		return err
	})
	if err != nil {
		return schemas.Content{}, err
	}
	file, err := s.Blobs.Open(up.Sha256)
	if err != nil {
		return schemas.Content{}, err
	}
	return schemas.Content{Name: up.Name, MIME: up.Mime, Size: up.Bytes, ETag: up.Sha256, Body: file, Inline: strings.HasPrefix(up.Mime, "image/")}, nil
}

func (s *Service) find(ctx context.Context, tx *store.Tx, id string) (db.Upload, error) {
	up, err := tx.FindUpload(ctx, id)
	if store.NotFound(err) {
		return up, noUpload()
	}
	c := account.From(ctx)
	if err != nil || c.SeesTasksOf(up.AgentID, up.Mode) {
		return up, err
	}
	if c.AgentID != "" || c.PersonID == "" || up.Mode != account.Live {
		return up, noUpload()
	}
	shown, err := s.Shown(ctx, tx, up, c.PersonID)
	if err == nil && !shown {
		return up, noUpload()
	}
	return up, err
}

func noUpload() error { return schemas.NewError(schemas.CodeNotFound, "File not found") }

// fileName is the last part of what the client calls the file, in one line.
func fileName(name string) string {
	name = path.Base(strings.ReplaceAll(strings.ToValidUTF8(name, ""), `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, name)
	if letters := []rune(name); len(letters) > maxFileName {
		ending := []rune(path.Ext(name))
		if len(ending) > maxFileName/2 {
			ending = nil
		}
		name = string(letters[:maxFileName-len(ending)]) + string(ending)
	}
	return name
}

func unsupportedFile(name, allowed string) error {
	return schemas.NewError(schemas.CodeUnsupported, fmt.Sprintf("%.80q is no file that is taken here: its content and the ending of its name must both be of %s.", name, allowed))
}

// imageTypes are the endings that go with what the first bytes say.
var imageTypes = map[string][]string{
	"image/jpeg": {".jpg", ".jpeg"}, "image/png": {".png"}, "image/gif": {".gif"}, "image/webp": {".webp"},
}

// UsesBlob tells whether a file was uploaded by somebody.
func UsesBlob(ctx context.Context, tx *store.Tx, sha string) (bool, error) {
	return tx.UploadInUse(ctx, sha)
}
