// Package web serves the pages for people: sign-in, what waits, a task, a decision.
//
// Every page is made on the server and works without script. A person is known by a
// session cookie; nothing that changes anything answers to GET, and a POST from another
// origin is refused before anything else looks at it.
package web

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/a-h/templ"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/loop"
	"humanops-mcp/internal/passkey"
	"humanops-mcp/internal/review"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/task"
	"humanops-mcp/internal/upload"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/internal/web/static"
	"humanops-mcp/schemas"
)

// Config is what the pages need to know of the installation.
type Config struct {
	PublicURL string // the origin that links start with
	Secure    bool   // people come over HTTPS: cookies travel nowhere else
	Command   string // how this program is called; "humanops-mcp" when empty
	// Address is where a request comes from, for limits; its peer when nil.
	Address func(r *http.Request) string
}

// Deps are the services behind the pages.
type Deps struct {
	Store    *store.Store
	Accounts *account.Service
	Tasks    *task.Service
	Reviews  *review.Service
	Loops    *loop.Service
	Uploads  *upload.Service
	Passkeys *passkey.Service
	Clock    clock.Clock
	Logger   *slog.Logger
	Config   Config
}

type server struct{ Deps }

// New is the handler of every page. It answers for every path that nobody else took.
func New(d Deps) http.Handler {
	if d.Config.Command == "" {
		d.Config.Command = "humanops-mcp"
	}
	if d.Config.Address == nil {
		d.Config.Address = peer
	}
	s := &server{d}
	return s.withHeaders(s.withRecovery(s.withOwnOrigin(s.routes())))
}

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /static/", s.static)
	mux.HandleFunc("GET /{$}", s.open(s.start))
	mux.HandleFunc("GET "+account.LinkPath+"{token}", s.open(s.showSignIn))
	mux.HandleFunc("POST "+account.LinkPath+"{token}", s.open(s.signIn))
	mux.HandleFunc("POST /sign-out", s.open(s.signOut))

	mux.HandleFunc("GET /tasks/{task}", s.signedIn(s.showTask))
	mux.HandleFunc("POST /tasks/{task}/accept", s.signedIn(s.accept))
	mux.HandleFunc("POST /tasks/{task}/start", s.signedIn(s.startWork))
	mux.HandleFunc("POST /tasks/{task}/proof", s.signedIn(s.submitProof))
	mux.HandleFunc("POST /tasks/{task}/messages", s.signedIn(s.ask))
	mux.HandleFunc("POST /tasks/{task}/release", s.signedIn(s.giveBack))
	mux.HandleFunc("GET /tasks/{task}/photos/{n}", s.signedIn(s.photo))

	mux.HandleFunc("GET /decide/{task}", s.owned(s.toProof)) // in mails and on pages of before
	mux.HandleFunc("POST /decide/{task}", s.owned(s.toProof))
	s.reviewRoutes(mux)
	s.houseRoutes(mux)
	mux.HandleFunc("/", s.open(func(http.ResponseWriter, *http.Request) error { return errNoPage }))
	return mux
}

// reviewRoutes are the pages of requests: for people who are signed in, and for whoever
// comes by the link in a mail.
func (s *server) reviewRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /reviews/{review}", s.reviewed(s.showReview))
	mux.HandleFunc("POST /reviews/{review}", s.reviewed(s.decideReview))
	mux.HandleFunc("POST /reviews/{review}/claim", s.reviewed(s.claimReview))
	mux.HandleFunc("POST /reviews/{review}/release", s.reviewed(s.releaseReview))
	mux.HandleFunc("POST /reviews/{review}/escalate", s.reviewed(s.escalateReview))
	mux.HandleFunc("POST /reviews/{review}/passkey", s.reviewed(s.beginDecision))
	mux.HandleFunc("GET /reviews/{review}/files/{upload}", s.reviewed(s.reviewFile))
	mux.HandleFunc("GET /reviews/{review}/photos/{n}", s.reviewed(s.reviewPhoto))
	mux.HandleFunc("GET /reviews/{review}/audit", s.signedIn(s.showAudit))

	mux.HandleFunc("GET /r/{token}", s.mailed(s.showReview))
	mux.HandleFunc("POST /r/{token}", s.mailed(s.decideReview))
	mux.HandleFunc("POST /r/{token}/passkey", s.mailed(s.beginDecision))
	mux.HandleFunc("GET /r/{token}/files/{upload}", s.mailed(s.reviewFile))
	mux.HandleFunc("GET /r/{token}/photos/{n}", s.mailed(s.reviewPhoto))
}

// houseRoutes are the pages about loops and people.
func (s *server) houseRoutes(mux *http.ServeMux) {
	limit := s.limited()
	mux.HandleFunc("GET /join", s.open(s.findInvitation))
	mux.HandleFunc("GET /join/{code}", s.open(s.showJoin))
	mux.HandleFunc("POST /join/{code}", limit(s.open(s.join)))
	mux.HandleFunc("GET /qr/{file}", s.open(s.qrCode))

	mux.HandleFunc("GET /loops", s.owned(s.showLoops))
	mux.HandleFunc("POST /loops", s.owned(s.createLoop))
	mux.HandleFunc("GET /loops/{loop}", s.owned(s.showLoop))
	mux.HandleFunc("POST /loops/{loop}", s.owned(s.saveLoop))
	mux.HandleFunc("POST /loops/{loop}/delete", s.owned(s.deleteLoop))
	mux.HandleFunc("POST /loops/{loop}/passkey", s.owned(s.beginGovern))
	mux.HandleFunc("POST /loops/{loop}/members", s.owned(s.addMember))
	mux.HandleFunc("POST /loops/{loop}/members/{person}/remove", s.owned(s.removeMember))
	mux.HandleFunc("POST /loops/{loop}/invitations", s.owned(s.invite))
	mux.HandleFunc("POST /loops/{loop}/invitations/end", s.owned(s.endInvitations))

	mux.HandleFunc("GET /groups", s.owned(s.showGroups))
	mux.HandleFunc("POST /groups", s.owned(s.saveGroup))
	mux.HandleFunc("POST /groups/{group}/delete", s.owned(s.deleteGroup))

	mux.HandleFunc("GET /people/me", s.signedIn(s.showMe))
	mux.HandleFunc("POST /people/me/hours", s.signedIn(s.saveHours))
	mux.HandleFunc("POST /people/me/passkeys", s.signedIn(s.addPasskey))
	mux.HandleFunc("POST /people/me/passkeys/begin", s.signedIn(s.beginPasskey))
	mux.HandleFunc("POST /people/me/passkeys/{passkey}/remove", s.signedIn(s.removePasskey))
	mux.HandleFunc("POST /people/me/passkeys/{passkey}/confirm", s.signedIn(s.beginRemoval))
}

var errNoPage = schemas.NewError(schemas.CodeNotFound, "There is nothing at this address. The link may be incomplete.")

var errNotYours = schemas.NewError(schemas.CodeNotFound, "There is nothing for you at this address. It may have gone to somebody else, or the link is incomplete.")

// policy lets a page use its own files and nothing else. Chosen photos are shown from
// blob: addresses before they are sent.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' blob:; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// withHeaders locks every answer down. The referrer stays within the origin rather than
// being left out, because browsers then still name the origin of a form.
func (s *server) withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(self), geolocation=(self), microphone=()")
		h.Set("X-Robots-Tag", "noindex")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (s *server) withRecovery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				s.fail(w, r, fmt.Errorf("panic: %v", p))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// withOwnOrigin refuses what another site's page sends here.
func (s *server) withOwnOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	if u, err := url.Parse(s.Config.PublicURL); err == nil && u.Host != "" {
		if err := guard.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			s.Logger.Warn("the public address is no origin: forms work only where the browser's Host matches", "error", err)
		}
	}
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, schemas.NewError(schemas.CodeForbidden,
			"This form was sent from another site, so nothing was done. Open the page here and send it again."))
	}))
	return guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.foreignRead(r) {
			s.fail(w, r, schemas.NewError(schemas.CodeForbidden, "Pages of other sites may not read this one. Open it here."))
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// foreignRead tells whether another site's page wants to read, or to embed, what is here.
// Following a link to here is neither.
func (s *server) foreignRead(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "cross-site", "same-site":
		return r.Header.Get("Sec-Fetch-Mode") != "navigate"
	}
	origin := r.Header.Get("Origin")
	if origin == "" || origin == strings.TrimSuffix(s.Config.PublicURL, "/") {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(u.Host, r.Host)
}

func (s *server) static(w http.ResponseWriter, r *http.Request) {
	if !static.Serve(w, r) {
		http.NotFound(w, r)
	}
}

// handler is a page; an error it returns becomes a page too.
type handler func(w http.ResponseWriter, r *http.Request) error

// open serves everybody; who is signed in is in the context.
func (s *server) open(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r, err := s.identify(r)
		if err == nil && !storable(r.URL.Path) {
			err = errNoPage
		}
		if err == nil {
			err = h(w, r)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	}
}

// storable tells whether every database could hold the text, and so look for it.
func storable(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

// signedIn serves people who are signed in, and tells others how to get in.
func (s *server) signedIn(h handler) http.HandlerFunc {
	return s.open(func(w http.ResponseWriter, r *http.Request) error {
		if account.From(r.Context()).PersonID == "" {
			return schemas.NewError(schemas.CodeUnauthenticated, "Only people who are signed in can see this page.")
		}
		return h(w, r)
	})
}

// owned serves owners; to others the page is not there.
func (s *server) owned(h handler) http.HandlerFunc {
	return s.signedIn(func(w http.ResponseWriter, r *http.Request) error {
		if !account.From(r.Context()).Owner {
			return errNoPage
		}
		return h(w, r)
	})
}

// render writes a page whole or not at all.
func (s *server) render(w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	var out bytes.Buffer
	if err := c.Render(r.Context(), &out); err != nil {
		return fmt.Errorf("render %s: %w", r.Pattern, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the reader has gone: nobody is left to tell
	return nil
}

// frame is what stands around the page.
func (s *server) frame(w http.ResponseWriter, r *http.Request, title string) page.Frame {
	caller := account.From(r.Context())
	return page.Frame{Title: title, Name: caller.Name, Owner: caller.Owner, Flash: takeFlash(w, r)}
}

func (s *server) now() page.Stamp { return page.Stamp{Now: s.Clock.Now()} }

// fail turns an error into a page.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	problem := asProblem(err)
	if problem.Code == schemas.CodeInternal {
		s.Logger.ErrorContext(r.Context(), "a page failed", "method", r.Method, "route", r.Pattern, "error", err)
	}
	if wantsJSON(r) {
		if err := writeJSON(w, statusOf(problem.Code), map[string]string{"error": sentence(problem)}); err != nil {
			s.Logger.ErrorContext(r.Context(), "an error could not be written", "error", err)
		}
		return
	}
	v := problemView(problem)
	v.Name, v.Owner = account.From(r.Context()).Name, account.From(r.Context()).Owner
	if err := s.render(w, r, statusOf(problem.Code), page.Problem(v)); err != nil {
		s.Logger.ErrorContext(r.Context(), "the error page failed", "error", err)
		http.Error(w, "Something went wrong here.", http.StatusInternalServerError)
	}
}

// asProblem is err as a reader may see it: whatever is not meant for people is not told.
func asProblem(err error) *schemas.Error {
	var e *schemas.Error
	switch {
	case errors.As(err, &e) && e.Code == schemas.CodeNotFound && e != errNoPage:
		return errNotYours // its own words speak to programs
	case e != nil && e.Code != schemas.CodeInternal:
		return e
	}
	return schemas.NewError(schemas.CodeInternal, "Something went wrong here. Nothing was changed. Try again; if it stays, tell the owner of this house.")
}

var statuses = map[schemas.Code]int{
	schemas.CodeInvalid: 400, schemas.CodeUnauthenticated: 401, schemas.CodePaymentRequired: 402, schemas.CodeForbidden: 403,
	schemas.CodeNotFound: 404, schemas.CodeConflict: 409, schemas.CodeGone: 410, schemas.CodeTooLarge: 413,
	schemas.CodeUnsupported: 415, schemas.CodeUnprocessable: 422, schemas.CodeRateLimited: 429, schemas.CodeUnavailable: 503,
}

func statusOf(code schemas.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

var headings = map[schemas.Code]string{
	schemas.CodeUnauthenticated: "Please sign in",
	schemas.CodeForbidden:       "That is not allowed",
	schemas.CodeNotFound:        "This page is not here",
	schemas.CodeConflict:        "Things have moved on",
	schemas.CodeGone:            "It is too late for that",
	schemas.CodeTooLarge:        "That is too much at once",
	schemas.CodeRateLimited:     "Too many tries",
	schemas.CodeUnavailable:     "Not possible right now",
	schemas.CodeInternal:        "Something went wrong",
}

func problemView(e *schemas.Error) page.ProblemView {
	v := page.ProblemView{
		Heading: headings[e.Code], Text: sentence(e), Status: e.State,
		Actions: []page.Action{{Text: "To the start page", Href: "/"}},
	}
	if v.Heading == "" {
		v.Heading = "That did not work"
	}
	if e.Code == schemas.CodeUnauthenticated {
		v.Command = "humanops-mcp people add me"
		v.Hint = "This makes a one-time link; for somebody else, put their name in the place of “me”. It runs on the computer of this house's owner."
		v.Actions = nil
	}
	v.Title = v.Heading
	return v
}

// sentence is what an error says, without the names of fields.
func sentence(e *schemas.Error) string {
	if e.Message != "" {
		return e.Message
	}
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = said(f)
	}
	return strings.Join(parts, "\n")
}
