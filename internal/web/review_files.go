package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

// media are the request's files. Only an image that was uploaded to this house is shown;
// what lies elsewhere would tell its server who looks at it, and when.
func (s *server) media(at visit, r schemas.Review) []page.Medium {
	var out []page.Medium
	for _, m := range []struct{ label, address string }{
		{"Image", r.ImageURL}, {fileLabel(r), r.FileURL}, {"Video", r.VideoURL}, {"Audio", r.AudioURL},
	} {
		if m.address == "" {
			continue
		}
		if id := s.uploadOf(m.address); id != "" {
			out = append(out, page.Medium{Label: m.label, Href: at.base + "/files/" + url.PathEscape(id), Show: m.address == r.ImageURL})
			continue
		}
		out = append(out, page.Medium{Label: m.label + " on another server", Href: page.Openable(m.address), Address: m.address})
	}
	return out
}

func fileLabel(r schemas.Review) string {
	if r.FileName != "" {
		return page.Plain(r.FileName)
	}
	return "File"
}

// uploadOf is the id of an uploaded file, "" for any other address.
func (s *server) uploadOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.RawQuery != "" || u.User != nil {
		return ""
	}
	public, err := url.Parse(s.Config.PublicURL)
	if err != nil || u.Host != "" && !strings.EqualFold(u.Host, public.Host) {
		return ""
	}
	for _, prefix := range schemas.Reviews.Prefixes() {
		if id, ok := strings.CutPrefix(u.Path, prefix+"/uploads/"); ok && id != "" && !strings.Contains(id, "/") {
			return id
		}
	}
	return ""
}

// reviewFile serves an upload that the request shows, and no other.
func (s *server) reviewFile(w http.ResponseWriter, r *http.Request, at visit) error {
	v, _, err := s.reviewView(at)
	if err != nil {
		return err
	}
	id := r.PathValue("upload")
	mine := slices.ContainsFunc([]string{v.Review.ImageURL, v.Review.FileURL, v.Review.VideoURL, v.Review.AudioURL},
		func(address string) bool { return address != "" && s.uploadOf(address) == id })
	if !mine {
		return errNoPage
	}
	content, err := s.Uploads.GetUpload(asAgent(at.ctx, v.Review), schemas.UploadRequest{UploadID: id})
	if err != nil {
		return err
	}
	defer content.Body.Close()
	serve(w, r, content)
	return nil
}

// reviewPhoto serves a photo of the proof that the request is about.
func (s *server) reviewPhoto(w http.ResponseWriter, r *http.Request, at visit) error {
	var about schemas.Review
	err := s.Store.Read(at.ctx, func(tx *store.Tx) error {
		got, err := s.Reviews.GetReview(at.ctx, tx, schemas.ReviewRequest{RequestID: at.id})
		about = got.Request
		return err
	})
	if err != nil {
		return err
	}
	if about.TaskID == "" {
		return errNoPage
	}
	return s.servePhoto(w, r.WithContext(asAgent(at.ctx, about)), about.TaskID)
}
