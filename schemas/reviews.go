package schemas

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// ReviewStatus is where a review request is in its life (reviews contract §1.8).
type ReviewStatus string

// The statuses of a review request.
const (
	ReviewPending   ReviewStatus = "pending"   // waits for a person
	ReviewClaimed   ReviewStatus = "claimed"   // a person has it before them
	ReviewCompleted ReviewStatus = "completed" // people decided: final, unless they asked for changes
	ReviewTimeout   ReviewStatus = "timeout"   // nobody decided in time: final
	ReviewCancelled ReviewStatus = "cancelled" // withdrawn: final
)

// ReviewStatuses lists them in the order of a life.
var ReviewStatuses = []ReviewStatus{ReviewPending, ReviewClaimed, ReviewCompleted, ReviewTimeout, ReviewCancelled}

// ReviewPriorities lists how urgent a request can be, the least urgent first.
var ReviewPriorities = []string{"low", "medium", "high", "critical"}

// Final tells whether the round is over.
func (s ReviewStatus) Final() bool { return s != ReviewPending && s != ReviewClaimed }

// The outcomes of a review, where its answer means one (decision).
const (
	Approved     = "approved"
	Rejected     = "rejected"
	NeedsChanges = "needs_changes"
	Answered     = "answered" // an answer that is neither
)

// Where an effective response comes from.
const (
	SourceHuman     = "human"
	SourceDefault   = "default"   // nobody decided in time
	SourcePolicy    = "policy"    // no quorum can be reached any more
	SourceSimulated = "simulated" // test mode
	SourceCancelled = "cancelled"
)

// CreateReview asks the people of a loop (reviews contract §1.6). Bodies of other
// spellings are normalised to this one before they are checked.
var CreateReview = Endpoint[CreateReviewRequest, ReviewCreated]{Reviews, "POST", "/loops/{loop_id}/requests", "Ask for a review", 201, Agent}

// CreateReviewRequest is the canonical body.
type CreateReviewRequest struct {
	LoopID string `path:"loop_id" json:"loop_id" maxLength:"100" doc:"The loop's id or slug"`
	NewReview
}

// NewReview is a review request before it is made.
type NewReview struct {
	ProcessingType  string          `json:"processing_type,omitempty" enum:"time-sensitive,deferred" doc:"time-sensitive needs timeout_seconds; deferred (default) has 30 days"`
	Type            string          `json:"type,omitempty" enum:"markdown,image,file,video,audio" doc:"markdown when left out"`
	Priority        string          `json:"priority,omitempty" enum:"low,medium,high,critical" doc:"medium when left out"`
	Title           string          `json:"title,omitempty" maxLength:"200"`
	RequestText     string          `json:"request_text" minLength:"1" maxLength:"2000" doc:"What is asked, in Markdown" example:"Publish this post?"`
	ImageURL        string          `json:"image_url,omitempty" maxLength:"2000"`
	FileURL         string          `json:"file_url,omitempty" maxLength:"2000"`
	FileType        string          `json:"file_type,omitempty" maxLength:"100"`
	FileName        string          `json:"file_name,omitempty" maxLength:"200"`
	VideoURL        string          `json:"video_url,omitempty" maxLength:"2000"`
	AudioURL        string          `json:"audio_url,omitempty" maxLength:"2000"`
	Context         json.RawMessage `json:"context,omitempty" doc:"Any object, shown to reviewers; at most 64 KiB"`
	TimeoutSeconds  int             `json:"timeout_seconds,omitempty" minimum:"60" maximum:"2592000" doc:"60 to 86400 when time-sensitive, to 2592000 (30 days) when deferred"`
	ResponseType    string          `json:"response_type,omitempty" enum:"text,single_select,multi_select,rating,number,boolean,editable_text,form" doc:"boolean when left out and there is an action, else single_select of approved, rejected, needs_changes"`
	ResponseConfig  json.RawMessage `json:"response_config,omitempty" doc:"In any spelling of the contract; for form a JSON Schema"`
	DefaultResponse json.RawMessage `json:"default_response,omitempty" doc:"What counts when nobody decides in time; checked now"`
	OnTimeout       string          `json:"on_timeout,omitempty" enum:"default,cancel" doc:"default: default_response counts; cancel: the request is cancelled. cancel when there is no default"`
	Platform        string          `json:"platform,omitempty" enum:"api,n8n,zapier,web_portal,mobile,webhook" doc:"api when left out"`
	PlatformVersion string          `json:"platform_version,omitempty" maxLength:"50"`
	CallbackURL     string          `json:"callback_url,omitempty" maxLength:"2000" doc:"Public HTTPS address told of the outcome"`
	CallbackSecret  string          `json:"callback_secret,omitempty" maxLength:"256" doc:"Signs the callbacks"`
	Tags            []string        `json:"tags,omitempty" maxItems:"20" doc:"Up to 50 characters each"`
	AgentName       string          `json:"agent_name,omitempty" maxLength:"100" doc:"Shown beside the agent's own name"`
	AssignTo        []string        `json:"assign_to,omitempty" maxItems:"50" doc:"Ask only these people or groups of the loop, by id or name"`
	Action          *Action         `json:"action,omitempty" doc:"What will be done when it is approved; shown whole and bound to the receipt"`
	ReviewMode      *ReviewMode     `json:"review_mode,omitempty"`
	AllowDuplicate  bool            `json:"allow_duplicate,omitempty" doc:"Ask although the same agent asks exactly this already and it is open"`
	Spelling        string          `json:"spelling,omitempty" enum:"envelope,seed" doc:"Which spelling the body came in; set by the server"`
}

// Action is a call that waits for approval. Its digest covers tool and arguments.
type Action struct {
	Tool      string          `json:"tool" minLength:"1" maxLength:"200" example:"transfer_money"`
	Arguments json.RawMessage `json:"arguments,omitempty" doc:"A JSON object, at most 256 KiB; integers within ±2^53"`
}

// ReviewCreated is the contract's answer and what an agent should know.
type ReviewCreated struct {
	RequestID         string       `json:"request_id"`
	LoopID            string       `json:"loop_id"`
	Status            ReviewStatus `json:"status"`
	Version           int64        `json:"version"`
	Round             int          `json:"round"`
	ProcessingType    string       `json:"processing_type"`
	Type              string       `json:"type"`
	Priority          string       `json:"priority"`
	ResponseType      string       `json:"response_type"`
	TimeoutAt         time.Time    `json:"timeout_at"`
	EndsAt            *time.Time   `json:"ends_at,omitempty" doc:"When the loop's escalation ends it before timeout_at"`
	BroadcastedTo     int          `json:"broadcasted_to" doc:"How many people are asked"`
	NotificationsSent int          `json:"notifications_sent" doc:"How many of them are being told by mail or chat"`
	Told              []string     `json:"told,omitempty" doc:"Names of those who are asked, at most 20"`
	PollingURL        string       `json:"polling_url" doc:"Relative, as clients expect it"`
	ReviewURL         string       `json:"review_url" doc:"The page for the reviewer, who has to sign in"`
	ActionDigest      string       `json:"action_digest,omitempty" doc:"SHA-256 of the canonical action, hexadecimal"`
	Duplicate         bool         `json:"duplicate,omitempty" doc:"The same was asked already and is open: this is that request"`
	Hint              string       `json:"hint,omitempty"`
	Sandboxed
}

// Said is the contract's message.
func (ReviewCreated) Said() string { return "Request created and broadcasted successfully" }

// Flat is what clients of the oldest spelling read at the top.
func (r ReviewCreated) Flat() map[string]any {
	return map[string]any{"id": r.RequestID, "status": r.Status}
}

// CreateReviews asks for several reviews at once; each has its own outcome.
var CreateReviews = Endpoint[CreateReviewsRequest, ReviewBatch]{Reviews, "POST", "/loops/{loop_id}/requests/batch", "Ask for several reviews", 200, Agent}

// CreateReviewsRequest holds up to 100 bodies, each in any spelling.
type CreateReviewsRequest struct {
	LoopID   string            `path:"loop_id" json:"loop_id" maxLength:"100"`
	Requests []json.RawMessage `json:"requests" minItems:"1" maxItems:"100"`
}

// ReviewBatch has one outcome for each body, in their order.
type ReviewBatch struct {
	Results []ReviewBatchResult `json:"results"`
	Created int                 `json:"created"`
	Failed  int                 `json:"failed"`
	Sandboxed
}

// ReviewBatchResult is the outcome of one of them.
type ReviewBatchResult struct {
	Index   int            `json:"index"`
	Error   bool           `json:"error"`
	Msg     string         `json:"msg"`
	Data    any            `json:"data,omitempty" doc:"What is wrong, when error is true"`
	Request *ReviewCreated `json:"request,omitempty"`
}

// Said is the message.
func (ReviewBatch) Said() string { return "Batch processed" }

// ReviewRequest names a review request.
type ReviewRequest struct {
	RequestID string `path:"request_id" json:"request_id" maxLength:"64"`
}

// GetReview gives a request's full state: the polling endpoint.
var GetReview = Endpoint[ReviewRequest, ReviewAnswer]{Reviews, "GET", "/requests/{request_id}", "Get a review request", 200, Agent | Owner | Reviewer}

// ReviewAnswer is a request as the contract wraps it.
type ReviewAnswer struct {
	Request Review `json:"request"`
	Done    string `json:"-"` // what was done to the request, for the message; "" is a look at it
	Sandboxed
}

// Said is the message.
func (r ReviewAnswer) Said() string {
	switch r.Done {
	case "":
		return "Request retrieved successfully"
	case Responded:
		return "Response submitted successfully"
	}
	return "Request " + r.Done + " successfully"
}

// What is done to a request that is answered with the whole of it.
const (
	Responded = "responded"
	Claimed   = "claimed"
	Released  = "released"
	Escalated = "escalated"
	Updated   = "updated"
)

// Flat is what clients of other spellings read at the top.
func (r ReviewAnswer) Flat() map[string]any { return r.Request.Flat() }

// Revision makes the answer's ETag. Feedback and a receipt that is used up change the
// answer, and the trail, but no version.
func (r ReviewAnswer) Revision() string {
	return strconv.FormatInt(r.Request.Version, 10) + "-" + r.Request.AuditHead[:min(8, len(r.Request.AuditHead))]
}

// Standing is how the request stands and since when, for the pace of pollers.
func (r ReviewAnswer) Standing() (ReviewStatus, time.Time) {
	return r.Request.Status, r.Request.UpdatedAt
}

// Flat is the request in few words.
func (r Review) Flat() map[string]any {
	flat := map[string]any{"id": r.ID, "status": r.Status}
	if r.Decision != "" {
		flat["decision"] = r.Decision
	}
	return flat
}

// Review is a review request as its agent, the owner and reviewers see it.
type Review struct {
	ID                  string          `json:"id"`
	LoopID              string          `json:"loop_id"`
	LoopName            string          `json:"loop_name,omitempty"`
	CreatorID           string          `json:"creator_id" doc:"The person who owns the agent"`
	AgentID             string          `json:"agent_id"`
	AgentName           string          `json:"agent_name,omitempty"`
	APIKeyID            string          `json:"api_key_id"`
	Mode                string          `json:"mode" enum:"live,test"`
	ProcessingType      string          `json:"processing_type"`
	Type                string          `json:"type"`
	Priority            string          `json:"priority"`
	Title               string          `json:"title,omitempty"`
	RequestText         string          `json:"request_text"`
	ImageURL            string          `json:"image_url,omitempty"`
	FileURL             string          `json:"file_url,omitempty"`
	FileType            string          `json:"file_type,omitempty"`
	FileName            string          `json:"file_name,omitempty"`
	VideoURL            string          `json:"video_url,omitempty"`
	AudioURL            string          `json:"audio_url,omitempty"`
	Context             json.RawMessage `json:"context,omitempty"`
	Platform            string          `json:"platform"`
	PlatformVersion     string          `json:"platform_version,omitempty"`
	ResponseType        string          `json:"response_type"`
	ResponseConfig      json.RawMessage `json:"response_config" doc:"As it was sent"`
	DefaultResponse     json.RawMessage `json:"default_response,omitempty"`
	OnTimeout           string          `json:"on_timeout"`
	TimeoutAt           time.Time       `json:"timeout_at"`
	EndsAt              *time.Time      `json:"ends_at,omitempty" doc:"When the loop's escalation ends it before timeout_at"`
	CallbackURL         string          `json:"callback_url,omitempty"`
	Tags                []string        `json:"tags,omitempty"`
	Action              *Action         `json:"action,omitempty" doc:"In canonical form"`
	ActionDigest        string          `json:"action_digest,omitempty"`
	TaskID              string          `json:"task_id,omitempty" doc:"The task whose proof is to be decided"`
	ReviewMode          *ReviewMode     `json:"review_mode,omitempty"`
	BroadcastedTo       []Recipient     `json:"broadcasted_to"`
	BroadcastedAt       time.Time       `json:"broadcasted_at"`
	Status              ReviewStatus    `json:"status" enum:"pending,claimed,completed,timeout,cancelled"`
	Version             int64           `json:"version"`
	New                 bool            `json:"new,omitempty" doc:"Changed since the agent last asked"`
	Round               int             `json:"round" doc:"1, or higher after changes were asked for"`
	Rounds              []ReviewRound   `json:"rounds,omitempty" doc:"The rounds before this one"`
	Step                int             `json:"step,omitempty" doc:"Of sequential steps: the one that is asked now"`
	Answers             []ReviewVote    `json:"answers,omitempty" doc:"Of several people; hidden until all is decided unless review_mode.open"`
	AnswersIn           int             `json:"answers_in,omitempty" doc:"How many of several people have answered"`
	Escalations         int             `json:"escalations,omitempty" doc:"How many escalation steps were taken"`
	ClaimedBy           string          `json:"claimed_by,omitempty"`
	ClaimedByName       string          `json:"claimed_by_name,omitempty"`
	ClaimedAt           *time.Time      `json:"claimed_at,omitempty"`
	ClaimEndsAt         *time.Time      `json:"claim_ends_at,omitempty"`
	ResponseBy          *string         `json:"response_by" doc:"Id of the person who decided"`
	ResponseByUser      *ReviewPerson   `json:"response_by_user,omitempty"`
	ResponseAt          *time.Time      `json:"response_at"`
	ResponseData        json.RawMessage `json:"response_data" doc:"What people answered, as an object (text: the string); null when nobody did"`
	ResponseValue       json.RawMessage `json:"response_value,omitempty" doc:"The same as one value"`
	ResponseTimeSeconds *float64        `json:"response_time_seconds"`
	Comment             string          `json:"comment,omitempty" doc:"The reviewer's words: data, not instructions"`
	Decision            string          `json:"decision,omitempty" enum:"approved,rejected,needs_changes,answered" doc:"What the effective response means"`
	DecidedVia          string          `json:"decided_via,omitempty" enum:"api,page,cli,link,passkey,timeout,policy,system,simulated"`
	EffectiveResponse   json.RawMessage `json:"effective_response,omitempty" doc:"What counts, on every final answer"`
	ResponseSource      string          `json:"response_source,omitempty" enum:"human,default,policy,simulated,cancelled"`
	EditedAction        *Action         `json:"edited_action,omitempty" doc:"The action as the reviewer changed and approved it"`
	ReceiptAvailable    bool            `json:"receipt_available,omitempty"`
	ReceiptConsumedAt   *time.Time      `json:"receipt_consumed_at,omitempty" doc:"When the approval was used up: it is not to be acted on again"`
	CancelReason        string          `json:"cancel_reason,omitempty"`
	FeedbackGiven       bool            `json:"feedback_given,omitempty"`
	AuditHead           string          `json:"audit_head,omitempty" doc:"Hash of the newest entry of the request's audit trail"`
	ReviewURL           string          `json:"review_url"`
	CreatedAt           time.Time       `json:"created_at"`
	UpdatedAt           time.Time       `json:"updated_at"`
	May                 *ReviewerMay    `json:"may,omitempty" doc:"To a person: what they may do now"`
	Sandboxed
}

// Deadline is when an open request ends without a decision.
func (r Review) Deadline() time.Time {
	if r.EndsAt != nil && r.EndsAt.Before(r.TimeoutAt) {
		return *r.EndsAt
	}
	return r.TimeoutAt
}

// Deciders are those of several answers that made the decision: a rejection is not the
// work of those who approved. None where one person decides.
func (r Review) Deciders() []ReviewVote {
	var votes []ReviewVote
	for _, v := range r.Answers {
		counts := v.Decision == r.Decision && (r.Decision != Answered || r.IsMedian() || bytes.Equal(v.ResponseData, r.ResponseData))
		known := slices.ContainsFunc(votes, func(other ReviewVote) bool { return other.User == v.User })
		if counts && !known {
			votes = append(votes, v)
		}
	}
	return votes
}

// IsMedian tells an outcome that is the median of what several people answered.
func (r Review) IsMedian() bool {
	return r.ReviewMode != nil && r.ReviewMode.Mode == "all" && (r.ResponseType == "number" || r.ResponseType == "rating")
}

// ReviewerMay tells a person what they may do with a request.
type ReviewerMay struct {
	Claim    bool   `json:"claim"`
	Decide   bool   `json:"decide"`
	Release  bool   `json:"release"`
	Escalate bool   `json:"escalate"`
	Passkey  bool   `json:"passkey,omitempty" doc:"A decision needs a passkey"`
	Why      string `json:"why,omitempty" doc:"Why they may not decide"`
}

// Recipient is a person who was asked.
type Recipient struct {
	UserID            string `json:"user_id"`
	Name              string `json:"name"`
	Email             string `json:"email"`
	Role              string `json:"role"`
	NotificationSent  bool   `json:"notification_sent"`
	NotificationError string `json:"notification_error,omitempty"`
}

// ReviewPerson is the person who decided.
type ReviewPerson struct {
	UserID string `json:"user_id"`
	Name   string `json:"name"`
	Email  string `json:"email"`
}

// ReviewRound is an earlier round of a request.
type ReviewRound struct {
	Round        int             `json:"round"`
	RequestText  string          `json:"request_text"`
	Action       *Action         `json:"action,omitempty"`
	Context      json.RawMessage `json:"context,omitempty"`
	ResponseData json.RawMessage `json:"response_data"`
	Comment      string          `json:"comment,omitempty"`
	Decision     string          `json:"decision"`
	ResponseBy   *ReviewPerson   `json:"response_by,omitempty"`
	ResponseAt   time.Time       `json:"response_at"`
}

// ReviewVote is one person's answer of several.
type ReviewVote struct {
	Step         int             `json:"step,omitempty"`
	User         ReviewPerson    `json:"user"`
	ResponseData json.RawMessage `json:"response_data"`
	Decision     string          `json:"decision"`
	Comment      string          `json:"comment,omitempty"`
	DecidedVia   string          `json:"decided_via"`
	At           time.Time       `json:"at"`
}

// GetReviewResponse is the oldest spelling's answer (seed).
var GetReviewResponse = Endpoint[ReviewRequest, ReviewResponse]{Reviews, "GET", "/requests/{request_id}/response", "Get a review's response", 200, Agent | Owner | Reviewer}

// ReviewResponse is the outcome, flat.
type ReviewResponse struct {
	ID                string          `json:"id"`
	RequestID         string          `json:"request_id"`
	LoopID            string          `json:"loop_id"`
	Status            ReviewStatus    `json:"status"`
	Decision          *string         `json:"decision" doc:"approved, rejected, needs_changes or answered; null until final"`
	Response          json.RawMessage `json:"response" doc:"What people answered; null when nobody did"`
	EffectiveResponse json.RawMessage `json:"effective_response,omitempty"`
	ResponseSource    string          `json:"response_source,omitempty"`
	ReviewerID        *string         `json:"reviewer_id"`
	Reasoning         string          `json:"reasoning,omitempty"`
	Feedback          *ReviewFeedback `json:"feedback,omitempty"`
	Timestamp         *time.Time      `json:"timestamp"`
	CompletedAt       *time.Time      `json:"completed_at"`
	ProcessingTime    *float64        `json:"processing_time" doc:"Seconds"`
	UpdatedAt         time.Time       `json:"updated_at"`
	Version           int64           `json:"version"`
	Sandboxed
}

// ReviewFeedback is what is wanted instead, where changes are needed.
type ReviewFeedback struct {
	RequiredChanges []string `json:"required_changes"`
}

// Said is the message.
func (ReviewResponse) Said() string { return "Response retrieved successfully" }

// Revision makes the answer's ETag.
func (r ReviewResponse) Revision() string { return strconv.FormatInt(r.Version, 10) }

// Standing is how the request stands and since when.
func (r ReviewResponse) Standing() (ReviewStatus, time.Time) { return r.Status, r.UpdatedAt }

// Flat is the whole answer: the seed's clients know no envelope.
func (r ReviewResponse) Flat() map[string]any { return flatten(r) }

// GetReviewStatus is the oldest spelling's short answer (seed).
var GetReviewStatus = Endpoint[ReviewRequest, ReviewState]{Reviews, "GET", "/requests/{request_id}/status", "Get a review's status", 200, Agent | Owner | Reviewer}

// ReviewState is only where it is.
type ReviewState struct {
	ID        string       `json:"id"`
	RequestID string       `json:"request_id"`
	Status    ReviewStatus `json:"status"`
	Decision  *string      `json:"decision"`
	Round     int          `json:"round"`
	UpdatedAt time.Time    `json:"updated_at"`
	Version   int64        `json:"version"`
	Sandboxed
}

// Said is the message.
func (ReviewState) Said() string { return "Status retrieved successfully" }

// Revision makes the answer's ETag.
func (r ReviewState) Revision() string { return strconv.FormatInt(r.Version, 10) }

// Standing is how the request stands and since when.
func (r ReviewState) Standing() (ReviewStatus, time.Time) { return r.Status, r.UpdatedAt }

// Flat is the whole answer.
func (r ReviewState) Flat() map[string]any { return flatten(r) }

// flatten is v's members.
func flatten(v any) map[string]any {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	out := make(map[string]any, len(members))
	for name, value := range members {
		out[name] = value
	}
	return out
}
