package schemas

import "time"

// AddPerson makes a person who can do tasks, and a one-time link for their phone.
var AddPerson = Endpoint[AddPersonRequest, PersonWithLink]{Platform, "POST", "/people", "Add a person", 201, Owner}

// AddPersonRequest names a person. Adding a name that exists gives that person a new link.
type AddPersonRequest struct {
	Name  string   `json:"name" minLength:"1" maxLength:"200" example:"Ada"`
	Email string   `json:"email,omitempty" format:"email" maxLength:"254"`
	Phone string   `json:"phone,omitempty" maxLength:"40"`
	Roles []string `json:"roles,omitempty" maxItems:"3" doc:"operator (default), owner, reviewer; reviewers only decide, which the others may too"`
	Me    bool     `json:"me,omitempty" doc:"The owner themselves"`
}

// Person is a person of the house.
type Person struct {
	OperatorID string    `json:"operator_id"`
	Name       string    `json:"name"`
	Email      string    `json:"email,omitempty"`
	Roles      []string  `json:"roles"`
	Reachable  bool      `json:"reachable" doc:"Has signed in, or has an address that notices go to"`
	ActiveNow  int       `json:"active_tasks"`
	LastSeenAt time.Time `json:"last_seen_at,omitzero"`
	CreatedAt  time.Time `json:"created_at"`
}

// PersonWithLink is a person and the link that signs them in once.
type PersonWithLink struct {
	Person
	URL       string    `json:"url" doc:"Signs in once, within its time; treat it like a password"`
	ExpiresAt time.Time `json:"expires_at"`
	Created   bool      `json:"created" doc:"False when the person was there already"`
}

// ListPeople lists the people of the house.
var ListPeople = Endpoint[PageRequest, Page[Person]]{Platform, "GET", "/people", "List people", 200, Owner}

// RemovePerson signs a person out everywhere and gives back the tasks they have.
var RemovePerson = Endpoint[PersonRequest, Person]{Platform, "DELETE", "/people/{person_id}", "Remove a person", 200, Owner}

// PersonRequest names a person by id or name.
type PersonRequest struct {
	PersonID string `path:"person_id" json:"person_id" maxLength:"200"`
}

// CreateLink makes a new one-time link for a person.
var CreateLink = Endpoint[PersonRequest, PersonWithLink]{Platform, "POST", "/people/{person_id}/link", "Make a sign-in link", 201, Owner}

// GetStatus tells how the platform is doing.
var GetStatus = Endpoint[Empty, PlatformStatus]{Platform, "GET", "/status", "Platform status", 200, Owner}

// PlatformStatus is what status, doctor and the start page show.
type PlatformStatus struct {
	Version       string         `json:"version"`
	PID           int            `json:"pid"`
	StartedAt     time.Time      `json:"started_at"`
	DataDir       string         `json:"data_dir"`
	Database      string         `json:"database" enum:"sqlite,postgres"`
	Address       string         `json:"address"`
	PublicURL     string         `json:"public_url"`
	Guardian      string         `json:"guardian" enum:"vision,completeness"`
	PeopleInReach int            `json:"people_in_reach"`
	Tasks         map[string]int `json:"tasks" doc:"How many live tasks in each status"`
	TasksMore     []string       `json:"tasks_more,omitempty" doc:"Statuses in which there are more than were counted: 10,000"`
	JobsWaiting   int            `json:"jobs_waiting" doc:"Due now or later"`
	JobsDue       int            `json:"jobs_due" doc:"Due now and not done"`
	JobsFailed    int            `json:"jobs_failed"`
}

// GetBackup streams a consistent copy of database and files as a tar archive.
var GetBackup = Download[Empty]{Platform, "GET", "/backup", "Back up everything", Owner}

// GetCheck checks the invariants of the ledger, trails and anchors, and that states agree: of
// what goes on and of what was written since a check found everything exact, or of everything.
// On a large installation the latter takes minutes; GetCheckProgress says how far it is.
var GetCheck = Endpoint[CheckRequest, CheckReport]{Platform, "GET", "/check", "Check that everything fits together", 200, Owner}

// CheckRequest says what to look at.
type CheckRequest struct {
	Full bool `query:"full" json:"full,omitempty" doc:"Look at everything, whatever was looked at before"`
}

// CheckReport is what the check found, and what it looked at.
type CheckReport struct {
	Exact        bool      `json:"exact" doc:"True when everything that was looked at fits together"`
	Problem      string    `json:"problem,omitempty" doc:"What does not, with semicolons in between"`
	Full         bool      `json:"full" doc:"Everything was looked at; always so where no check found everything exact before"`
	Since        time.Time `json:"since,omitzero" doc:"Otherwise: when the check was from which this one went on"`
	FullAt       time.Time `json:"full_at,omitzero" doc:"When everything was looked at last"`
	Transactions int64     `json:"transactions" doc:"Of the ledger"`
	Subjects     int64     `json:"subjects" doc:"Tasks and reviews"`
	Entries      int64     `json:"entries" doc:"Of their trails"`
}

// GetCheckProgress tells how far the check is that began last; it can be asked while it runs.
var GetCheckProgress = Endpoint[Empty, CheckProgress]{Platform, "GET", "/check/progress", "How far a check is", 200, Owner}

// CheckStage is what a check is looking at.
type CheckStage string

// The stages of a check, in their order.
const (
	CheckingLedger  CheckStage = "ledger"
	CheckingAnchors CheckStage = "anchors"
	CheckingTrails  CheckStage = "trails"
)

// CheckProgress is how far a check is. Where none ever began it is empty.
type CheckProgress struct {
	StartedAt    time.Time  `json:"started_at,omitzero"`
	UpdatedAt    time.Time  `json:"updated_at,omitzero" doc:"Long ago for a check that was cut off"`
	EndedAt      time.Time  `json:"ended_at,omitzero" doc:"Left out while it runs"`
	Full         bool       `json:"full"`
	Stage        CheckStage `json:"stage,omitempty" enum:"ledger,anchors,trails"`
	Transactions int64      `json:"transactions" doc:"Of the ledger, so far"`
	Anchored     int64      `json:"anchored" doc:"Entries whose anchors were added up, so far"`
	Subjects     int64      `json:"subjects" doc:"Tasks and reviews, so far"`
	Entries      int64      `json:"entries" doc:"Of their trails, so far"`
	EntriesTotal int64      `json:"entries_total" doc:"How many entries there are"`
	Problems     int        `json:"problems" doc:"Found so far"`
	Exact        bool       `json:"exact" doc:"Once it has ended: everything fits together"`
}
