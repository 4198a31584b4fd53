package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"time"

	"humanops-mcp/internal/codec"
	"humanops-mcp/schemas"
)

// limits of an upload.
type limits struct {
	files     int
	file, all int64
}

var (
	proofs    = limits{files: 20, file: 25 << 20, all: 100 << 20}
	documents = limits{files: 1, file: 50 << 20, all: 50 << 20}
	images    = limits{files: 1, file: 10 << 20, all: 10 << 20}
)

const (
	maxOverhead = 1 << 20 // form fields and part headers
	maxField    = 64 << 10
	maxFields   = 100
)

// takeProof mounts an endpoint that takes files. They wait in a temporary folder, which is
// gone when the call ends.
func takeProof[In, Out any](a *api, e schemas.Upload[In, Out], fn alone[In, Out]) {
	mountUpload(a, e.Info(), proofs, func(ctx context.Context, in In, _ []schemas.File) (Out, error) { return fn(ctx, in) })
}

// uploadFile mounts an endpoint that takes one file.
func uploadFile[In, Out any](a *api, e schemas.Upload[In, Out], l limits, fn func(ctx context.Context, in In, files []schemas.File) (Out, error)) {
	mountUpload(a, e.Info(), l, fn)
}

func mountUpload[In, Out any](a *api, info schemas.Info, l limits, fn func(ctx context.Context, in In, files []schemas.File) (Out, error)) {
	a.mount(info, func(w http.ResponseWriter, r *http.Request) error {
		dir, err := os.MkdirTemp(a.Config.TempDir, "humanops-upload-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }() // the system's cleaner takes what is left
		form := &form{dir: dir, limits: l, parts: info.Contract.Files(), fields: map[string]string{}}
		if err := form.receive(w, r); err != nil {
			return err
		}
		var in In
		warnings, err := form.decode(r, &in)
		if err != nil {
			return err
		}
		with := func(ctx context.Context, in In) (Out, error) { return fn(ctx, in, form.files) }
		return respond(a, w, r, info, in, with, warnings)
	})
}

// form is a multipart body that has come in.
type form struct {
	dir    string
	limits limits
	parts  schemas.FileParts
	fields map[string]string
	files  []schemas.File
	total  int64
	other  []string // names of file parts that nobody asked for
}

// receive takes the form in.
func (f *form) receive(w http.ResponseWriter, r *http.Request) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" {
		return schemas.NewError(schemas.CodeUnsupported, "Send multipart/form-data, with each file as a part called "+f.parts.Name+".")
	}
	r.Body = http.MaxBytesReader(w, r.Body, f.limits.all+maxOverhead)
	parts, err := r.MultipartReader()
	if err != nil {
		return schemas.NewError(schemas.CodeInvalid, "The form cannot be read: its Content-Type has no boundary.")
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f.take(part)
		}
		if err != nil {
			return uploadError(err, f.limits)
		}
	}
}

// uploadError makes a sentence of what broke the form off.
func uploadError(err error, l limits) error {
	var known *schemas.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &tooLarge):
		return schemas.NewError(schemas.CodeTooLarge, "The files are larger than "+size(l.all)+" in all; send fewer, or smaller ones.")
	case errors.As(err, new(*os.PathError)):
		return err // our own disk
	}
	return schemas.NewError(schemas.CodeInvalid, "The form cannot be read: it breaks off or is not well formed.")
}

func (f *form) take(part *multipart.Part) error {
	name := part.FormName()
	switch {
	case name == f.parts.Name || slices.Contains(f.parts.Also, name):
		return f.takeFile(part)
	case part.FileName() != "":
		f.other = append(f.other, name)
		_, err := io.Copy(io.Discard, part)
		return err
	}
	raw, err := io.ReadAll(io.LimitReader(part, maxField+1))
	if err != nil {
		return err
	}
	if len(raw) > maxField {
		return schemas.NewError(schemas.CodeTooLarge, fmt.Sprintf("The form field %.40q is larger than %s.", name, size(maxField)))
	}
	if _, twice := f.fields[name]; twice {
		return schemas.NewError(schemas.CodeInvalid, fmt.Sprintf("The form field %.40q is given more than once; send it once.", name))
	}
	if len(f.fields) == maxFields {
		return schemas.NewError(schemas.CodeTooLarge, fmt.Sprintf("The form has more than %d fields.", maxFields))
	}
	f.fields[name] = string(raw)
	return nil
}

func (f *form) takeFile(part *multipart.Part) error {
	name := part.FileName()
	l := f.limits
	if len(f.files) == l.files && name != "" {
		return schemas.NewError(schemas.CodeTooLarge, fmt.Sprintf("At most %d files at a time; %.80q is one too many.", l.files, name))
	}
	path := filepath.Join(f.dir, strconv.Itoa(len(f.files)))
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(file, io.LimitReader(part, l.file+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if n == 0 && name == "" {
		return os.Remove(path) // a browser's empty file input
	}
	f.total += n
	switch {
	case n > l.file:
		return schemas.NewError(schemas.CodeTooLarge, fmt.Sprintf("%.80q is larger than %s; send a smaller one.", name, size(l.file)))
	case f.total > l.all:
		return schemas.NewError(schemas.CodeTooLarge, fmt.Sprintf("The files are larger than %s in all, from %.80q on; send fewer, or smaller ones.", size(l.all), name))
	}
	f.files = append(f.files, schemas.File{Name: name, Size: n, Open: func() (io.ReadCloser, error) { return os.Open(path) }})
	return nil
}

// decode reads path, query and form fields into in, and hands it the files.
func (f *form) decode(r *http.Request, in any) (warnings []string, err error) {
	t := reflect.TypeOf(in).Elem()
	params, warnings, err := outside(r, t)
	if err != nil {
		return nil, err
	}
	known := codec.BodyNames(t)
	for name, value := range f.fields {
		if slices.Contains(known, name) {
			params[name] = value
		}
	}
	warnings = append(warnings, unknown("form field", keys(f.fields), known)...)
	warnings = append(warnings, unknown("file part", f.other, []string{f.parts.Name})...)
	more, err := codec.Decode(nil, in, codec.Options{Params: params})
	if err != nil {
		return nil, err
	}
	if files := reflect.ValueOf(in).Elem().FieldByName("Files"); files.IsValid() {
		files.Set(reflect.ValueOf(f.files))
	}
	return append(warnings, more...), nil
}

// download mounts an endpoint that answers with a file.
func download[In any](a *api, e schemas.Download[In], fn func(ctx context.Context, in In) (schemas.Content, error)) {
	a.mount(e.Info(), func(w http.ResponseWriter, r *http.Request) error {
		var in In
		if _, err := decode(r, nil, &in); err != nil {
			return err
		}
		content, err := fn(r.Context(), in)
		if err != nil {
			return err
		}
		defer func() { _ = content.Body.Close() }() // it was only read
		send(w, r, content)
		return nil
	})
}

// send streams a file so that no browser runs it.
func send(w http.ResponseWriter, r *http.Request, c schemas.Content) {
	header := w.Header()
	header.Set("Content-Type", c.MIME)
	disposition := "attachment"
	if c.Inline {
		disposition = "inline"
	}
	header.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": c.Name}))
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Cache-Control", "private, max-age=900")
	if c.ETag != "" {
		header.Set("ETag", strconv.Quote(c.ETag))
	}
	if file, ok := c.Body.(io.ReadSeeker); ok {
		http.ServeContent(w, r, "", time.Time{}, file) // answers If-None-Match and Range
		return
	}
	if c.ETag != "" && r.Header.Get("If-None-Match") == strconv.Quote(c.ETag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if c.Size >= 0 {
		header.Set("Content-Length", strconv.FormatInt(c.Size, 10))
	}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	if _, err := io.Copy(w, c.Body); err != nil {
		panic(http.ErrAbortHandler) // the status has gone out; a cut connection says that the file is not whole
	}
}
