package web

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/answer"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

// defaultLease is how long a claim lasts where nothing else is known.
const defaultLease = 600

// visit is somebody at a review's page, and how they came to it.
type visit struct {
	ctx  context.Context // carries who they are
	id   string          // of the request
	base string          // where the page's own addresses begin
	as   string          // their name, where only a mailed link says it
	host string          // by which the browser reached the page
}

// bySession is the visit of somebody who is signed in.
func bySession(r *http.Request) visit {
	id := r.PathValue("review")
	return visit{ctx: r.Context(), id: id, base: "/reviews/" + url.PathEscape(id), host: r.Host}
}

// byLink is the visit of whoever holds a mailed link. The link alone says who that is:
// one person, one request, and nothing else of theirs.
func (s *server) byLink(r *http.Request) (visit, error) {
	token := r.PathValue("token")
	v := visit{base: "/r/" + url.PathEscape(token), host: r.Host}
	caller := account.Caller{Via: "link"}
	err := s.Store.Read(r.Context(), func(tx *store.Tx) (err error) {
		if v.id, caller.PersonID, err = s.Reviews.PeekLink(r.Context(), tx, token); err != nil {
			return err
		}
		person, err := s.Accounts.FindPerson(r.Context(), tx, caller.PersonID)
		caller.Name, caller.Owner, v.as = person.Name, person.IsOwner, person.Name
		return err
	})
	v.ctx = account.With(r.Context(), caller)
	return v, err
}

// reviewed serves a page of a review to people who are signed in.
func (s *server) reviewed(h func(w http.ResponseWriter, r *http.Request, v visit) error) http.HandlerFunc {
	return s.signedIn(func(w http.ResponseWriter, r *http.Request) error { return h(w, r, bySession(r)) })
}

// mailed serves a page of a review to whoever holds the link.
func (s *server) mailed(h func(w http.ResponseWriter, r *http.Request, v visit) error) http.HandlerFunc {
	return s.open(func(w http.ResponseWriter, r *http.Request) error {
		v, err := s.byLink(r)
		if err != nil {
			return s.deadReviewLink(w, r, err)
		}
		return h(w, r, v)
	})
}

// deadReviewLink is the page of a link that opens nothing.
func (s *server) deadReviewLink(w http.ResponseWriter, r *http.Request, cause error) error {
	var e *schemas.Error
	if !errors.As(cause, &e) || e.Code == schemas.CodeInternal {
		return cause
	}
	v := page.ProblemView{
		Frame: page.Frame{Title: "The link cannot be used"}, Heading: "This link cannot be used", Text: e.Message,
		Actions: []page.Action{{Text: "To the start page", Href: "/"}},
	}
	return s.render(w, r, statusOf(e.Code), page.Problem(v))
}

func (s *server) showReview(w http.ResponseWriter, r *http.Request, at visit) error {
	v, _, err := s.reviewView(at)
	if err != nil {
		return err
	}
	return s.renderReview(w, r, http.StatusOK, v)
}

// reviewView reads everything the page shows, and how an answer is read.
func (s *server) reviewView(at visit) (v page.ReviewPage, spec answer.Spec, err error) {
	caller := account.From(at.ctx)
	v = page.ReviewPage{Me: caller.PersonID, As: at.as, Base: at.base, Owner: caller.Owner && at.as == "", Now: s.now(), Lease: defaultLease}
	err = s.Store.Read(at.ctx, func(tx *store.Tx) error {
		got, err := s.Reviews.GetReview(at.ctx, tx, schemas.ReviewRequest{RequestID: at.id})
		if err != nil {
			return err
		}
		v.Review = got.Request
		if v.Passkey, err = s.passkeyHelp(at, tx, v.Review); err != nil || v.Review.TaskID == "" {
			return err
		}
		return s.fillProof(at, tx, &v)
	})
	if err != nil {
		return v, spec, err
	}
	if spec, err = answer.Parse(v.Review.ResponseType, v.Review.ResponseConfig); err != nil {
		return v, spec, err
	}
	v.Fields, v.Means, v.Fixed = spec.Fields(), meanings(spec), !spec.AllowsEdits()
	if v.Review.ResponseType == "boolean" {
		v.Fields[0].Options = page.Choices(v.Review, v.Fields[0].Options)
	}
	if v.Task != nil {
		v.Fields[0].Label, v.Fields[0].Options = "Decision", page.ProofOptions(v.Task.Task, v.Fields[0].Options)
	}
	v.Media = s.media(at, v.Review)
	if v.Review.ClaimEndsAt != nil && v.Review.ClaimedBy == v.Me {
		v.Lease = leaseLeft(*v.Review.ClaimEndsAt, s.Clock.Now())
	}
	return v, spec, nil
}

// asAgent is for what belongs to a review: whoever may see the request may see the proof
// and the files that its agent put into it.
func asAgent(ctx context.Context, r schemas.Review) context.Context {
	return account.With(ctx, account.Caller{AgentID: r.AgentID, Mode: r.Mode, Via: "page"})
}

func leaseLeft(until, now time.Time) int { return max(1, int(until.Sub(now)/time.Second)) }

// meanings tells what each button would decide; nil where an answer may decide nothing.
func meanings(spec answer.Spec) map[string]string {
	fields := spec.Fields()
	if !spec.Decides() || len(fields) != 1 {
		return nil
	}
	out := map[string]string{}
	for _, o := range fields[0].Options {
		raw, err := spec.FromForm(map[string][]string{fields[0].Name: {o.Value}})
		if err != nil {
			continue
		}
		if a, err := spec.Check("response_data", raw); err == nil {
			out[o.Value] = a.Decision
		}
	}
	return out
}

// passkeyHelp tells what is missing before somebody's passkey can be used.
func (s *server) passkeyHelp(at visit, tx *store.Tx, r schemas.Review) (help page.PasskeyHelp, err error) {
	if r.May == nil || !r.May.Passkey || s.Passkeys == nil {
		return help, nil
	}
	help.Localhost = localhost(at.host, at.base)
	enrolled, err := s.Passkeys.HasEnrolled(at.ctx, tx, r.LoopID, account.From(at.ctx).PersonID)
	help.Missing = !enrolled
	return help, err
}

// localhost is where this machine's own page can use passkeys: browsers know none for
// addresses made of numbers.
func localhost(host, path string) string {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	if ip := net.ParseIP(name); ip == nil || !ip.IsLoopback() {
		return ""
	}
	if port != "" {
		port = ":" + port
	}
	return "http://localhost" + port + path
}

func (s *server) renderReview(w http.ResponseWriter, r *http.Request, status int, v page.ReviewPage) error {
	form := v.Form
	if v.As == "" {
		v.Frame = s.frame(w, r, "")
	} else {
		v.Frame = page.Frame{Flash: takeFlash(w, r)}
	}
	v.Form, v.Title, v.Wide = form, page.ReviewTitle(v.Review), true
	if v.Form.Wrong() {
		v.Title = "Error: " + v.Title
	}
	v.Scripts = []string{"review.js"}
	if v.Review.May != nil && v.Review.May.Passkey {
		v.Scripts = append(v.Scripts, "passkey.js")
	}
	return s.render(w, r, status, page.Review(v))
}

func (s *server) decideReview(w http.ResponseWriter, r *http.Request, at visit) error {
	f, err := readFormUpTo(w, r, "answer", answerLimit)
	if err != nil {
		return err
	}
	v, spec, err := s.reviewView(at)
	if err != nil {
		return err
	}
	f.asks(v)
	in := readAnswer(f, v, spec)
	if err = f.wrong(); err == nil {
		err = s.Store.Write(at.ctx, func(tx *store.Tx) error {
			_, err := s.Reviews.DecideReview(at.ctx, tx, in)
			return err
		})
	}
	if err == nil {
		s.done(w, r, answeredBy(f, v), at.base)
		return nil
	}
	return s.reviewAgain(w, r, at, f, err)
}

// reviewAgain shows the page with everything that was typed and what to mend. After a
// conflict it may show something else than what was decided on, so the choice has to be
// made anew.
func (s *server) reviewAgain(w http.ResponseWriter, r *http.Request, at visit, f *form, cause error) error {
	var e *schemas.Error
	if !errors.As(cause, &e) || !mendable(e.Code) {
		return cause
	}
	v, _, err := s.reviewView(at)
	if err != nil {
		return moved(e, err)
	}
	if e.Code == schemas.CodeConflict && f.Name == "answer" {
		f.Values, f.Lists = map[string]string{"comment": f.Values["comment"]}, nil
	}
	f.blame(answerFields(e, f.Order))
	v.Form = f.Form
	return s.renderReview(w, r, statusOf(e.Code), v)
}

// claimReview answers a script with JSON, and a form with the page.
func (s *server) claimReview(w http.ResponseWriter, r *http.Request, at visit) error {
	f, err := readForm(w, r, "claim")
	if err != nil {
		return err
	}
	var got schemas.ReviewAnswer
	err = s.Store.Write(at.ctx, func(tx *store.Tx) (err error) {
		got, err = s.Reviews.ClaimReview(at.ctx, tx, schemas.ReviewRequest{RequestID: at.id})
		return err
	})
	if err == nil && wantsJSON(r) {
		left := defaultLease
		if until := got.Request.ClaimEndsAt; until != nil {
			left = leaseLeft(*until, s.Clock.Now())
		}
		return writeJSON(w, http.StatusOK, map[string]any{"lease_seconds": left})
	}
	return s.settleReview(w, r, at, f, "", err) // the page says that it is claimed
}

func (s *server) releaseReview(w http.ResponseWriter, r *http.Request, at visit) error {
	f, err := readForm(w, r, "release")
	if err != nil {
		return err
	}
	err = s.Store.Write(at.ctx, func(tx *store.Tx) error {
		_, err := s.Reviews.ReleaseReview(at.ctx, tx, schemas.ReviewRequest{RequestID: at.id})
		return err
	})
	return s.settleReview(w, r, at, f, "unclaimed", err)
}

func (s *server) escalateReview(w http.ResponseWriter, r *http.Request, at visit) error {
	f, err := readForm(w, r, "escalate")
	if err != nil {
		return err
	}
	in := schemas.EscalateReviewRequest{RequestID: at.id, Reason: f.text("reason", 500)}
	if err = f.wrong(); err == nil {
		err = s.Store.Write(at.ctx, func(tx *store.Tx) error {
			_, err := s.Reviews.EscalateReview(at.ctx, tx, in)
			return err
		})
	}
	return s.settleReview(w, r, at, f, "escalated", err)
}

func (s *server) settleReview(w http.ResponseWriter, r *http.Request, at visit, f *form, done string, err error) error {
	if err == nil {
		s.done(w, r, done, at.base)
		return nil
	}
	if wantsJSON(r) {
		return err
	}
	return s.reviewAgain(w, r, at, f, err)
}

// wantsJSON tells whether a script of the page asks, and not a form.
func wantsJSON(r *http.Request) bool { return r.Header.Get("Accept") == "application/json" }

func writeJSON(w http.ResponseWriter, status int, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // the reader has gone: nobody is left to tell
	return nil
}

// showAudit is the trail of a request, for owners.
func (s *server) showAudit(w http.ResponseWriter, r *http.Request) error {
	if !account.From(r.Context()).Owner {
		return errNoPage
	}
	at := bySession(r)
	after, err := page.After(r.URL.Query().Get("after"))
	if err != nil {
		return errNoPage
	}
	v := page.AuditPage{Base: at.base, Now: s.now()}
	err = s.Store.Read(at.ctx, func(tx *store.Tx) (err error) {
		got, err := s.Reviews.GetReview(at.ctx, tx, schemas.ReviewRequest{RequestID: at.id})
		if err != nil {
			return err
		}
		v.Review = got.Request
		v.Trail, err = s.Reviews.GetReviewAudit(at.ctx, tx, schemas.ReviewAuditRequest{RequestID: at.id, After: after, Limit: 100})
		return err
	})
	if err != nil {
		return err
	}
	v.Frame = s.frame(w, r, "Audit trail")
	return s.render(w, r, http.StatusOK, page.Audit(v))
}
