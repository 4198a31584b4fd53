package page

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"humanops-mcp/internal/answer"
	"humanops-mcp/schemas"
)

// maxFallback is how much of a default answer stands in the head of the page.
const maxFallback = 200

// ReviewPage is a review request as somebody who was asked sees it.
type ReviewPage struct {
	Frame
	Review   schemas.Review
	Me       string // id of the reader
	As       string // the reader's name, where a mailed link and not a session says who it is
	Base     string // where the page's own addresses begin
	Fields   []answer.Field
	Means    map[string]string // of an answer's values: approved, rejected or needs_changes
	Media    []Medium
	Task     *Seen           // whose proof is to be decided
	Disputed bool            // the question is how a dispute is settled
	Newer    *schemas.Review // in which the task's proof is decided by now
	Form     Form
	Owner    bool
	Fixed    bool // the action's arguments may only be approved as they are
	Passkey  PasskeyHelp
	Lease    int // seconds that a claim lasts without a sign of life
	Now      Stamp
}

// Medium is a file that belongs to the request: shown when it is an image of this house,
// else a link.
type Medium struct {
	Label   string
	Href    string // "" where the address is none that may be opened
	Address string // of a file elsewhere, in words
	Show    bool
}

// PasskeyHelp says what somebody has to do before a passkey can be used here.
type PasskeyHelp struct {
	Missing   bool   // they have no passkey that counts here
	Localhost string // the same page where passkeys work
}

func (v ReviewPage) byLink() bool { return v.As != "" }

func (v ReviewPage) may() schemas.ReviewerMay {
	if v.Review.May == nil {
		return schemas.ReviewerMay{}
	}
	return *v.Review.May
}

func (v ReviewPage) claimed() bool { return v.Review.ClaimedBy == v.Me && v.Me != "" }

// state tells review.js what it may do about the claim.
func (v ReviewPage) state() string {
	switch {
	case v.byLink():
		return ""
	case v.claimed():
		return "mine"
	case v.may().Claim:
		return "free"
	}
	return ""
}

// toldWhose tells whether all that keeps the reader from deciding is another's claim, which
// has a notice of its own.
func (v ReviewPage) toldWhose() bool {
	return !v.byLink() && !v.claimed() && v.Review.ClaimEndsAt != nil && strings.HasPrefix(v.may().Why, "It is claimed by ")
}

func (v ReviewPage) heading() string { return reviewHeading(v.Review) }

// reviewHeading is the title, or how the text begins.
func reviewHeading(r schemas.Review) string {
	if r.Title != "" {
		return plain(r.Title)
	}
	for line := range strings.Lines(r.RequestText) {
		line = strings.TrimSpace(strings.TrimLeft(line, "#>*-` "))
		if line == "" {
			continue
		}
		if utf8.RuneCountInString(line) > 90 {
			line = string([]rune(line)[:90]) + "…"
		}
		return plain(line)
	}
	return "Review request"
}

// buttons tells whether every answer decides, so that a press on its button is all it takes.
// A decision on proof is chosen and then sent: it pays, and there is no way back.
func (v ReviewPage) buttons() bool {
	return v.Task == nil && len(v.Fields) == 1 && v.Fields[0].Kind == "radio" && len(v.Means) > 0 &&
		!slices.ContainsFunc(v.Fields[0].Options, func(o answer.Option) bool { return v.Means[o.Value] == "" })
}

// order is what the answer's fields are called on the page.
func (v ReviewPage) order() []string {
	out := make([]string, len(v.Fields))
	for i, f := range v.Fields {
		out[i] = f.Name
	}
	return out
}

func (v ReviewPage) form() Form { return v.Form.of("answer").ordered(v.order()) }

// hidden tells whether any of the agent's words hold characters that are not seen.
func (v ReviewPage) hidden() bool {
	r := v.Review
	if r.Action != nil && (hides(r.Action.Tool) || hidesJSON(r.Action.Arguments)) {
		return true
	}
	if v.Task != nil && v.Task.Task.Location != nil && hides(v.Task.Task.Location.Address) {
		return true
	}
	fields, _ := json.Marshal(v.Fields) // only to look at its words
	return hides(r.Title, r.AgentName, r.FileName, r.ImageURL, r.FileURL, r.VideoURL, r.AudioURL) ||
		hidesMarkdown(r.RequestText) || hidesJSON(r.Context) || hidesJSON(fields)
}

func askedNames(r schemas.Review) []string {
	var out []string
	for _, p := range r.BroadcastedTo {
		if !slices.Contains(out, p.Name) {
			out = append(out, p.Name)
		}
	}
	return out
}

// several tells whether more than one answer is wanted.
func (v ReviewPage) several() bool {
	m := v.Review.ReviewMode
	return m != nil && (m.Mode == "all" || m.Mode == "quorum" || len(m.Steps) > 0)
}

func (v ReviewPage) modeWords() string {
	m := v.Review.ReviewMode
	switch {
	case v.Disputed:
		return "Only owners of this house settle a dispute. The first answer counts."
	case v.Task != nil:
		return "The first answer counts. The agent that posted the task may decide, too."
	case m == nil:
		return "The first answer counts."
	case len(m.Steps) > 0 && m.Order == "parallel":
		return "All of " + plural(len(m.Steps), "circle", "circles") + " have to approve; they are asked at once."
	case len(m.Steps) > 0:
		return plural(len(m.Steps), "circle has", "circles have") + " to approve, one after the other; step " + strconv.Itoa(v.Review.Step+1) + " is asked now."
	case m.Mode == "all":
		return "Everybody who is asked has to answer."
	case m.Mode == "quorum":
		return plural(m.Threshold, "answer", "equal answers") + " of " + strconv.Itoa(max(m.Of, len(v.Review.BroadcastedTo))) + " decide."
	}
	return "The first answer counts."
}

// otherwise is what follows when nobody decides in time.
func (v ReviewPage) otherwise() string {
	switch fallback := v.Review.DefaultResponse; {
	case v.Review.Status.Final():
		return ""
	case v.Task != nil:
		return v.silence()
	case v.Review.OnTimeout == "cancel" || len(fallback) == 0 || string(fallback) == "null":
		return "If nobody does, it is withdrawn and nothing is approved."
	default:
		return "If nobody does, this counts: " + v.shortAnswer(fallback)
	}
}

// silence is what follows for a task when nobody decides on its proof.
func (v ReviewPage) silence() string {
	switch {
	case v.Review.Deadline().Before(v.Review.TimeoutAt):
		return "If nobody does, people are asked anew."
	case v.Disputed:
		return "If nobody does, the operator is paid."
	}
	return "If nobody does, the task goes into dispute, which an owner settles."
}

// answered is what counts: of a boolean by its label, of others whole.
func (v ReviewPage) answered() string {
	if v.Review.ResponseType == "boolean" {
		return v.shortAnswer(v.Review.EffectiveResponse)
	}
	return value(v.Review.EffectiveResponse)
}

// shortAnswer is an answer by its label, where it is one of the options.
func (v ReviewPage) shortAnswer(raw json.RawMessage) string {
	text := value(raw)
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		text = plain(strings.Join(list, ", "))
	}
	if len(v.Fields) == 1 {
		for _, o := range v.Fields[0].Options {
			if o.Value == text {
				text = optionLabel(o)
			}
		}
	}
	if letters := []rune(text); len(letters) > maxFallback {
		text = string(letters[:maxFallback]) + " …"
	}
	return text
}

// outcomeClass is the colour in which the outcome stands.
func (v ReviewPage) outcomeClass() string {
	return map[string]string{schemas.Approved: "good", schemas.Rejected: "bad", schemas.NeedsChanges: "warn"}[v.Review.Decision]
}

// outcome is what became of the request, in a sentence.
func (v ReviewPage) outcome() string {
	r := v.Review
	word := outcomeWord(r)
	switch {
	case r.Status == schemas.ReviewCancelled && v.unasked():
		return "It was not decided here, and the proof still waits: people are asked anew within the hour."
	case r.Status == schemas.ReviewCancelled && r.TaskID != "":
		return "It was not decided here. The submission says what became of it."
	case r.Status == schemas.ReviewCancelled:
		return "Withdrawn. There is nothing left to decide."
	case r.ResponseSource == schemas.SourceDefault:
		return "Nobody decided in time, so the answer that was set beforehand counts: " + strings.ToLower(word) + "."
	case r.ResponseSource == schemas.SourcePolicy:
		return word + ", because the needed number of equal answers cannot be reached any more."
	case r.ResponseSource == schemas.SourceSimulated:
		return word + " by a simulated reviewer of test mode."
	case r.ResponseByUser != nil:
		return word + " by " + r.ResponseByUser.Name + via(r.DecidedVia) + "."
	}
	return word + via(r.DecidedVia) + "."
}

// unasked tells an owner, who would see a newer review, that the proof that this was about
// waits for a decision while nobody is asked for one.
func (v ReviewPage) unasked() bool {
	return v.Owner && v.Task != nil && v.Newer == nil && AwaitsDecision(v.Task.Task.Status)
}

// outcomeWord is what was decided: on a task in the words of proof.
func outcomeWord(r schemas.Review) string {
	var word string
	if r.TaskID != "" && json.Unmarshal(r.ResponseValue, &word) == nil && done(word) != "" {
		return done(word)
	}
	return decided[r.Decision]
}

var decided = map[string]string{
	schemas.Approved: "Approved", schemas.Rejected: "Rejected", schemas.NeedsChanges: "Changes requested", schemas.Answered: "Answered",
}

func via(how string) string {
	word := map[string]string{
		"api": "through the API", "page": "on the page", "cli": "by command", "link": "by the link in the mail", "passkey": "with a passkey",
	}[how]
	if word == "" {
		return ""
	}
	return ", " + word
}

// end is when it was over.
func (v ReviewPage) end() Stamp {
	if v.Review.ResponseAt != nil {
		return v.Now.to(*v.Review.ResponseAt)
	}
	return v.Now.to(v.Review.UpdatedAt)
}

// chip is the status at the head of the page.
func (v ReviewPage) chip() chip {
	if v.claimed() && !v.Review.Status.Final() {
		return chip{"Claimed by you", "info"}
	}
	return reviewChip(v.Review)
}

func reviewChip(r schemas.Review) chip {
	switch r.Status {
	case schemas.ReviewPending:
		return chip{"Waiting for a decision", "wait"}
	case schemas.ReviewClaimed:
		return chip{"Claimed", "info"}
	case schemas.ReviewTimeout:
		return chip{"Timed out", ""}
	case schemas.ReviewCancelled:
		return chip{"Withdrawn", ""}
	case schemas.ReviewCompleted:
	}
	class := map[string]string{schemas.Approved: "go", schemas.Rejected: "bad", schemas.NeedsChanges: "wait"}[r.Decision]
	return chip{outcomeWord(r), class}
}

// rowChip is the status in a list, where it says more than the list's heading.
func rowChip(r schemas.Review) chip {
	switch {
	case r.Status == schemas.ReviewPending && r.AnswersIn > 0:
		return chip{plural(r.AnswersIn, "answer", "answers") + " in", "info"}
	case r.Status == schemas.ReviewPending:
		return chip{}
	case r.Status == schemas.ReviewClaimed && r.ClaimedByName != "":
		return chip{"Claimed by " + r.ClaimedByName, "info"}
	}
	return reviewChip(r)
}

func priorityChip(priority string) chip {
	switch priority {
	case "critical":
		return chip{"Critical", "bad"}
	case "high":
		return chip{"High priority", "wait"}
	case "low":
		return chip{"Low priority", ""}
	}
	return chip{}
}

// Choices are the two options of a boolean with words for people, where the agent gave none.
func Choices(r schemas.Review, options []answer.Option) []answer.Option {
	var given struct {
		Yes string `json:"true_label"`
		No  string `json:"false_label"`
	}
	_ = json.Unmarshal(r.ResponseConfig, &given) // it was read once already
	yes, no := "Yes", "No"
	if r.Action != nil {
		yes, no = "Approve", "Reject"
	}
	out := slices.Clone(options)
	for i := range out {
		switch {
		case out[i].Value == "true" && given.Yes == "":
			out[i].Label = yes
		case out[i].Value == "false" && given.No == "":
			out[i].Label = no
		}
	}
	return out
}

// effectOf is what a press on an option does, where neither its words nor the question
// say so.
func (v ReviewPage) effectOf(o answer.Option) string {
	plainWord := map[string]string{schemas.Approved: "Yes", schemas.Rejected: "No"}[v.Means[o.Value]]
	if v.Review.Action == nil && plainWord != "" && o.Label == plainWord {
		return ""
	}
	return effect(o.Label, v.Means[o.Value])
}

// effect is what a deciding answer does, where its own words do not say so.
func effect(label, decision string) string {
	word := strings.ToLower(strings.TrimSpace(label))
	told := map[string][]string{
		schemas.Approved:     {"approve", "approved"},
		schemas.Rejected:     {"reject", "rejected"},
		schemas.NeedsChanges: {"needs changes", "request changes", "needs_changes"},
	}
	if slices.Contains(told[decision], word) {
		return ""
	}
	return map[string]string{schemas.Approved: "Approves it", schemas.Rejected: "Rejects it", schemas.NeedsChanges: "Asks for changes"}[decision]
}

func decisionClass(decision string) string {
	return map[string]string{schemas.Approved: "yes", schemas.Rejected: "no", schemas.NeedsChanges: "change"}[decision]
}

// editable are the arguments as the form for changing them begins with.
func (v ReviewPage) editable() string {
	if v.Review.Action == nil {
		return ""
	}
	return prettyJSON(v.Review.Action.Arguments)
}

// EditableArguments is what the form shows of arguments that nobody has changed.
func EditableArguments(raw json.RawMessage) string { return prettyJSON(raw) }

// CommentLabel is what the field for words is called.
func (v ReviewPage) CommentLabel() string {
	if v.Task != nil {
		return "Reasons"
	}
	return "Comment"
}

func (v ReviewPage) commentHelp() string {
	if v.Task != nil {
		return "One on each line. Needed unless you approve; " + v.Task.operator() + " and the agent read them."
	}
	if len(v.Means) == 0 || v.Review.Action == nil && v.Review.ResponseType == "boolean" {
		return "The agent reads it together with your answer."
	}
	return "The agent reads it. Say what is wrong when you do not approve."
}

// agentName is who asks.
func agentName(r schemas.Review) string {
	if r.AgentName == "" {
		return "An agent"
	}
	return plain(r.AgentName)
}

func loopName(r schemas.Review) string {
	if r.LoopName == "" {
		return r.LoopID
	}
	return r.LoopName
}

func reviewPath(id string) string { return "/reviews/" + url.PathEscape(id) }

func value(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return plain(text)
	}
	return prettyJSON(raw)
}

// ReviewTitle is what the browser calls the page.
func ReviewTitle(r schemas.Review) string { return "Review: " + reviewHeading(r) }

// Plain is a text with every hidden character written out.
func Plain(text string) string { return plain(text) }

// Openable is an address that a page may lead to, or "".
func Openable(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.String()
}
