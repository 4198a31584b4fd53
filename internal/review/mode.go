package review

import (
	"fmt"

	"humanops-mcp/internal/answer"
	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

// checkMode checks how many people decide, and gives it in the one form that is kept:
// nothing where the first answer counts.
func checkMode(field string, m *schemas.ReviewMode) (*schemas.ReviewMode, error) {
	if m == nil {
		return nil, nil
	}
	var p check.Problems
	checked := *m
	if len(m.Steps) > 0 {
		checkSteps(&p, field, checked)
		orElse(&checked.Order, sequential)
		return &checked, p.Err()
	}
	if m.Order != "" {
		p.Add(field+".order", "is the order of steps, and there are none; leave it out or send steps")
	}
	checkCircle(&p, field, m.Mode, m.Threshold)
	if m.Of != 0 && m.Mode != modeQuorum {
		p.Add(field+".of", "only goes with mode quorum")
	}
	if m.Of != 0 && m.Of < m.Threshold {
		p.Add(field+".of", "must be at least the threshold %d; got %d", m.Threshold, m.Of)
	}
	if m.Mode != modeAll && m.Mode != modeQuorum {
		return nil, p.Err()
	}
	return &checked, p.Err()
}

func checkSteps(p *check.Problems, field string, m schemas.ReviewMode) {
	if m.Mode != "" || m.Threshold != 0 || m.Of != 0 {
		p.Add(field+".mode", "does not go with steps: each step has its own mode and threshold")
	}
	if m.Order != "" && m.Order != sequential && m.Order != parallel {
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
	case mode != "" && mode != modeFirst && mode != modeAll && mode != modeQuorum:
		p.Add(field+".mode", "must be one of: first, all, quorum")
	case mode == modeQuorum && (threshold < 1 || threshold > maxThreshold):
		p.Add(field+".threshold", "must be between 1 and %d with mode quorum: how many equal answers decide; got %d", maxThreshold, threshold)
	case mode != modeQuorum && threshold != 0:
		p.Add(field+".threshold", "only goes with mode quorum")
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
