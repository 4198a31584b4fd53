package schemas

import "time"

// ListOpenTasks lists what an operator could take, and with mine=true what they have.
var ListOpenTasks = Endpoint[ListOpenTasksRequest, Page[OperatorTask]]{Marketplace, "GET", "/operator/tasks", "List tasks to do", 200, Operator}

// ListOpenTasksRequest filters the list.
type ListOpenTasksRequest struct {
	TaskType TaskType `query:"task_type" json:"task_type,omitempty" maxLength:"40"`
	Mine     bool     `query:"mine" json:"mine,omitempty" doc:"Only the tasks that I have or had"`
	PageRequest
}

// OperatorTask is a task as the person who may do it sees it.
type OperatorTask struct {
	TaskID              string    `json:"task_id"`
	Status              string    `json:"status"`
	HostedStatus        string    `json:"hosted_status,omitempty"`
	Version             int64     `json:"version"`
	Title               string    `json:"title"`
	Description         string    `json:"description"`
	TaskType            TaskType  `json:"task_type"`
	Location            *Location `json:"location,omitempty"`
	RewardUSD           Money     `json:"reward_usd"`
	Deadline            time.Time `json:"deadline"`
	ProofRequirements   []string  `json:"proof_requirements"`
	DigitalInstructions string    `json:"digital_instructions,omitempty"`
	AgentName           string    `json:"agent_name,omitempty"`
	Mine                bool      `json:"mine"`
	Assigned            bool      `json:"assigned,omitempty" doc:"Only you were asked"`
	Estimate            *Estimate `json:"estimate,omitempty"`
	StartBy             time.Time `json:"start_by,omitzero" doc:"Start before this, or the task goes back to the pool"`
	Submissions         []Proof   `json:"submissions,omitempty"`
	CreatedAt           time.Time `json:"created_at"`
}

// GetOpenTask gives one task that the operator may see.
var GetOpenTask = Endpoint[TaskRequest, OperatorTask]{Marketplace, "GET", "/operator/tasks/{task_id}", "Get a task to do", 200, Operator}

// AcceptTask takes a task, with or without an estimate: one winner.
var AcceptTask = Endpoint[AcceptTaskRequest, OperatorTask]{Marketplace, "POST", "/operator/tasks/{task_id}/accept", "Accept a task", 200, Operator}

// AcceptTaskRequest may carry an estimate of the time it takes.
type AcceptTaskRequest struct {
	TaskID          string `path:"task_id" json:"task_id" maxLength:"64"`
	EstimateDays    int    `json:"estimate_days,omitempty" minimum:"0" maximum:"60"`
	EstimateHours   int    `json:"estimate_hours,omitempty" minimum:"0" maximum:"1000"`
	EstimateMinutes int    `json:"estimate_minutes,omitempty" minimum:"0" maximum:"10000"`
	EstimateNote    string `json:"estimate_note,omitempty" maxLength:"500"`
}

// StartTask begins the work.
var StartTask = Endpoint[TaskRequest, OperatorTask]{Marketplace, "POST", "/operator/tasks/{task_id}/start", "Start work", 200, Operator}

// SubmitProof hands in the proof: up to 20 files of 25 MB, 100 MB in all.
var SubmitProof = Upload[SubmitProofRequest, OperatorTask]{Marketplace, "POST", "/operator/tasks/{task_id}/proof", "Submit proof", 200, Operator}

// SubmitProofRequest is the form; the photos travel as parts called files.
type SubmitProofRequest struct {
	TaskID    string   `path:"task_id" json:"task_id" maxLength:"64"`
	Note      string   `json:"note,omitempty" maxLength:"2000"`
	Lat       *float64 `json:"lat,omitempty" minimum:"-90" maximum:"90" doc:"Where the browser says it is: a claim"`
	Lng       *float64 `json:"lng,omitempty" minimum:"-180" maximum:"180"`
	AccuracyM *float64 `json:"accuracy_m,omitempty" minimum:"0" maximum:"1000000"`
	Files     []File   `json:"-"`
}

// ReleaseTask gives the task back, at any time and without penalty.
var ReleaseTask = Endpoint[ReleaseTaskRequest, OperatorTask]{Marketplace, "POST", "/operator/tasks/{task_id}/release", "Give a task back", 200, Operator}

// ReleaseTaskRequest may say why.
type ReleaseTaskRequest struct {
	TaskID string `path:"task_id" json:"task_id" maxLength:"64"`
	Reason string `json:"reason,omitempty" maxLength:"500"`
}

// PostOperatorMessage asks the agent something, or answers it.
var PostOperatorMessage = Endpoint[PostMessageRequest, Message]{Marketplace, "POST", "/operator/tasks/{task_id}/messages", "Write to the agent", 201, Operator}

// GetEarnings tells an operator what they earned.
var GetEarnings = Endpoint[Empty, Earnings]{Marketplace, "GET", "/operator/earnings", "Earnings", 200, Operator}

// Earnings is the contract's answer.
type Earnings struct {
	PendingBalance   Money        `json:"pending_balance"`
	AvailableBalance Money        `json:"available_balance"`
	TotalEarned      Money        `json:"total_earned"`
	Currency         string       `json:"currency"`
	RecentTasks      []EarnedTask `json:"recent_tasks"`
}

// EarnedTask is one task that was paid.
type EarnedTask struct {
	TaskID      string    `json:"task_id"`
	Title       string    `json:"title"`
	RewardUSD   Money     `json:"reward_usd"`
	Status      string    `json:"status"`
	CompletedAt time.Time `json:"completed_at"`
}
