package schemas

import "time"

// ListJobs lists what the platform has still to do, does, or failed to do: by when it is or
// was due, the oldest first.
var ListJobs = Endpoint[ListJobsRequest, Page[Job]]{Platform, "GET", "/jobs", "List jobs", 200, Owner}

// ListJobsRequest filters the list.
type ListJobsRequest struct {
	State JobState `query:"state" json:"state,omitempty" enum:"waiting,running,failed"`
	Kind  string   `query:"kind" json:"kind,omitempty" maxLength:"100" doc:"Only jobs of this kind, such as webhook.send"`
	PageRequest
}

// JobState is where a job stands. One that is done is no longer listed.
type JobState string

// The states of a job.
const (
	JobWaiting JobState = "waiting" // due later, or ready for a worker
	JobRunning JobState = "running"
	JobFailed  JobState = "failed" // for good; kept for 30 days
)

// Job is something that the platform does by itself. Its arguments are not shown, because
// they may hold people's words.
type Job struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"`
	State      JobState  `json:"state" enum:"waiting,running,failed"`
	Owner      string    `json:"owner" doc:"The agent that it is for; empty for the house's own"`
	RunAt      time.Time `json:"run_at" doc:"When it is or was due"`
	Attempts   int       `json:"attempts"`
	Deaths     int       `json:"deaths" doc:"How often the platform ended in the middle of it; such attempts do not count"`
	LastError  string    `json:"last_error,omitempty"`
	LeaseUntil time.Time `json:"lease_until,omitzero" doc:"Of one that runs: when another worker takes it, unless the one that has it gives a sign of life"`
	CreatedAt  time.Time `json:"created_at"`
}

// RetryJob has a job that failed run again now, with all its attempts.
var RetryJob = Endpoint[JobRequest, Job]{Platform, "POST", "/jobs/{job_id}/retry", "Try a failed job again", 200, Owner}

// JobRequest names a job.
type JobRequest struct {
	JobID string `path:"job_id" json:"job_id" maxLength:"64"`
}
