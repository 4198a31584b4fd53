package schemas

import "slices"

// TaskStatus is where a task is in its life, in the words of the seed. The hosted
// service's words (PENDING, COMPLETED) are understood on input and stand beside it on
// output as hosted_status.
type TaskStatus string

// The statuses of a task.
const (
	Posted          TaskStatus = "POSTED"           // visible to operators, reward in escrow
	EstimatePending TaskStatus = "ESTIMATE_PENDING" // an operator's time estimate waits for the agent
	Accepted        TaskStatus = "ACCEPTED"         // an operator has it
	InProgress      TaskStatus = "IN_PROGRESS"      // the operator is at work
	Submitted       TaskStatus = "SUBMITTED"        // proof is in, Guardian is looking
	ManualReview    TaskStatus = "MANUAL_REVIEW"    // the agent or its owner must decide
	Verified        TaskStatus = "VERIFIED"         // the proof is approved
	Paid            TaskStatus = "PAID"             // escrow released to the operator: final
	Disputed        TaskStatus = "DISPUTED"         // the agent rejected the proof; the owner must decide
	Cancelled       TaskStatus = "CANCELLED"        // withdrawn, refunded: final
	Expired         TaskStatus = "EXPIRED"          // deadline passed without proof, refunded: final
)

// TaskStatuses lists every status, in the order of a life.
var TaskStatuses = []TaskStatus{Posted, EstimatePending, Accepted, InProgress, Submitted, ManualReview, Verified, Paid, Disputed, Cancelled, Expired}

// Hosted is the status in the hosted service's words. It has no word for EXPIRED,
// which therefore stays as it is.
func (s TaskStatus) Hosted() string {
	switch s {
	case Posted:
		return "PENDING"
	case Paid:
		return "COMPLETED"
	default:
		return string(s)
	}
}

// Final tells whether nothing more can happen to the task.
func (s TaskStatus) Final() bool { return s == Paid || s == Cancelled || s == Expired }

// ParseTaskStatus reads a status in either vocabulary.
func ParseTaskStatus(word string) (TaskStatus, bool) {
	switch word {
	case "PENDING":
		return Posted, true
	case "COMPLETED":
		return Paid, true
	}
	s := TaskStatus(word)
	return s, slices.Contains(TaskStatuses, s)
}

// TaskType is one of the contract's thirteen kinds of task.
type TaskType string

// TaskTypes lists them: four physical, five digital, four about credentials.
var TaskTypes = []TaskType{
	"VERIFICATION", "PHOTO", "DELIVERY", "INSPECTION",
	"CAPTCHA_SOLVING", "FORM_FILLING", "CONTENT_REVIEW", "DATA_VALIDATION", "BROWSER_NAVIGATION",
	"ACCOUNT_CREATION", "API_KEY_PROCUREMENT", "PHONE_VERIFICATION", "SUBSCRIPTION_SETUP",
}

// Domain is the contract's grouping of a type: physical, digital or credential.
func (t TaskType) Domain() string {
	switch i := slices.Index(TaskTypes, t); {
	case i < 0:
		return ""
	case i < 4:
		return "physical"
	case i < 9:
		return "digital"
	}
	return "credential"
}
