package review

import (
	"fmt"

	"humanops-mcp/internal/answer"
	"humanops-mcp/schemas"
)

// checkMode checks how many people decide, and gives it in the one form that is kept:
// nothing where the first answer counts.
func checkMode(field string, m *schemas.ReviewMode) (*schemas.ReviewMode, error) {
	if m == nil {
		return nil, nil
	}
	var f faults
	checked := *m
	if len(m.Steps) > 0 {
		f.steps(field, checked)
		orElse(&checked.Order, sequential)
		return &checked, f.err()
	}
	if m.Order != "" {
		f.add(field+".order", "is the order of steps, and there are none; leave it out or send steps")
	}
	f.circle(field, m.Mode, m.Threshold)
	if m.Of != 0 && m.Mode != modeQuorum {
		f.add(field+".of", "only goes with mode quorum")
	}
	if m.Of != 0 && m.Of < m.Threshold {
		f.add(field+".of", "must be at least the threshold %d; got %d", m.Threshold, m.Of)
	}
	if m.Mode != modeAll && m.Mode != modeQuorum {
		return nil, f.err()
	}
	return &checked, f.err()
}

func (f *faults) steps(field string, m schemas.ReviewMode) {
	if m.Mode != "" || m.Threshold != 0 || m.Of != 0 {
		f.add(field+".mode", "does not go with steps: each step has its own mode and threshold")
	}
	if m.Order != "" && m.Order != sequential && m.Order != parallel {
		f.add(field+".order", "must be one of: sequential, parallel")
	}
	if len(m.Steps) > 10 {
		f.add(field+".steps", "must have at most 10 items; got %d", len(m.Steps))
		return
	}
	for i, step := range m.Steps {
		at := fmt.Sprintf("%s.steps[%d]", field, i)
		f.circle(at, step.Mode, step.Threshold)
		if len(step.To) == 0 || len(step.To) > maxNames {
			f.add(at+".to", `must name 1 to %d people or groups; got %d. Example: ["Ada"]`, maxNames, len(step.To))
		}
	}
}

func (f *faults) circle(field, mode string, threshold int) {
	switch {
	case mode != "" && mode != modeFirst && mode != modeAll && mode != modeQuorum:
		f.add(field+".mode", "must be one of: first, all, quorum")
	case mode == modeQuorum && (threshold < 1 || threshold > maxThreshold):
		f.add(field+".threshold", "must be between 1 and %d with mode quorum: how many equal answers decide; got %d", maxThreshold, threshold)
	case mode != modeQuorum && threshold != 0:
		f.add(field+".threshold", "only goes with mode quorum")
	}
}

// withinLoop gives a request that brings no mode its loop's. Where the loop demands the
// agreement of several, a request may ask for more of it but not for less: how a loop
// decides is a person's to say, not the agent's that asks in it.
func withinLoop(loop *schemas.ReviewMode, in *schemas.NewReview) error {
	if in.ReviewMode == nil {
		in.ReviewMode = loop
	}
	switch {
	case loop == nil || !several(*loop):
		return nil
	case !sameMode(*loop, *in.ReviewMode) && !stricterQuorum(*loop, *in.ReviewMode):
		return schemas.Invalid("review_mode", "must not ask for less agreement than the loop does. Leave it out; for a loop with a quorum it may have a higher threshold")
	case loop.Mode == modeAll && len(in.AssignTo) > 0:
		return schemas.Invalid("assign_to", "does not go with a loop in which everybody has to answer; leave it out")
	}
	return nil
}

func sameMode(a, b schemas.ReviewMode) bool { return jsonText(a) == jsonText(b) }

func stricterQuorum(loop, own schemas.ReviewMode) bool {
	return loop.Mode == modeQuorum && own.Mode == modeQuorum && len(own.Steps) == 0 && own.Threshold >= loop.Threshold && (loop.Open || !own.Open)
}

// suits tells whether a response type can be decided in a mode.
func suits(m *schemas.ReviewMode, spec answer.Spec, byDefault []byte) error {
	if m == nil {
		return nil
	}
	if len(m.Steps) > 0 && !spec.Decides() {
		return schemas.Invalid("review_mode.steps", "need a response type whose every answer approves, rejects or asks for changes, such as boolean")
	}
	if !spec.Countable() {
		return schemas.Invalid("review_mode", "needs answers that can be held against each other: boolean, single_select without other answers, rating or number; got "+spec.Type())
	}
	if _, ok := fallbackOf(spec, byDefault); !ok {
		return schemas.Invalid("default_response", "is needed when several people decide: it counts when their answers cannot agree any more")
	}
	return nil
}
