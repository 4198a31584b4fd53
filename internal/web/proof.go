package web

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"humanops-mcp/schemas"
)

// The limits of one submission, the same as the API's.
const (
	maxFiles     = 20
	maxFileBytes = 25 << 20
	maxAllBytes  = 100 << 20
	// maxUpload is how much is read at all. It is more than what is kept, so that somebody
	// who sends too much gets a page that says so, and not a broken connection.
	maxUpload = 300 << 20
	// uploadTime is what a slow phone may take.
	uploadTime = 15 * time.Minute
)

func (s *server) submitProof(w http.ResponseWriter, r *http.Request) error {
	allow := http.NewResponseController(w)                // a connection's deadlines are the machine's time, not the platform's
	_ = allow.SetReadDeadline(time.Now().Add(uploadTime)) // best effort: some listeners have no deadlines
	_ = allow.SetWriteDeadline(time.Now().Add(uploadTime + time.Minute))
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	up, err := receive(r)
	defer up.discard()
	if err != nil {
		return err
	}
	f := up.form
	in := schemas.SubmitProofRequest{
		TaskID: r.PathValue("task"), Note: f.text("note", 2000), Files: up.files,
		Lat: f.decimal("lat", -90, 90), Lng: f.decimal("lng", -180, 180), AccuracyM: f.decimal("accuracy_m", 0, 1_000_000),
	}
	if len(in.Files) == 0 && in.Note == "" {
		f.mark("files", "Add at least one photo, or write a note where there is nothing to photograph.")
	}
	if err = f.wrong(); err == nil {
		_, err = s.Tasks.SubmitProof(r.Context(), in)
	}
	var e *schemas.Error
	if errors.As(err, &e) && len(in.Files) > 0 && e.Code != schemas.CodeConflict {
		f.blame(e) // what is wrong stands first, then what to do about it
		f.Errors["files"] = strings.TrimSpace(f.Errors["files"] + " Choose the photos again: a browser does not keep them.")
	}
	return s.settle(w, r, f, "submitted", err)
}

// incoming is a form with files that were written to temporary files while they came in.
type incoming struct {
	form  *form
	files []schemas.File
	paths []string
	total int64
}

// discard removes the temporary files; what is wanted of them is stored by now.
func (u *incoming) discard() {
	for _, path := range u.paths {
		_ = os.Remove(path) // the system's own folder of temporary files: it is swept anyway
	}
}

func receive(r *http.Request) (*incoming, error) {
	up := &incoming{form: newForm("proof")}
	parts, err := r.MultipartReader()
	if err != nil {
		return up, schemas.NewError(schemas.CodeInvalid, "The proof did not arrive as a form. Open the task's page and send it from there.")
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return up, nil
		}
		if err == nil {
			err = up.take(part)
		}
		if err != nil {
			return up, broken(err)
		}
	}
}

// broken says what became of an upload that could not be read to its end.
func broken(err error) error {
	var tooLarge *http.MaxBytesError
	var local *os.PathError
	switch {
	case errors.As(err, &tooLarge):
		return schemas.NewError(schemas.CodeTooLarge, "That was more than 100 MB. Go back and choose fewer photos, or smaller ones.")
	case errors.As(err, &local):
		return fmt.Errorf("keep an upload: %w", err)
	}
	return schemas.NewError(schemas.CodeInvalid, "The upload broke off, and nothing was sent in. Go back and send the proof again.")
}

func (u *incoming) take(part *multipart.Part) error {
	if part.FormName() == "files" {
		return u.takeFile(part)
	}
	text, err := io.ReadAll(io.LimitReader(part, formLimit))
	if err != nil {
		return err
	}
	u.form.keep(part.FormName(), string(text))
	_, err = io.Copy(io.Discard, part)
	return err
}

// takeFile writes one photo to a temporary file. A control in which nothing was chosen
// still sends a part, without a name.
func (u *incoming) takeFile(part *multipart.Part) error {
	name := part.FileName()
	if name == "" || len(u.form.Errors) > 0 {
		_, err := io.Copy(io.Discard, part)
		return err
	}
	if len(u.files) == maxFiles {
		u.form.mark("files", fmt.Sprintf("Send at most %d photos at once.", maxFiles))
		return nil
	}
	path, size, err := u.spool(part)
	if err != nil {
		return err
	}
	u.total += size
	switch {
	case size == 0:
		u.form.mark("files", fmt.Sprintf("%q is empty. Choose another photo.", name))
	case size > maxFileBytes:
		u.form.mark("files", fmt.Sprintf("%q is larger than 25 MB. Choose a smaller photo.", name))
	case u.total > maxAllBytes:
		u.form.mark("files", "The photos are more than 100 MB together. Choose fewer, or smaller ones.")
	}
	u.files = append(u.files, schemas.File{Name: name, Size: size, Open: func() (io.ReadCloser, error) { return os.Open(path) }})
	return nil
}

// spool keeps at most one byte more than a photo may have: enough to know that it is too large.
func (u *incoming) spool(part io.Reader) (path string, size int64, err error) {
	file, err := os.CreateTemp("", "humanops-proof-*")
	if err != nil {
		return "", 0, err
	}
	u.paths = append(u.paths, file.Name())
	size, err = io.Copy(file, io.LimitReader(part, maxFileBytes+1))
	return file.Name(), size, errors.Join(err, file.Close())
}

// shown are the kinds of image that a browser may show in place.
var shown = []string{"image/jpeg", "image/png", "image/webp", "image/gif"}

// photo serves a proof photo to a person who is signed in: their own work, or the owner's
// to judge. Which of them may see it is the task service's to say.
func (s *server) photo(w http.ResponseWriter, r *http.Request) error {
	return s.servePhoto(w, r, r.PathValue("task"))
}

func (s *server) servePhoto(w http.ResponseWriter, r *http.Request, task string) error {
	n, err := strconv.Atoi(r.PathValue("n"))
	size := r.URL.Query().Get("size")
	if size == "" {
		size = "large"
	}
	if err != nil || n < 1 || (size != "large" && size != "thumb") {
		return errNoPage
	}
	content, err := s.Tasks.GetProof(r.Context(), schemas.GetProofRequest{TaskID: task, N: n, Size: size})
	if err != nil {
		return err
	}
	defer content.Body.Close()
	serve(w, r, content)
	return nil
}

// attachment names a file that a browser keeps and does not open.
func attachment(name string) string {
	if value := mime.FormatMediaType("attachment", map[string]string{"filename": name}); name != "" && value != "" {
		return value
	}
	return "attachment"
}

func serve(w http.ResponseWriter, r *http.Request, c schemas.Content) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	h.Set("Cache-Control", "private, no-cache") // kept, but never shown without asking who asks
	h.Set("Content-Type", c.MIME)
	if !slices.Contains(shown, c.MIME) {
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", attachment(c.Name))
	}
	if c.ETag != "" {
		h.Set("ETag", strconv.Quote(strings.Trim(c.ETag, `"`)))
	}
	if seeker, ok := c.Body.(io.ReadSeeker); ok {
		http.ServeContent(w, r, "", time.Time{}, seeker)
		return
	}
	if c.Size >= 0 {
		h.Set("Content-Length", strconv.FormatInt(c.Size, 10))
	}
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, c.Body) // the reader has gone: nobody is left to tell
	}
}
