package task

import "humanops-mcp/schemas"

// What the entries of a task's trail say beside from, to and version, by event.
type (
	// Posted is the payload of Post.
	Posted struct {
		RewardUSD schemas.Money `json:"reward_usd"`
		Title     string        `json:"title"`
	}
	// Accepted is the payload of Accept.
	Accepted struct {
		OperatorID      string `json:"operator_id"`
		EstimateMinutes int64  `json:"estimate_minutes"`
	}
	// Refused is the payload of RejectEstimate.
	Refused struct {
		OperatorID      string `json:"operator_id"`
		EstimateMinutes int64  `json:"estimate_minutes"`
		Reason          string `json:"reason"`
	}
	// Released is the payload of Release.
	Released struct {
		OperatorID string `json:"operator_id"`
		Reason     string `json:"reason"`
	}
	// Withdrawn is the payload of Cancel.
	Withdrawn struct {
		Reason string `json:"reason,omitempty"`
	}
	// HandedIn is the payload of Submit.
	HandedIn struct {
		Submission int64 `json:"submission"`
		Files      int   `json:"files"`
	}
	// Judged is the payload of Guardian's events: what it found.
	Judged struct {
		Submission int64    `json:"submission"`
		Confidence int      `json:"confidence"`
		Method     string   `json:"method"`
		Reasons    []string `json:"reasons"`
	}
	// Decided is the payload of a decision on a submission.
	Decided struct {
		Submission int64    `json:"submission"`
		Reasons    []string `json:"reasons"`
	}
	// Wrote is the payload of a message; its words are not in the trail.
	Wrote struct {
		MessageID string `json:"message_id"`
		From      string `json:"from"`
	}
)

// reasonsOf are the reasons that whoever decided gave.
func reasonsOf(with any) []string {
	switch said := with.(type) {
	case Decided:
		return said.Reasons
	case Judged:
		return said.Reasons
	}
	return nil
}
