package review

import "encoding/json"

// What the entries of a request's trail say beside from, to, version and round, by event.
type (
	// Created is the payload of Create.
	Created struct {
		Mode         string   `json:"mode"`
		LoopID       string   `json:"loop_id"`
		ActionDigest string   `json:"action_digest,omitempty"`
		Asked        []string `json:"asked,omitempty"` // people
	}
	// Claimed is the payload of Release and LeaseEnd: whose claim is over, and why.
	Claimed struct {
		ClaimedBy string `json:"claimed_by"`
		Why       string `json:"why,omitempty"`
	}
	// Answered is the payload of Answer: how many have answered in this round.
	Answered struct {
		Answers int    `json:"answers"`
		Why     string `json:"why,omitempty"`
	}
	// Decided is the payload of Decide, where the decision was made on the request's task.
	Decided struct {
		Decision string `json:"decision"`
		Source   string `json:"source"`
	}
	// Concluded is the payload of Decide, where answers made the decision.
	Concluded struct {
		Decided
		Value        json.RawMessage `json:"value"`
		DecidedBy    []string        `json:"decided_by"`
		Answers      []Vote          `json:"answers"`
		Comment      string          `json:"comment,omitempty"`
		ActionDigest string          `json:"action_digest,omitempty"`
		EditedDigest string          `json:"edited_digest,omitempty"`
	}
	// Vote is one of the answers that a decision was made of.
	Vote struct {
		Step     int64           `json:"step,omitempty"`
		Person   string          `json:"person"`
		Value    json.RawMessage `json:"value"`
		Decision string          `json:"decision"`
		Via      string          `json:"via"`
	}
	// Updated is the payload of Update: which fields are other ones now.
	Updated struct {
		Fields []string `json:"fields"`
	}
	// Opened is the payload of ClaimLate: to how many others the request was opened.
	Opened struct {
		OpenedTo int `json:"opened_to"`
	}
	// Escalated is the payload of Escalate.
	Escalated struct {
		Step   int64  `json:"step"`
		Told   int    `json:"told"`
		Reason string `json:"reason,omitempty"`
	}
	// Ended is the payload of Timeout, Exhausted and Cancel, where there is more to say.
	Ended struct {
		Reason string `json:"reason,omitempty"`
	}
	// Reopened is the payload of NextRound.
	Reopened struct {
		ActionDigest string `json:"action_digest"`
	}
	// Consumed is the payload of a receipt's use.
	Consumed struct {
		ActionDigest string `json:"action_digest"`
		Round        int64  `json:"round"`
	}
	// Rated is the payload of an agent's feedback.
	Rated struct {
		FeedbackID string `json:"feedback_id"`
	}

	// inRound is said by every entry.
	inRound struct {
		Round int64 `json:"round"`
	}
)
