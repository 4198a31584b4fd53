package quorum

import (
	"encoding/json"
	"fmt"

	"humanops-mcp/internal/answer"
	"humanops-mcp/internal/check"
	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

// The bounds of a mode.
const (
	maxSteps     = 10
	maxNames     = 50 // in one step
	maxThreshold = 50
)

// Several tells whether more than one answer may be needed.
func Several(m schemas.ReviewMode) bool {
	return len(m.Steps) > 0 || m.Mode == All || m.Mode == Quorum
}

// CheckMode checks how many people decide, and gives it in the one form that is kept:
// nothing where the first answer counts.
func CheckMode(field string, m *schemas.ReviewMode) (*schemas.ReviewMode, error) {
	if m == nil {
		return nil, nil
	}
	var p check.Problems
	checked := *m
	if len(m.Steps) > 0 {
		checkSteps(&p, field, checked)
		if checked.Order == "" {
			checked.Order = Sequential
		}
		return &checked, p.Err()
	}
	if m.Order != "" {
		p.Add(field+".order", "is the order of steps, and there are none; leave it out or send steps")
	}
	checkCircle(&p, field, m.Mode, m.Threshold)
	if m.Of != 0 && m.Mode != Quorum {
		p.Add(field+".of", "only goes with mode quorum")
	}
	if m.Of != 0 && m.Of < m.Threshold {
		p.Add(field+".of", "must be at least the threshold %d; got %d", m.Threshold, m.Of)
	}
	if m.Mode != All && m.Mode != Quorum {
		return nil, p.Err()
	}
	return &checked, p.Err()
}

func checkSteps(p *check.Problems, field string, m schemas.ReviewMode) {
	if m.Mode != "" || m.Threshold != 0 || m.Of != 0 {
		p.Add(field+".mode", "does not go with steps: each step has its own mode and threshold")
	}
	if m.Order != "" && m.Order != Sequential && m.Order != Parallel {
		p.Add(field+".order", "must be one of: sequential, parallel")
	}
	if !p.Items(field+".steps", len(m.Steps), maxSteps) {
		return
	}
	for i, step := range m.Steps {
		at := fmt.Sprintf("%s.steps[%d]", field, i)
		checkCircle(p, at, step.Mode, step.Threshold)
		if len(step.To) == 0 || len(step.To) > maxNames {
			p.Add(at+".to", `must name 1 to %d people or groups; got %d. Example: ["Ada"]`, maxNames, len(step.To))
		}
	}
}

func checkCircle(p *check.Problems, field, mode string, threshold int) {
	switch {
	case mode != "" && mode != First && mode != All && mode != Quorum:
		p.Add(field+".mode", "must be one of: first, all, quorum")
	case mode == Quorum && (threshold < 1 || threshold > maxThreshold):
		p.Add(field+".threshold", "must be between 1 and %d with mode quorum: how many equal answers decide; got %d", maxThreshold, threshold)
	case mode != Quorum && threshold != 0:
		p.Add(field+".threshold", "only goes with mode quorum")
	}
}

// Within gives a request that brings no mode its loop's. Where the loop demands the
// agreement of several, a request may ask for more of it but not for less: how a loop
// decides is a person's to say, not the agent's that asks in it.
func Within(loop *schemas.ReviewMode, in *schemas.NewReview) error {
	if in.ReviewMode == nil {
		in.ReviewMode = loop
	}
	switch {
	case loop == nil || !Several(*loop):
		return nil
	case !Same(*loop, *in.ReviewMode) && !Stricter(*loop, *in.ReviewMode):
		return schemas.Invalid("review_mode", "must not ask for less agreement than the loop does. Leave it out; for a loop with a quorum it may have a higher threshold")
	case loop.Mode == All && len(in.AssignTo) > 0:
		return schemas.Invalid("assign_to", "does not go with a loop in which everybody has to answer; leave it out")
	}
	return nil
}

// Same tells whether two modes are equal.
func Same(a, b schemas.ReviewMode) bool { return store.JSON(a) == store.JSON(b) }

// Stricter tells whether a mode asks for no less agreement than a loop's quorum does.
func Stricter(loop, own schemas.ReviewMode) bool {
	return loop.Mode == Quorum && own.Mode == Quorum && len(own.Steps) == 0 && own.Threshold >= loop.Threshold && (loop.Open || !own.Open)
}

// Suits tells whether a response type can be decided in a mode.
func Suits(m *schemas.ReviewMode, spec answer.Spec, byDefault []byte) error {
	if m == nil {
		return nil
	}
	if len(m.Steps) > 0 && !spec.Decides() {
		return schemas.Invalid("review_mode.steps", "need a response type whose every answer approves, rejects or asks for changes, such as boolean")
	}
	if !spec.Countable() {
		return schemas.Invalid("review_mode", "needs answers that can be held against each other: boolean, single_select without other answers, rating or number; got "+spec.Type())
	}
	if _, ok := Fallback(spec, byDefault); !ok {
		return schemas.Invalid("default_response", "is needed when several people decide: it counts when their answers cannot agree any more")
	}
	return nil
}

// Fallback is what disagreement comes to: a rejection where every answer decides, else the
// default. There may be neither.
func Fallback(spec answer.Spec, byDefault json.RawMessage) (answer.Answer, bool) {
	if spec.Decides() {
		if a, ok := spec.Rejection(); ok {
			return a, true
		}
	}
	if len(byDefault) == 0 {
		return answer.Answer{}, false
	}
	a, err := spec.Default(byDefault)
	return a, err == nil
}

// MeaningOf says what disagreement comes to in answers of a type with a default.
func MeaningOf(spec answer.Spec, byDefault json.RawMessage) (m Meaning) {
	if kind := spec.Type(); kind == "rating" || kind == "number" {
		m.Median = spec.Median
	}
	m.Fallback, _ = Fallback(spec, byDefault)
	return m
}
