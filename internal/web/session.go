package web

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

const (
	sessionCookie = "humanops_session"
	flashCookie   = "humanops_done"
	// cookieLife is only how long a browser keeps the cookie; the server ends sessions itself.
	cookieLife = 365 * 24 * time.Hour
)

// identify puts the person of the session cookie into the context. A cookie that is not
// valid any more counts as none.
func (s *server) identify(r *http.Request) (*http.Request, error) {
	token := cookieValue(r, sessionCookie)
	if token == "" {
		return r, nil
	}
	var caller account.Caller
	err := s.Store.Read(r.Context(), func(tx *store.Tx) (err error) {
		caller, err = s.Accounts.AuthenticateToken(r.Context(), tx, token)
		return err
	})
	switch schemas.ErrorCode(err) {
	case "":
		caller.Via = "page"
		return r.WithContext(account.With(r.Context(), caller)), s.touch(r, caller)
	case schemas.CodeInternal:
		return r, err
	default:
		return r, nil
	}
}

func cookieValue(r *http.Request, name string) string {
	for _, c := range r.CookiesNamed(name) {
		return c.Value
	}
	return ""
}

// touch keeps the session of somebody who only reads from running out.
func (s *server) touch(r *http.Request, caller account.Caller) error {
	if !caller.Stale {
		return nil
	}
	return s.Store.Write(r.Context(), func(tx *store.Tx) error { return s.Accounts.Touch(r.Context(), tx, caller) })
}

func (s *server) cookie(name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: s.Config.Secure, SameSite: http.SameSiteLaxMode,
	}
}

func (s *server) dropCookie(w http.ResponseWriter, name string) {
	c := s.cookie(name, "", 0)
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// showSignIn shows whom a link signs in. It uses nothing up: mail scanners and link
// previews open addresses too.
func (s *server) showSignIn(w http.ResponseWriter, r *http.Request) error {
	token := r.PathValue("token")
	var person schemas.Person
	err := s.Store.Read(r.Context(), func(tx *store.Tx) (err error) {
		person, err = s.Accounts.PeekLink(r.Context(), tx, token)
		return err
	})
	if err != nil {
		return s.deadLink(w, r, err)
	}
	v := page.SignInView{Person: person.Name, Tasks: slices.Contains(person.Roles, "operator"), Action: r.URL.EscapedPath()}
	v.Title = "Sign in as " + person.Name
	return s.render(w, r, http.StatusOK, page.SignIn(v))
}

func (s *server) signIn(w http.ResponseWriter, r *http.Request) error {
	var session string
	err := s.Store.Write(r.Context(), func(tx *store.Tx) (err error) {
		session, _, err = s.Accounts.SignIn(r.Context(), tx, r.PathValue("token"))
		return err
	})
	if err != nil {
		return s.deadLink(w, r, err)
	}
	http.SetCookie(w, s.cookie(sessionCookie, session, cookieLife))
	s.done(w, r, "in", "/")
	return nil
}

// deadLink is the page of a link that was used, has run out, or never was one.
func (s *server) deadLink(w http.ResponseWriter, r *http.Request, cause error) error {
	var e *schemas.Error
	if !errors.As(cause, &e) || e.Code == schemas.CodeInternal {
		return cause
	}
	v := page.ProblemView{
		Frame:   page.Frame{Title: "The link cannot be used", Name: account.From(r.Context()).Name},
		Heading: "This link cannot be used any more",
		Text:    "A link signs in once and only for a while. This one was used, has run out, or is not complete. The owner of this house makes a new one:",
		Command: "humanops-mcp people add me",
		Hint:    "For somebody else, put their name in the place of “me”.",
	}
	if v.Name != "" {
		v.Text = "You are signed in already, as " + v.Name + ". For another device, the owner of this house makes a new link:"
		v.Actions = []page.Action{{Text: "To the start page", Href: "/"}}
	}
	return s.render(w, r, http.StatusGone, page.Problem(v))
}

func (s *server) signOut(w http.ResponseWriter, r *http.Request) error {
	if id := account.From(r.Context()).SessionID; id != "" {
		err := s.Store.Write(r.Context(), func(tx *store.Tx) error {
			return s.Accounts.SignOut(r.Context(), tx, id)
		})
		if err != nil {
			return err
		}
	}
	s.dropCookie(w, sessionCookie)
	s.done(w, r, "out", "/")
	return nil
}

// flashes are the short words about what was just done. The cookie holds only the key,
// so nobody can put other words on a page.
var flashes = map[string]string{
	"in":        "You are signed in.",
	"out":       "You are signed out.",
	"accepted":  "The task is yours.",
	"estimated": "Your estimate was sent. The agent has to approve it first.",
	"started":   "Work has started. Send the proof when you are done.",
	"submitted": "Your proof was sent.",
	"asked":     "Your message was sent.",
	"released":  "You gave the task back.",

	schemas.ProofApprove:        decided(schemas.ProofApprove, ""),
	schemas.ProofRequestChanges: decided(schemas.ProofRequestChanges, " The operator was told."),
	schemas.ProofReject:         decided(schemas.ProofReject, " The task is in dispute now, and an owner settles that."),
	schemas.ProofRefund:         decided(schemas.ProofRefund, " The task is over."),
	"moved":                     "Nothing was decided: proof is decided on another page now. Look at where it stands, and decide there.",

	"answered":   "Your answer was sent.",
	"unclaimed":  "You gave the claim back.",
	"escalated":  "It was escalated: the next people are told.",
	"joined":     "You are in the loop.",
	"waiting":    "You are known here now. An owner has to admit you to the loop.",
	"saved":      "Saved.",
	"loop-made":  "The loop is there. Invite people into it.",
	"loop-gone":  "The loop and everything in it were deleted.",
	"admitted":   "The person is in the loop.",
	"removed":    "The person is out of the loop.",
	"ended":      "All invitations of the loop ended.",
	"deleted":    "Deleted.",
	"key-added":  "The passkey is registered. An owner enrols it in the loops that demand passkeys.",
	"key-gone":   "The passkey was removed.",
	"hours-kept": "Your hours were saved.",
}

// decided is what was decided on proof, and what comes of it.
func decided(word, then string) string {
	d, _ := schemas.FindProofDecision(word)
	return d.Done + "." + then
}

// done sends the browser on after a POST, with a word about what was done, if there is one.
func (s *server) done(w http.ResponseWriter, r *http.Request, what, to string) {
	if what != "" {
		http.SetCookie(w, s.cookie(flashCookie, what, time.Minute))
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// takeFlash reads the word and takes it away, so that it is shown once.
func takeFlash(w http.ResponseWriter, r *http.Request) string {
	said := cookieValue(r, flashCookie)
	if said == "" || r.Method != http.MethodGet {
		return ""
	}
	http.SetCookie(w, &http.Cookie{Name: flashCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return flashes[said]
}
