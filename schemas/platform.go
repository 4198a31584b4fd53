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
	JobsWaiting   int            `json:"jobs_waiting" doc:"Due now or later"`
	JobsDue       int            `json:"jobs_due" doc:"Due now and not done"`
	JobsFailed    int            `json:"jobs_failed"`
}

// GetBackup streams a consistent copy of database and files as a tar archive.
var GetBackup = Download[Empty]{Platform, "GET", "/backup", "Back up everything", Owner}

// GetCheck checks every invariant of the ledger, every trail and anchor, and that states agree;
// on a large installation it takes a while.
var GetCheck = Endpoint[Empty, CheckReport]{Platform, "GET", "/check", "Check the ledger", 200, Owner}

// CheckReport is what the check found.
type CheckReport struct {
	Exact   bool   `json:"exact" doc:"True when every invariant of the ledger holds"`
	Problem string `json:"problem,omitempty" doc:"The first invariant that does not hold"`
}
