package client

import "humanops-mcp/schemas"

// normalise puts the statuses of an answer into the seed's words, whichever
// vocabulary the server speaks.
func normalise(out any) {
	switch o := out.(type) {
	case *schemas.PostTaskResponse:
		seedWords(&o.Status, &o.HostedStatus)
	case *schemas.TaskView:
		seedWords(&o.Status, &o.HostedStatus)
	case *schemas.Page[schemas.TaskView]:
		for i := range o.Data {
			seedWords(&o.Data[i].Status, &o.Data[i].HostedStatus)
		}
	case *schemas.Overview:
		for i := range o.Tasks {
			seedWords(&o.Tasks[i].Status, &o.Tasks[i].HostedStatus)
		}
	case *schemas.WaitResponse:
		for i := range o.Items {
			seedWords(&o.Items[i].Status, &o.Items[i].HostedStatus)
		}
	case *schemas.CancelTaskResponse:
		seedWords(&o.Status, nil)
	case *schemas.EstimateResponse:
		seedWords(&o.Status, nil)
	case *schemas.OperatorTask:
		seedWords(&o.Status, &o.HostedStatus)
	case *schemas.Page[schemas.OperatorTask]:
		for i := range o.Data {
			seedWords(&o.Data[i].Status, &o.Data[i].HostedStatus)
		}
	case *schemas.Earnings:
		for i := range o.RecentTasks {
			seedWords(&o.RecentTasks[i].Status, nil)
		}
	}
}

// seedWords rewrites a known status; an unknown one stays as it came.
func seedWords(status, hosted *string) {
	known, ok := schemas.ParseTaskStatus(*status)
	if !ok {
		return
	}
	*status = string(known)
	if hosted != nil {
		*hosted = known.Hosted()
	}
}
