// Package oncall says who is asked when: working hours and absence, who of several people
// gets a request, and which step of an escalation follows. It is pure.
package oncall

import (
	"fmt"
	"slices"
	"strconv"
	"time"
	_ "time/tzdata" // time zones are known on machines without a database of them too

	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

// Rules say when a person may be asked. The zero Rules are always.
type Rules struct {
	zone        *time.Location
	spans       []span
	absentFrom  time.Time
	absentUntil time.Time // zero: not absent
}

// span is a stretch of working hours in minutes of the local day. One that ends before it
// begins ends the next day.
type span struct {
	days        [7]bool
	from, until int
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// RulesOf reads a person's rules, or says what is wrong with them.
func RulesOf(in schemas.AvailabilityRules) (Rules, error) {
	r := Rules{zone: time.UTC}
	var p check.Problems
	if zone, err := time.LoadLocation(in.TimeZone); err == nil && in.TimeZone != "Local" {
		r.zone = zone
	} else {
		p.Add("time_zone", "must be an IANA time zone; got %.64q. Example: Europe/Vienna", in.TimeZone)
	}
	for i, hours := range in.Hours {
		s, problem := spanOf(hours)
		if problem != "" {
			p.Add(fmt.Sprintf("hours[%d]", i), "%s", problem)
		}
		r.spans = append(r.spans, s)
	}
	if in.AbsentUntil != nil {
		r.absentUntil = *in.AbsentUntil
	}
	if in.AbsentFrom != nil {
		r.absentFrom = *in.AbsentFrom
	}
	if !r.absentFrom.IsZero() && !r.absentUntil.After(r.absentFrom) {
		p.Add("absent_until", "must say when the absence ends, and be after absent_from. Example: 2026-08-17T08:00:00Z")
	}
	if err := p.Err(); err != nil {
		return Rules{}, err
	}
	return r, nil
}

func spanOf(in schemas.Hours) (s span, problem string) {
	for _, day := range in.Days {
		n := slices.Index(weekdays, day)
		if n < 0 {
			return s, fmt.Sprintf("must name its days as mon, tue, wed, thu, fri, sat, sun; got %.20q", day)
		}
		s.days[n] = true
	}
	if len(in.Days) == 0 {
		return s, `must name at least one day. Example: {"days": ["mon", "fri"], "from": "09:00", "until": "17:00"}`
	}
	var ok1, ok2 bool
	s.from, ok1 = minutes(in.From)
	s.until, ok2 = minutes(in.Until)
	if !ok1 || !ok2 || s.from == 24*60 {
		return s, fmt.Sprintf("must have times from 00:00 to 24:00; got %.10q to %.10q. Example: 09:00 to 17:00", in.From, in.Until)
	}
	if s.from == s.until {
		return s, fmt.Sprintf("must end at another time than it begins; got %s twice. A whole day is 00:00 to 24:00", in.From)
	}
	return s, ""
}

func minutes(clock string) (int, bool) {
	if len(clock) != 5 || clock[2] != ':' {
		return 0, false
	}
	h, err1 := strconv.ParseUint(clock[:2], 10, 8)
	m, err2 := strconv.ParseUint(clock[3:], 10, 8)
	total := int(h)*60 + int(m)
	return total, err1 == nil && err2 == nil && m < 60 && total <= 24*60
}

// Available tells whether the person may be asked at a time.
func Available(r Rules, at time.Time) bool { return !r.absent(at) && r.working(at) }

func (r Rules) absent(at time.Time) bool {
	return at.Before(r.absentUntil) && !at.Before(r.absentFrom)
}

// working looks at the clock on the wall, so that a day on which clocks are changed has
// its usual hours.
func (r Rules) working(at time.Time) bool {
	if len(r.spans) == 0 {
		return true
	}
	local := at.In(r.zone)
	today, now := local.Weekday(), local.Hour()*60+local.Minute()
	yesterday := (today + 6) % 7
	return slices.ContainsFunc(r.spans, func(s span) bool {
		if s.from < s.until {
			return s.days[today] && s.from <= now && now < s.until
		}
		return s.days[today] && s.from <= now || s.days[yesterday] && now < s.until
	})
}

// horizon is how far ahead openings are looked for: every span comes once a week, and a
// change of clocks swallows at most one.
const horizon = 15 * 24 * time.Hour

// NextOpening is when the person may be asked: at, when they may then, else the first
// time after it. What is critical waits for no working hours, but for the end of an
// absence.
func NextOpening(r Rules, at time.Time, critical bool) time.Time {
	if r.absent(at) {
		return NextOpening(r, r.absentUntil, critical)
	}
	if critical || r.working(at) {
		return at
	}
	if opening := r.search(at); !opening.IsZero() {
		return opening
	}
	if at.Before(r.absentUntil) { // the absence covers all that there is
		return NextOpening(r, r.absentUntil, critical)
	}
	return at // hours that no clock ever shows keep nobody from being asked
}

// search is the first time within the horizon at which the person becomes available.
func (r Rules) search(at time.Time) (first time.Time) {
	for _, opening := range r.openings(at) {
		inside := opening.After(at) && opening.Before(at.Add(horizon))
		if inside && Available(r, opening) && (first.IsZero() || opening.Before(first)) {
			first = opening
		}
	}
	return first
}

// openings are the only times within the horizon at which somebody unavailable can become
// available: beginnings of spans, changes of the zone's clocks, and the end of an absence.
func (r Rules) openings(at time.Time) []time.Time {
	out := []time.Time{r.absentUntil}
	local := at.In(r.zone)
	for day := -1; day <= int(horizon.Hours()/24); day++ {
		noon := time.Date(local.Year(), local.Month(), local.Day()+day, 12, 0, 0, 0, r.zone)
		for _, s := range r.spans {
			out = append(out, onTheWall(noon, s.from)...)
		}
		if _, change := noon.ZoneBounds(); !change.IsZero() {
			out = append(out, change)
		}
	}
	return out
}

// onTheWall are the times at which the clock shows so many minutes of a day: two where
// clocks are put back, none where they are put forward. The day is named by its noon: in
// some zones midnight is an hour that clocks jump over.
func onTheWall(noon time.Time, minute int) (times []time.Time) {
	year, month, day := noon.Date()
	naive := time.Date(year, month, day, minute/60, minute%60, 0, 0, time.UTC)
	for _, near := range []time.Time{noon.Add(-15 * time.Hour), noon.Add(15 * time.Hour)} {
		_, offset := near.Zone()
		t := naive.Add(-time.Duration(offset) * time.Second).In(noon.Location())
		if t.Hour()*60+t.Minute() == minute && t.Day() == day {
			times = append(times, t)
		}
	}
	return times
}
