package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/httprate"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

// joinsPerMinute bounds how many codes one address can try.
const joinsPerMinute = 10

// limited bounds how often one address may send what strangers can send.
func (s *server) limited() func(http.HandlerFunc) http.HandlerFunc {
	limit := httprate.LimitBy(joinsPerMinute, time.Minute, func(r *http.Request) (string, error) {
		return httprate.CanonicalizeIP(s.Config.Address(r)), nil
	}, httprate.WithLimitHandler(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, schemas.NewError(schemas.CodeRateLimited, "That was tried too often from here. Wait a minute, then try again."))
	}))
	return func(h http.HandlerFunc) http.HandlerFunc { return limit(h).ServeHTTP }
}

// qrCode draws the address at which a code is used, whether there is such an invitation
// or not: the picture tells nothing that the code did not.
func (s *server) qrCode(w http.ResponseWriter, r *http.Request) error {
	code, isPNG := strings.CutSuffix(r.PathValue("file"), ".png")
	if !isPNG {
		return errNoPage
	}
	picture, err := s.Loops.JoinQR(code)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(picture) // the reader has gone: nobody is left to tell
	return nil
}

// findInvitation leads on from a code that was typed, or from a whole link.
func (s *server) findInvitation(w http.ResponseWriter, r *http.Request) error {
	code := strings.TrimRight(strings.TrimSpace(r.URL.Query().Get("code")), "/")
	code = code[strings.LastIndexByte(code, '/')+1:]
	to := "/"
	if code != "" {
		to = "/join/" + url.PathEscape(code)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func (s *server) showJoin(w http.ResponseWriter, r *http.Request) error {
	return s.renderJoin(w, r, http.StatusOK, page.Form{})
}

func (s *server) renderJoin(w http.ResponseWriter, r *http.Request, status int, form page.Form) error {
	v := page.JoinPage{Form: form, Action: "/join/" + url.PathEscape(r.PathValue("code"))}
	err := s.Store.Read(r.Context(), func(tx *store.Tx) error {
		got, err := s.Loops.PeekInvitation(r.Context(), tx, r.PathValue("code"))
		v.Loop, v.Description, v.Inviter, v.ByAgent, v.Admits = got.LoopName, got.Description, got.Inviter, got.ByAgent, got.Admits
		return err
	})
	if err != nil {
		return s.deadInvitation(w, r, err)
	}
	v.Frame = s.frame(w, r, "Join "+v.Loop)
	if form.Wrong() {
		v.Title = "Error: " + v.Title
	}
	return s.render(w, r, status, page.Join(v))
}

func (s *server) deadInvitation(w http.ResponseWriter, r *http.Request, cause error) error {
	code := schemas.ErrorCode(cause)
	if !mendable(code) && code != schemas.CodeNotFound {
		return cause
	}
	v := page.ProblemView{
		Frame: s.frame(w, r, "The invitation cannot be used"), Heading: "This invitation cannot be used",
		Text:    "It has run out, was ended, or is not complete: codes tell capital letters from small ones. Ask for a new one.",
		Actions: []page.Action{{Text: "To the start page", Href: "/"}},
	}
	return s.render(w, r, statusOf(code), page.Problem(v))
}

func (s *server) join(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "join")
	if err != nil {
		return err
	}
	if account.From(r.Context()).PersonID != "" {
		return s.joinAsMe(w, r, f)
	}
	name, mail := f.text("name", 200), f.text("email", 254)
	if name == "" {
		f.mark("name", "Write your name: the others see it beside what you decide.")
	}
	var session, status string
	if err = f.wrong(); err == nil {
		err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
			_, token, member, err := s.Loops.JoinAsNew(r.Context(), tx, r.PathValue("code"), name, mail)
			session, status = token, member.Status
			return err
		})
	}
	if err != nil {
		return s.joinAgain(w, r, f, err)
	}
	http.SetCookie(w, s.cookie(sessionCookie, session, cookieLife))
	s.done(w, r, joined(status), "/")
	return nil
}

func (s *server) joinAsMe(w http.ResponseWriter, r *http.Request, f *form) error {
	var got schemas.MemberAnswer
	err := s.Store.Write(r.Context(), func(tx *store.Tx) (err error) {
		got, err = s.Loops.JoinLoop(r.Context(), tx, schemas.JoinLoopRequest{InviteCode: r.PathValue("code")})
		return err
	})
	if err != nil {
		return s.joinAgain(w, r, f, err)
	}
	s.done(w, r, joined(got.Member.Status), "/")
	return nil
}

// joined is the word about a membership that has begun, or waits.
func joined(status string) string {
	if status == "pending" {
		return "waiting"
	}
	return "joined"
}

func (s *server) joinAgain(w http.ResponseWriter, r *http.Request, f *form, cause error) error {
	e, ok := asMendable(cause)
	if !ok {
		return s.deadInvitation(w, r, cause)
	}
	f.blame(e)
	return s.renderJoin(w, r, statusOf(e.Code), f.Form)
}
