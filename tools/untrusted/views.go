package untrusted

import "humanops-mcp/schemas"

// Task cleans every text of a task that somebody else wrote, in place.
func Task(t *schemas.TaskView) {
	if t.Operator != nil {
		t.Operator.Name = Name(t.Operator.Name)
	}
	if t.Estimate != nil {
		t.Estimate.Note = Text(t.Estimate.Note, MaxText)
	}
	for i := range t.OpenQuestions {
		t.OpenQuestions[i].Text = Text(t.OpenQuestions[i].Text, MaxText)
	}
	for i := range t.Submissions {
		t.Submissions[i].Note = Text(t.Submissions[i].Note, MaxNote)
		verdict(t.Submissions[i].Verdict)
		if d := t.Submissions[i].Decision; d != nil {
			d.DecidedBy = Name(d.DecidedBy)
		}
	}
}

// verdict cleans what a model drew from photos, which hold strangers' words too.
func verdict(v *schemas.Verdict) {
	if v == nil {
		return
	}
	for i := range v.Reasons {
		v.Reasons[i] = Text(v.Reasons[i], MaxReason)
	}
	for i := range v.Findings {
		v.Findings[i].Reason = Text(v.Findings[i].Reason, MaxReason)
	}
}

// Review cleans every text of a review that people wrote, in place. An edited action stays
// as it is: what is done has to be exactly that.
func Review(r *schemas.Review) {
	r.ResponseData, r.ResponseValue, r.EffectiveResponse = JSON(r.ResponseData), JSON(r.ResponseValue), JSON(r.EffectiveResponse)
	r.Comment, r.CancelReason, r.ClaimedByName = Text(r.Comment, MaxComment), Text(r.CancelReason, MaxText), Name(r.ClaimedByName)
	if r.ResponseByUser != nil {
		r.ResponseByUser.Name = Name(r.ResponseByUser.Name)
	}
	for i := range r.Answers {
		r.Answers[i].Comment, r.Answers[i].ResponseData = Text(r.Answers[i].Comment, MaxComment), JSON(r.Answers[i].ResponseData)
		r.Answers[i].User.Name = Name(r.Answers[i].User.Name)
	}
	for i := range r.Rounds {
		r.Rounds[i].Comment, r.Rounds[i].ResponseData = Text(r.Rounds[i].Comment, MaxComment), JSON(r.Rounds[i].ResponseData)
	}
	for i := range r.BroadcastedTo {
		r.BroadcastedTo[i].Name = Name(r.BroadcastedTo[i].Name)
	}
}
