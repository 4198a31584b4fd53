package client

import (
	"context"
	"time"

	"humanops-mcp/schemas"
)

// RegisterAgent makes an agent and its first test key (contract §1.3).
func (c *Client) RegisterAgent(ctx context.Context, in schemas.RegisterAgentRequest) (schemas.RegisterAgentResponse, error) {
	return call(ctx, c, schemas.RegisterAgent, in)
}

// GetBalance tells an agent what it can spend and whom it can reach.
func (c *Client) GetBalance(ctx context.Context) (schemas.Balance, error) {
	return call(ctx, c, schemas.GetBalance, schemas.Empty{})
}

// CreateKey makes another key of the caller's own mode.
func (c *Client) CreateKey(ctx context.Context, in schemas.CreateKeyRequest) (schemas.CreateKeyResponse, error) {
	return call(ctx, c, schemas.CreateKey, in)
}

// ListKeys lists the caller's keys that are not revoked.
func (c *Client) ListKeys(ctx context.Context, in schemas.PageRequest) (schemas.Page[schemas.Key], error) {
	return call(ctx, c, schemas.ListKeys, in)
}

// RevokeKey ends a key at once.
func (c *Client) RevokeKey(ctx context.Context, in schemas.RevokeKeyRequest) (schemas.RevokeKeyResponse, error) {
	return call(ctx, c, schemas.RevokeKey, in)
}

// PostTask creates a task and takes its reward into escrow (contract §1.4).
func (c *Client) PostTask(ctx context.Context, in schemas.PostTaskRequest) (schemas.PostTaskResponse, error) {
	return call(ctx, c, schemas.PostTask, in)
}

// ListTasks lists the caller's tasks, newest first.
func (c *Client) ListTasks(ctx context.Context, in schemas.ListTasksRequest) (schemas.Page[schemas.TaskView], error) {
	return call(ctx, c, schemas.ListTasks, in)
}

// GetOverview tells what the agent has open and what ended in the last 24 hours.
func (c *Client) GetOverview(ctx context.Context, in schemas.Empty) (schemas.Overview, error) {
	return call(ctx, c, schemas.GetOverview, in)
}

// GetTask gives a task's full state.
func (c *Client) GetTask(ctx context.Context, in schemas.TaskRequest) (schemas.TaskView, error) {
	return call(ctx, c, schemas.GetTask, in)
}

// CancelTask withdraws a task before work begins and refunds it in full.
func (c *Client) CancelTask(ctx context.Context, in schemas.CancelTaskRequest) (schemas.CancelTaskResponse, error) {
	return call(ctx, c, schemas.CancelTask, in)
}

// ApproveEstimate accepts the operator's estimate.
func (c *Client) ApproveEstimate(ctx context.Context, in schemas.ApproveEstimateRequest) (schemas.EstimateResponse, error) {
	return call(ctx, c, schemas.ApproveEstimate, in)
}

// RejectEstimate sends the task back to the pool.
func (c *Client) RejectEstimate(ctx context.Context, in schemas.RejectEstimateRequest) (schemas.EstimateResponse, error) {
	return call(ctx, c, schemas.RejectEstimate, in)
}

// PostMessage writes to the operator who has the task: at most 50 a side.
func (c *Client) PostMessage(ctx context.Context, in schemas.PostMessageRequest) (schemas.Message, error) {
	return call(ctx, c, schemas.PostMessage, in)
}

// ListMessages lists a task's messages, oldest first.
func (c *Client) ListMessages(ctx context.Context, in schemas.ListMessagesRequest) (schemas.Page[schemas.Message], error) {
	return call(ctx, c, schemas.ListMessages, in)
}

// DecideTask decides a submission that waits in MANUAL_REVIEW or DISPUTED.
func (c *Client) DecideTask(ctx context.Context, in schemas.DecideTaskRequest) (schemas.TaskView, error) {
	return call(ctx, c, schemas.DecideTask, in)
}

// GetProof gives one file: small (thumbnail) or large (1600 px), both without location.
func (c *Client) GetProof(ctx context.Context, in schemas.GetProofRequest) (schemas.Content, error) {
	return download(ctx, c, schemas.GetProof, in, proofTimeout, maxProof)
}

// Wait answers when one of the named tasks has moved past the version given, or after
// the timeout with the tasks as they are.
func (c *Client) Wait(ctx context.Context, in schemas.WaitRequest) (schemas.WaitResponse, error) {
	return callWithin(ctx, c, schemas.Wait, in, time.Duration(in.TimeoutSeconds)*time.Second+waitMargin)
}

// AcknowledgeTasks records which versions the agent has seen, so that NEW means new.
func (c *Client) AcknowledgeTasks(ctx context.Context, in schemas.AcknowledgeRequest) (schemas.Empty, error) {
	return call(ctx, c, schemas.AcknowledgeTasks, in)
}

// ListOpenTasks lists what an operator could take, and with mine=true what they have.
func (c *Client) ListOpenTasks(ctx context.Context, in schemas.ListOpenTasksRequest) (schemas.Page[schemas.OperatorTask], error) {
	return call(ctx, c, schemas.ListOpenTasks, in)
}

// GetOpenTask gives one task that the operator may see.
func (c *Client) GetOpenTask(ctx context.Context, in schemas.TaskRequest) (schemas.OperatorTask, error) {
	return call(ctx, c, schemas.GetOpenTask, in)
}

// AcceptTask takes a task, with or without an estimate: one winner.
func (c *Client) AcceptTask(ctx context.Context, in schemas.AcceptTaskRequest) (schemas.OperatorTask, error) {
	return call(ctx, c, schemas.AcceptTask, in)
}

// StartTask begins the work.
func (c *Client) StartTask(ctx context.Context, in schemas.TaskRequest) (schemas.OperatorTask, error) {
	return call(ctx, c, schemas.StartTask, in)
}

// SubmitProof hands in the proof: up to 20 files of 25 MB, 100 MB in all.
func (c *Client) SubmitProof(ctx context.Context, in schemas.SubmitProofRequest) (schemas.OperatorTask, error) {
	return upload(ctx, c, schemas.SubmitProof, in, in.Files)
}

// ReleaseTask gives the task back, at any time and without penalty.
func (c *Client) ReleaseTask(ctx context.Context, in schemas.ReleaseTaskRequest) (schemas.OperatorTask, error) {
	return call(ctx, c, schemas.ReleaseTask, in)
}

// PostOperatorMessage asks the agent something, or answers it.
func (c *Client) PostOperatorMessage(ctx context.Context, in schemas.PostMessageRequest) (schemas.Message, error) {
	return call(ctx, c, schemas.PostOperatorMessage, in)
}

// GetEarnings tells an operator what they earned.
func (c *Client) GetEarnings(ctx context.Context) (schemas.Earnings, error) {
	return call(ctx, c, schemas.GetEarnings, schemas.Empty{})
}

// AddPerson makes a person who can do tasks, and a one-time link for their phone.
func (c *Client) AddPerson(ctx context.Context, in schemas.AddPersonRequest) (schemas.PersonWithLink, error) {
	return call(ctx, c, schemas.AddPerson, in)
}

// ListPeople lists the people of the house.
func (c *Client) ListPeople(ctx context.Context, in schemas.PageRequest) (schemas.Page[schemas.Person], error) {
	return call(ctx, c, schemas.ListPeople, in)
}

// RemovePerson signs a person out everywhere and gives back the tasks they have.
func (c *Client) RemovePerson(ctx context.Context, in schemas.PersonRequest) (schemas.Person, error) {
	return call(ctx, c, schemas.RemovePerson, in)
}

// CreateLink makes a new one-time link for a person.
func (c *Client) CreateLink(ctx context.Context, in schemas.PersonRequest) (schemas.PersonWithLink, error) {
	return call(ctx, c, schemas.CreateLink, in)
}

// GetStatus tells how the platform is doing.
func (c *Client) GetStatus(ctx context.Context) (schemas.PlatformStatus, error) {
	return call(ctx, c, schemas.GetStatus, schemas.Empty{})
}

// GetBackup streams a consistent copy of database and files as a tar archive.
func (c *Client) GetBackup(ctx context.Context) (schemas.Content, error) {
	return download(ctx, c, schemas.GetBackup, schemas.Empty{}, backupTimeout, 0)
}

// ListJobs lists what the platform has still to do, does, or failed to do.
func (c *Client) ListJobs(ctx context.Context, in schemas.ListJobsRequest) (schemas.Page[schemas.Job], error) {
	return call(ctx, c, schemas.ListJobs, in)
}

// RetryJob has a job that failed run again now, with all its attempts.
func (c *Client) RetryJob(ctx context.Context, in schemas.JobRequest) (schemas.Job, error) {
	return call(ctx, c, schemas.RetryJob, in)
}

// GetCheck checks the invariants of the ledger, trails and anchors, and that states agree.
func (c *Client) GetCheck(ctx context.Context, in schemas.CheckRequest) (schemas.CheckReport, error) {
	return callWithin(ctx, c, schemas.GetCheck, in, checkTimeout)
}

// GetCheckProgress tells how far the check is that began last.
func (c *Client) GetCheckProgress(ctx context.Context) (schemas.CheckProgress, error) {
	return call(ctx, c, schemas.GetCheckProgress, schemas.Empty{})
}
