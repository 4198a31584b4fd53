package web

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"humanops-mcp/internal/web/page"
	"humanops-mcp/schemas"
)

// The form for a loop's settings has a fixed number of places for what repeats, so that
// it works without script. A place that is empty is left out.

// settingsRead is the form as a request, and where in the form each of its parts stood.
type settingsRead struct {
	in       schemas.UpdateLoopRequest
	policies []int   // place of each policy
	steps    [][]int // places of its steps
	circles  []int   // places of the circles of the review mode
}

func readSettings(f *form, loop string) *settingsRead {
	name, description := f.text("name", 100), f.text("description", 500)
	if name == "" {
		f.mark("name", "Give the loop a name.")
	}
	f.Order = page.SettingsFields(f.Form)
	r := &settingsRead{}
	to := schemas.LoopSettings{
		FailClosed: f.Values["fail_closed"] != "", Passkey: f.Values["passkey"] != "", AcceptUnattended: f.Values["accept_unattended"] != "",
		Routing:      f.Values["routing"],
		LeaseSeconds: f.span("lease"), ClaimSeconds: f.span("claim"), DecideSeconds: f.span("decide"), WarnSeconds: f.span("warn"),
	}
	to.Mode = r.mode(f)
	for p := range page.MaxPolicies {
		if policy, places := readPolicy(f, p); len(policy.Steps) > 0 {
			to.Escalation = append(to.Escalation, policy)
			r.policies, r.steps = append(r.policies, p), append(r.steps, places)
		}
	}
	r.in = schemas.UpdateLoopRequest{LoopID: loop, Name: &name, Description: &description, Settings: &to, Assertion: readAssertion(f)}
	return r
}

// mode is how many people decide; nil for the first answer.
func (r *settingsRead) mode(f *form) *schemas.ReviewMode {
	m := schemas.ReviewMode{Mode: f.Values["mode"], Open: f.Values["open"] != ""}
	if m.Mode == "quorum" {
		m.Threshold, m.Of = f.number("threshold", 50), f.number("of", 50)
	}
	for c := range page.MaxCircles {
		prefix := fmt.Sprintf("c%d_", c)
		to := names(f.Values[prefix+"to"])
		if len(to) == 0 {
			continue
		}
		step := schemas.ReviewStep{To: to, Mode: f.Values[prefix+"mode"]}
		if step.Mode == "quorum" {
			step.Threshold = f.number(prefix+"threshold", 50)
		}
		m.Steps, r.circles = append(m.Steps, step), append(r.circles, c)
	}
	if len(m.Steps) > 0 {
		m.Order = f.Values["order"]
		m.Mode = "" // each circle has its own
	}
	if (m.Mode == "" || m.Mode == "first") && len(m.Steps) == 0 {
		return nil
	}
	return &m
}

func readPolicy(f *form, p int) (policy schemas.EscalationPolicy, places []int) {
	prefix := fmt.Sprintf("p%d_", p)
	for i := range page.MaxSteps {
		at := fmt.Sprintf("%ss%d_", prefix, i)
		to, after := names(f.Values[at+"to"]), strings.TrimSpace(f.Values[at+"after"])
		if len(to) == 0 && after == "" {
			continue
		}
		if len(to) == 0 {
			f.mark(at+"to", "Say who is told in this step.")
		}
		if after == "" {
			f.mark(at+"after", "Say after how long this step is taken.")
		}
		policy.Steps = append(policy.Steps, schemas.EscalationStep{AfterSeconds: f.span(at + "after"), To: to, Channels: slices.Clone(f.Lists[at+"channels"])})
		places = append(places, i)
	}
	if len(policy.Steps) > 0 {
		policy.Priorities = slices.Clone(f.Lists[prefix+"priorities"])
		policy.Repeat, policy.Last = f.number(prefix+"repeat", 10), f.Values[prefix+"last"]
	}
	return policy, places
}

// names are what commas or lines part.
func names(text string) []string {
	var out []string
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	return out
}

var spanPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\d{1,7}) ?(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)$`)
})

// span reads a length of time, such as 10 min, in seconds; an empty field is 0.
func (f *form) span(field string) int {
	text := strings.ToLower(strings.TrimSpace(f.Values[field]))
	if text == "" {
		return 0
	}
	parts := spanPattern().FindStringSubmatch(text)
	if parts == nil {
		f.mark(field, "Write a length of time, such as 90 s, 10 min, 2 h or 1 d.")
		return 0
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0
	}
	return n * map[byte]int{'s': 1, 'm': 60, 'h': 3600, 'd': 86400}[parts[2][0]]
}

// settingsForm are the settings as the form shows them.
func settingsForm(l schemas.Loop, people []schemas.Person) page.Form {
	f := newForm("settings")
	set := l.Settings
	f.Values["name"], f.Values["description"], f.Values["routing"] = l.Name, l.Description, set.Routing
	for field, on := range map[string]bool{"fail_closed": set.FailClosed, "passkey": set.Passkey, "accept_unattended": set.AcceptUnattended} {
		if on {
			f.keep(field, "yes")
		}
	}
	for field, seconds := range map[string]int{"lease": set.LeaseSeconds, "claim": set.ClaimSeconds, "decide": set.DecideSeconds, "warn": set.WarnSeconds} {
		f.Values[field] = page.Span(seconds)
	}
	f.showMode(set.Mode, people)
	for p, policy := range set.Escalation {
		f.showPolicy(fmt.Sprintf("p%d_", p), policy, people)
	}
	f.Order = page.SettingsFields(f.Form)
	return f.Form
}

func (f *form) showMode(m *schemas.ReviewMode, people []schemas.Person) {
	if m == nil {
		return
	}
	f.Values["mode"], f.Values["order"] = m.Mode, m.Order
	f.count("threshold", m.Threshold)
	f.count("of", m.Of)
	if m.Open {
		f.keep("open", "yes")
	}
	for i, step := range m.Steps {
		prefix := fmt.Sprintf("c%d_", i)
		f.Values[prefix+"to"], f.Values[prefix+"mode"] = called(step.To, people), step.Mode
		f.count(prefix+"threshold", step.Threshold)
	}
}

func (f *form) showPolicy(prefix string, policy schemas.EscalationPolicy, people []schemas.Person) {
	f.Lists[prefix+"priorities"] = policy.Priorities
	f.count(prefix+"repeat", policy.Repeat)
	f.Values[prefix+"last"] = policy.Last
	for i, step := range policy.Steps {
		at := fmt.Sprintf("%ss%d_", prefix, i)
		f.Values[at+"after"], f.Values[at+"to"] = page.Span(step.AfterSeconds), called(step.To, people)
		f.Lists[at+"channels"] = step.Channels
	}
}

func (f *form) count(field string, n int) {
	if n > 0 {
		f.Values[field] = strconv.Itoa(n)
	}
}

// called are people by their names, where a setting has their ids.
func called(list []string, people []schemas.Person) string {
	out := slices.Clone(list)
	for i, name := range out {
		if at := slices.IndexFunc(people, func(p schemas.Person) bool { return p.OperatorID == name }); at >= 0 {
			out[i] = people[at].Name
		}
	}
	return strings.Join(out, ", ")
}

var (
	stepField   = regexp.MustCompile(`escalation\[(\d+)\]\.steps\[(\d+)\]\.(after_seconds|to|channels)`)
	policyField = regexp.MustCompile(`escalation\[(\d+)\]\.(priorities|repeat|last)`)
	circleField = regexp.MustCompile(`review_mode\.steps\[(\d+)\]\.(to|mode|threshold)`)
)

// placed renames an error's fields to those of the form.
func (r *settingsRead) placed(err error) error {
	var e *schemas.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Fields = nil
	for _, p := range e.Fields {
		out.Fields = append(out.Fields, schemas.FieldError{Field: r.place(p.Field), Message: sentenceOf(p)})
	}
	return &out
}

// sentenceOf is a problem that begins with the last part of the field's name.
func sentenceOf(p schemas.FieldError) string {
	last := strings.TrimSuffix(p.Field[strings.LastIndex(p.Field, ".")+1:], "]")
	label := page.SettingLabel(strings.SplitN(last, "[", 2)[0])
	return labelled(label, strings.TrimPrefix(p.Message, p.Field+" "))
}

func (r *settingsRead) place(field string) string {
	field = strings.TrimPrefix(field, "settings.")
	if m := stepField.FindStringSubmatch(field); m != nil {
		p, i := index(m[1]), index(m[2])
		if p < len(r.policies) && i < len(r.steps[p]) {
			return fmt.Sprintf("p%d_s%d_%s", r.policies[p], r.steps[p][i], strings.TrimSuffix(m[3], "_seconds"))
		}
	}
	if m := policyField.FindStringSubmatch(field); m != nil && index(m[1]) < len(r.policies) {
		return fmt.Sprintf("p%d_%s", r.policies[index(m[1])], m[2])
	}
	if m := circleField.FindStringSubmatch(field); m != nil && index(m[1]) < len(r.circles) {
		return fmt.Sprintf("c%d_%s", r.circles[index(m[1])], m[2])
	}
	return strings.TrimSuffix(strings.TrimPrefix(field, "review_mode."), "_seconds")
}

func index(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 1 << 20
	}
	return n
}
