package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

func (s *server) showMe(w http.ResponseWriter, r *http.Request) error {
	return s.renderMe(w, r, http.StatusOK, page.Form{})
}

func (s *server) renderMe(w http.ResponseWriter, r *http.Request, status int, form page.Form) error {
	ctx, me := r.Context(), account.From(r.Context()).PersonID
	v := page.MePage{Now: s.now(), Form: form, Localhost: localhost(r.Host, "/people/me")}
	err := s.Store.Read(ctx, func(tx *store.Tx) error {
		keys, err := s.Passkeys.List(ctx, tx, me)
		if err != nil {
			return err
		}
		v.Passkeys = passkeyRows(keys, v.Now)
		v.Availability, err = s.Loops.GetAvailability(ctx, tx, schemas.PersonRequest{PersonID: me})
		return err
	})
	if err != nil {
		return err
	}
	if v.Form.Name != "hours" {
		v.Hours = hoursForm(v.Availability.AvailabilityRules)
	} else {
		v.Hours = v.Form
	}
	v.Frame = s.frame(w, r, "My page")
	if form.Wrong() {
		v.Title = "Error: " + v.Title
	}
	v.Scripts = []string{"passkey.js"}
	return s.render(w, r, status, page.Me(v))
}

func (s *server) settleMe(w http.ResponseWriter, r *http.Request, f *form, done string, err error) error {
	if err == nil {
		s.done(w, r, done, "/people/me")
		return nil
	}
	var e *schemas.Error
	if !errors.As(err, &e) || !mendable(e.Code) {
		return err
	}
	f.blame(e)
	return s.renderMe(w, r, statusOf(e.Code), f.Form)
}

func (s *server) removePasskey(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "passkey")
	if err != nil {
		return err
	}
	assertion := readAssertion(f)
	err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
		return s.Passkeys.Remove(r.Context(), tx, account.From(r.Context()).PersonID, r.PathValue("passkey"), assertion)
	})
	return s.settleMe(w, r, f, "key-gone", err)
}

// moment is how a browser's field for date and time writes one.
const moment = "2006-01-02T15:04"

// stretches is how many stretches of working hours the form has room for.
const stretches = 4

// hoursForm are the rules as the form shows them; times of absence are in their zone.
func hoursForm(rules schemas.AvailabilityRules) page.Form {
	f := newForm("hours")
	zone := zoneOf(rules.TimeZone)
	f.Values["time_zone"] = rules.TimeZone
	for i, h := range rules.Hours {
		n := fmt.Sprint(i)
		f.Lists["days"+n] = h.Days
		f.Values["from"+n], f.Values["until"+n] = h.From, h.Until
	}
	for field, at := range map[string]*time.Time{"absent_from": rules.AbsentFrom, "absent_until": rules.AbsentUntil} {
		if at != nil {
			f.Values[field] = at.In(zone).Format(moment)
		}
	}
	return f.Form
}

func zoneOf(name string) *time.Location {
	if zone, err := time.LoadLocation(name); err == nil && name != "Local" {
		return zone
	}
	return time.UTC
}

func (s *server) saveHours(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r, "hours")
	if err != nil {
		return err
	}
	in := schemas.PutAvailabilityRequest{PersonID: account.From(r.Context()).PersonID, AvailabilityRules: readHours(f)}
	if err = f.wrong(); err == nil {
		err = s.Store.Write(r.Context(), func(tx *store.Tx) error {
			_, err := s.Loops.PutAvailability(r.Context(), tx, in)
			return err
		})
	}
	return s.settleMe(w, r, f, "hours-kept", err)
}

func readHours(f *form) schemas.AvailabilityRules {
	rules := schemas.AvailabilityRules{TimeZone: strings.TrimSpace(f.Values["time_zone"])}
	for i := range max(stretches, page.Stretches(f.Form)) {
		n := fmt.Sprint(i)
		from, until, days := strings.TrimSpace(f.Values["from"+n]), strings.TrimSpace(f.Values["until"+n]), f.Lists["days"+n]
		if from == "" && until == "" {
			continue
		}
		if from == "" || until == "" || len(days) == 0 {
			f.mark("hours", "Each stretch of hours needs its days, when it begins and when it ends.")
			continue
		}
		rules.Hours = append(rules.Hours, schemas.Hours{Days: slices.Clone(days), From: from, Until: until})
	}
	zone := zoneOf(rules.TimeZone)
	rules.AbsentFrom, rules.AbsentUntil = f.moment("absent_from", zone), f.moment("absent_until", zone)
	return rules
}

// moment reads a date and time, nil when the field is empty.
func (f *form) moment(field string, zone *time.Location) *time.Time {
	text := strings.TrimSpace(f.Values[field])
	if text == "" {
		return nil
	}
	for _, layout := range []string{moment, moment + ":05", "2006-01-02 15:04", "2006-01-02"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			at = at.UTC()
			return &at
		}
	}
	f.mark(field, "Write the day and the time like 2030-12-24T18:00.")
	return nil
}
