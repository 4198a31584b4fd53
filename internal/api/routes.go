package api

import "humanops-mcp/schemas"

// routes is every route. write runs in a transaction and can be repeated under an
// Idempotency-Key; writeSecret's answer holds a secret and is not kept; read sees one
// moment; call, upload and download arrange their own transactions.
func (a *api) routes() {
	accounts, tasks, platform := a.Accounts, a.Tasks, a.Platform

	// Agents
	writeSecret(a, schemas.RegisterAgent, accounts.RegisterAgent, func(out schemas.RegisterAgentResponse) string { return out.AgentID })
	read(a, schemas.GetBalance, tasks.GetBalance)
	writeSecret(a, schemas.CreateKey, accounts.CreateKey, func(out schemas.CreateKeyResponse) string { return out.ID })
	read(a, schemas.ListKeys, accounts.ListKeys)
	write(a, schemas.RevokeKey, accounts.RevokeKey)

	// Tasks, as their agent and the owner see them
	write(a, schemas.PostTask, tasks.PostTask)
	read(a, schemas.ListTasks, tasks.ListTasks)
	read(a, schemas.GetOverview, a.Overview.GetOverview)
	read(a, schemas.GetTask, tasks.GetTask)
	write(a, schemas.CancelTask, tasks.CancelTask)
	write(a, schemas.ApproveEstimate, tasks.ApproveEstimate)
	write(a, schemas.RejectEstimate, tasks.RejectEstimate)
	write(a, schemas.PostMessage, tasks.PostMessage)
	read(a, schemas.ListMessages, tasks.ListMessages)
	write(a, schemas.DecideTask, tasks.DecideTask)
	download(a, schemas.GetProof, tasks.GetProof)
	call(a, schemas.Wait, a.Changes.Wait)
	write(a, schemas.AcknowledgeTasks, tasks.AcknowledgeTasks)

	// Tasks, as operators see them
	read(a, schemas.ListOpenTasks, tasks.ListOpenTasks)
	read(a, schemas.GetOpenTask, tasks.GetOpenTask)
	write(a, schemas.AcceptTask, tasks.AcceptTask)
	write(a, schemas.StartTask, tasks.StartTask)
	takeProof(a, schemas.SubmitProof, tasks.SubmitProof)
	write(a, schemas.ReleaseTask, tasks.ReleaseTask)
	write(a, schemas.PostOperatorMessage, tasks.PostOperatorMessage)
	read(a, schemas.GetEarnings, tasks.GetEarnings)

	// The installation, as its owner sees it
	writeSecret(a, schemas.AddPerson, accounts.AddPerson, func(out schemas.PersonWithLink) string { return out.OperatorID })
	read(a, schemas.ListPeople, accounts.ListPeople)
	write(a, schemas.RemovePerson, accounts.RemovePerson)
	writeSecret(a, schemas.CreateLink, accounts.CreateLink, func(out schemas.PersonWithLink) string { return out.OperatorID })
	call(a, schemas.GetStatus, platform.Status)
	download(a, schemas.GetBackup, platform.Backup)
	call(a, schemas.GetCheck, platform.Check)
	call(a, schemas.GetCheckProgress, platform.CheckProgress)
	read(a, schemas.ListJobs, platform.Jobs)
	write(a, schemas.RetryJob, platform.RetryJob)
	writeSecret(a, schemas.CreateHouseKey, accounts.CreateHouseKey, func(out schemas.CreateKeyResponse) string { return out.ID })

	a.loopRoutes()
	a.reviewRoutes()
	a.hookRoutes()
}
