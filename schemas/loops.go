package schemas

import (
	"encoding/json"
	"time"
)

// CheckKey tells an agent about its key (reviews contract §1.2). It is served without
// /api too, as everything is.
var CheckKey = Endpoint[Empty, KeyCheck]{Reviews, "GET", "/test", "Check an API key", 200, Agent}

// KeyCheck is the contract's answer.
type KeyCheck struct {
	APIKeyID      string   `json:"api_key_id"`
	UserID        string   `json:"user_id" doc:"The agent"`
	Email         string   `json:"email"`
	AccountStatus string   `json:"account_status" enum:"active,suspended"`
	RateLimit     Quota    `json:"rate_limit"`
	Permissions   []string `json:"permissions" doc:"loops:read, loops:write, requests:read, requests:write"`
	Mode          string   `json:"mode" enum:"live,test"`
	Sandboxed
}

// Said is the contract's message.
func (KeyCheck) Said() string { return "API key is valid" }

// Quota is what is left of a caller's allowance of calls.
type Quota struct {
	Limit     int       `json:"limit"`
	Remaining int       `json:"remaining"`
	ResetAt   time.Time `json:"reset_at"`
}

// CreateLoop makes a loop: a circle of people who decide (reviews contract §1.5).
var CreateLoop = Endpoint[CreateLoopRequest, LoopCreated]{Reviews, "POST", "/loops", "Create a loop", 201, Agent | Owner}

// CreateLoopRequest names a loop. Settings can only be given by a person.
type CreateLoopRequest struct {
	Name        string        `json:"name" minLength:"1" maxLength:"100" example:"Content moderation"`
	Description string        `json:"description,omitempty" maxLength:"500"`
	Icon        string        `json:"icon,omitempty" maxLength:"50" doc:"An emoji or an icon's name" example:"shield"`
	Slug        string        `json:"slug,omitempty" pattern:"^[a-z0-9][a-z0-9_-]{0,49}$" doc:"Stands for the id in every path; made from the name when left out" example:"content_moderation"`
	Settings    *LoopSettings `json:"settings,omitempty" doc:"Only a person sets these"`
}

// LoopCreated is the new loop and how people join it. A code from a loop that an agent
// made brings a person in as pending: the owner admits them.
type LoopCreated struct {
	Loop         Loop   `json:"loop"`
	InviteCode   string `json:"invite_code" example:"ABC123DEF"`
	QRCodeBase64 string `json:"qr_code_base64" doc:"data:image/png;base64,…"`
	QRCodeURL    string `json:"qr_code_url"`
	JoinURL      string `json:"join_url"`
	Sandboxed
}

// Said is the contract's message.
func (LoopCreated) Said() string { return "Loop created successfully with QR code" }

// Flat is what clients of the oldest spelling read at the top.
func (l LoopCreated) Flat() map[string]any { return map[string]any{"id": l.Loop.ID} }

// Loop is a circle of people who decide.
type Loop struct {
	ID           string       `json:"id" doc:"24 hexadecimal digits"`
	Slug         string       `json:"slug" doc:"Stands for the id in every path"`
	Name         string       `json:"name"`
	Description  string       `json:"description"`
	Icon         string       `json:"icon"`
	CreatorID    string       `json:"creator_id" doc:"The person who owns the agent that made it"`
	AgentID      string       `json:"agent_id,omitempty" doc:"The agent that made it; absent for the house's own"`
	Members      []Member     `json:"members,omitempty"`
	MemberCount  int          `json:"member_count" doc:"Active members"`
	PendingCount int          `json:"pending_count" doc:"People who wait to be admitted"`
	Settings     LoopSettings `json:"settings"`
	Problems     []string     `json:"problems,omitempty" doc:"What would keep people from being reached, such as an escalation step without a working channel"`
	Status       string       `json:"status" enum:"active"`
	CreatedAt    time.Time    `json:"created_at"`
	UpdatedAt    time.Time    `json:"updated_at"`
}

// LoopSettings are what a person decides about a loop. The zero value is the default.
type LoopSettings struct {
	FailClosed       bool               `json:"fail_closed,omitempty" doc:"A default can only reject"`
	Passkey          bool               `json:"passkey,omitempty" doc:"A decision needs an assertion by an enrolled passkey"`
	AcceptUnattended bool               `json:"accept_unattended,omitempty" doc:"Take requests even while nobody in the loop can decide"`
	Routing          string             `json:"routing,omitempty" enum:"broadcast,round_robin,least_loaded" doc:"broadcast (default): everybody is told, one claims it"`
	LeaseSeconds     int                `json:"lease_seconds,omitempty" minimum:"60" maximum:"86400" doc:"How long a claim lasts without a sign of life; 600"`
	ClaimSeconds     int                `json:"claim_seconds,omitempty" minimum:"60" maximum:"2592000" doc:"Somebody has to claim it within this, else it is escalated; none when left out"`
	DecideSeconds    int                `json:"decide_seconds,omitempty" minimum:"60" maximum:"2592000" doc:"Whoever claims it has to decide within this, else the claim ends and it is escalated; none when left out"`
	WarnSeconds      int                `json:"warn_seconds,omitempty" minimum:"30" maximum:"86400" doc:"How long before a clock runs out people are warned; 900"`
	Mode             *ReviewMode        `json:"review_mode,omitempty" doc:"For requests that bring none; where it demands the agreement of several, no request may ask for less"`
	Escalation       []EscalationPolicy `json:"escalation,omitempty" maxItems:"5"`
}

// ReviewMode says how many people decide, and in what order.
type ReviewMode struct {
	Mode      string       `json:"mode,omitempty" enum:"first,all,quorum" doc:"first (default): the first answer counts; all: everybody asked answers; quorum: threshold equal answers"`
	Threshold int          `json:"threshold,omitempty" minimum:"1" maximum:"50" doc:"Of quorum: how many equal answers decide"`
	Of        int          `json:"of,omitempty" minimum:"1" maximum:"50" doc:"Of quorum: how many people are asked; all when left out"`
	Order     string       `json:"order,omitempty" enum:"sequential,parallel" doc:"Of steps; sequential when left out"`
	Steps     []ReviewStep `json:"steps,omitempty" maxItems:"10" doc:"Several circles that all have to approve"`
	Open      bool         `json:"open,omitempty" doc:"Reviewers see each other's answers before all is decided; left out, they do not"`
}

// ReviewStep is one circle of a request with steps.
type ReviewStep struct {
	To        []string `json:"to" minItems:"1" maxItems:"50" doc:"People or groups, by id or name"`
	Mode      string   `json:"mode,omitempty" enum:"first,all,quorum"`
	Threshold int      `json:"threshold,omitempty" minimum:"1" maximum:"50"`
}

// EscalationPolicy says what happens while nobody decides.
type EscalationPolicy struct {
	Priorities []string         `json:"priorities,omitempty" maxItems:"4" doc:"low, medium, high, critical; all when left out"`
	Steps      []EscalationStep `json:"steps" minItems:"1" maxItems:"10"`
	Repeat     int              `json:"repeat,omitempty" minimum:"0" maximum:"10" doc:"How often the steps are gone through again"`
	Last       string           `json:"last,omitempty" enum:"default,cancel,keep_open" doc:"After the last step: the default answer, cancelled, or left to the request's own time-out (keep_open, the default)"`
}

// EscalationStep tells further people.
type EscalationStep struct {
	AfterSeconds int      `json:"after_seconds" minimum:"30" maximum:"2592000" doc:"After the step before; the first: after the request was made"`
	To           []string `json:"to" minItems:"1" maxItems:"50" doc:"People or groups by id or name; owner; loop"`
	Channels     []string `json:"channels,omitempty" maxItems:"3" doc:"mail, chat, page; all that work when left out"`
}

// ListLoops lists the caller's loops and the house's.
var ListLoops = Endpoint[ListLoopsRequest, LoopList]{Reviews, "GET", "/loops", "List loops", 200, Agent | Owner | Reviewer}

// ListLoopsRequest pages the list.
type ListLoopsRequest struct {
	Limit  int    `query:"limit" json:"limit,omitempty" required:"false" minimum:"1" maximum:"100" default:"50"`
	Offset int    `query:"offset" json:"offset,omitempty" required:"false" minimum:"0" maximum:"10000" default:"0"`
	Cursor string `query:"cursor" json:"cursor,omitempty" required:"false" maxLength:"200"`
}

// LoopList is the contract's list; total and next_cursor are ours.
type LoopList struct {
	Loops      []Loop `json:"loops"`
	Count      int    `json:"count"`
	Total      int    `json:"total" doc:"Exact up to 10,000"`
	TotalMore  bool   `json:"total_more,omitempty" doc:"True when there are more than 10,000; total is 10,000 then"`
	NextCursor string `json:"next_cursor,omitempty"`
	Sandboxed
}

// Said is the message.
func (LoopList) Said() string { return "Loops retrieved successfully" }

// LoopRequest names a loop by id or slug.
type LoopRequest struct {
	LoopID string `path:"loop_id" json:"loop_id" maxLength:"100" doc:"Its id or slug"`
}

// GetLoop gives a loop with its members.
var GetLoop = Endpoint[LoopRequest, LoopAnswer]{Reviews, "GET", "/loops/{loop_id}", "Get a loop", 200, Agent | Owner | Reviewer}

// LoopAnswer is a loop as the contract wraps it.
type LoopAnswer struct {
	Loop     Loop     `json:"loop"`
	Warnings []string `json:"warnings,omitempty"`
	Sandboxed
}

// Said is the message.
func (LoopAnswer) Said() string { return "Loop retrieved successfully" }

// Flat is what clients of the oldest spelling read at the top.
func (l LoopAnswer) Flat() map[string]any { return map[string]any{"id": l.Loop.ID} }

// UpdateLoop changes what is given.
var UpdateLoop = Endpoint[UpdateLoopRequest, LoopAnswer]{Reviews, "PUT", "/loops/{loop_id}", "Update a loop", 200, Agent | Owner}

// UpdateLoopRequest holds at least one field beside the id.
type UpdateLoopRequest struct {
	LoopID      string        `path:"loop_id" json:"loop_id" maxLength:"100"`
	Name        *string       `json:"name,omitempty" minLength:"1" maxLength:"100"`
	Description *string       `json:"description,omitempty" maxLength:"500"`
	Icon        *string       `json:"icon,omitempty" maxLength:"50"`
	Settings    *LoopSettings `json:"settings,omitempty" doc:"Replaces all settings; only a person sets these"`
	Assertion   *Assertion    `json:"assertion,omitempty" doc:"Of an enrolled passkey: needed to change the settings of a loop that demands passkeys"`
}

// DeleteLoop deletes a loop and everything in it.
var DeleteLoop = Endpoint[DeleteLoopRequest, LoopDeleted]{Reviews, "DELETE", "/loops/{loop_id}", "Delete a loop", 200, Agent | Owner}

// DeleteLoopRequest names the loop.
type DeleteLoopRequest struct {
	LoopID    string     `path:"loop_id" json:"loop_id" maxLength:"100" doc:"Its id or slug"`
	Assertion *Assertion `json:"assertion,omitempty" doc:"Of an enrolled passkey: needed for a loop that demands passkeys"`
}

// LoopDeleted tells what went with it.
type LoopDeleted struct {
	LoopID      string      `json:"loop_id"`
	DeletedAt   time.Time   `json:"deleted_at"`
	DeletedData DeletedData `json:"deleted_data"`
	Sandboxed
}

// DeletedData counts what went with a loop.
type DeletedData struct {
	MembersRemoved   int `json:"members_removed"`
	RequestsDeleted  int `json:"requests_deleted"`
	ResponsesDeleted int `json:"responses_deleted"`
}

// Said is the message.
func (LoopDeleted) Said() string { return "Loop deleted successfully" }

// ListMembers lists a loop's members.
var ListMembers = Endpoint[LoopRequest, MemberList]{Reviews, "GET", "/loops/{loop_id}/members", "List a loop's members", 200, Agent | Owner}

// MemberList is the contract's list. A loop has at most 500 members.
type MemberList struct {
	Members      []Member         `json:"members"`
	TotalCount   int              `json:"total_count"`
	ActiveCount  int              `json:"active_count"`
	PendingCount int              `json:"pending_count"`
	Statistics   MemberStatistics `json:"statistics"`
	Sandboxed
}

// Said is the message.
func (MemberList) Said() string { return "Loop members retrieved successfully" }

// MemberStatistics are the contract's.
type MemberStatistics struct {
	AvgJoinTimeDays    float64    `json:"avg_join_time_days"`
	NewestMemberJoined *time.Time `json:"newest_member_joined"`
	OldestMemberJoined *time.Time `json:"oldest_member_joined"`
}

// Member is a person in a loop.
type Member struct {
	UserID     string     `json:"user_id"`
	Name       string     `json:"name"`
	Email      string     `json:"email"`
	Status     string     `json:"status" enum:"pending,active" doc:"pending: waits for the owner to admit them"`
	JoinedAt   *time.Time `json:"joined_at"`
	Role       string     `json:"role" enum:"member,admin"`
	LastActive *time.Time `json:"last_active"`
	Passkey    bool       `json:"passkey,omitempty" doc:"Has a passkey that is enrolled in this loop"`
}

// AddMember puts a person of the house into a loop; one who waits is admitted.
var AddMember = Endpoint[AddMemberRequest, MemberAnswer]{Reviews, "POST", "/loops/{loop_id}/members", "Add or admit a member", 201, Owner}

// AddMemberRequest names the person.
type AddMemberRequest struct {
	LoopID    string     `path:"loop_id" json:"loop_id" maxLength:"100"`
	UserID    string     `json:"user_id" minLength:"1" maxLength:"200" doc:"The person's id or name"`
	Role      string     `json:"role,omitempty" enum:"member,admin"`
	Assertion *Assertion `json:"assertion,omitempty" doc:"Of an enrolled passkey: enrols this person's passkeys in a loop that demands them"`
}

// MemberAnswer is a member after a change.
type MemberAnswer struct {
	LoopID string `json:"loop_id"`
	Member Member `json:"member"`
}

// Said is the message.
func (MemberAnswer) Said() string { return "Member added successfully" }

// RemoveMember takes a person out of a loop; what they had claimed returns to the others.
var RemoveMember = Endpoint[MemberRequest, MemberRemoved]{Reviews, "DELETE", "/loops/{loop_id}/members/{user_id}", "Remove a member", 200, Agent | Owner}

// MemberRequest names a member.
type MemberRequest struct {
	LoopID    string     `path:"loop_id" json:"loop_id" maxLength:"100"`
	UserID    string     `path:"user_id" json:"user_id" maxLength:"200"`
	Assertion *Assertion `json:"assertion,omitempty" doc:"Of an enrolled passkey: needed for a loop that demands passkeys"`
}

// MemberRemoved is the contract's answer.
type MemberRemoved struct {
	LoopID    string    `json:"loop_id"`
	UserID    string    `json:"user_id"`
	RemovedAt time.Time `json:"removed_at"`
	Sandboxed
}

// Said is the message.
func (MemberRemoved) Said() string { return "Member removed successfully" }

// CreateInvitation makes a code with which people join a loop at once.
var CreateInvitation = Endpoint[LoopRequest, Invitation]{Reviews, "POST", "/loops/{loop_id}/invitations", "Make an invitation", 201, Owner}

// Invitation is a code, shown once, and where it leads.
type Invitation struct {
	LoopID       string    `json:"loop_id"`
	InviteCode   string    `json:"invite_code"`
	JoinURL      string    `json:"join_url"`
	QRCodeBase64 string    `json:"qr_code_base64"`
	QRCodeURL    string    `json:"qr_code_url"`
	Admits       bool      `json:"admits" doc:"False: whoever joins waits for the owner to admit them"`
	ExpiresAt    time.Time `json:"expires_at"`
}

// Said is the message.
func (Invitation) Said() string { return "Invitation created successfully" }

// RevokeInvitations ends every code of a loop.
var RevokeInvitations = Endpoint[LoopRequest, InvitationsRevoked]{Reviews, "DELETE", "/loops/{loop_id}/invitations", "End all invitations", 200, Owner}

// InvitationsRevoked counts the codes that ended.
type InvitationsRevoked struct {
	LoopID  string `json:"loop_id"`
	Revoked int    `json:"revoked"`
}

// Said is the message.
func (InvitationsRevoked) Said() string { return "Invitations ended successfully" }

// JoinLoop brings the calling person into a loop.
var JoinLoop = Endpoint[JoinLoopRequest, MemberAnswer]{Reviews, "POST", "/loops/join", "Join a loop by its code", 200, Reviewer}

// JoinLoopRequest holds the code.
type JoinLoopRequest struct {
	InviteCode string `json:"invite_code" minLength:"1" maxLength:"64" doc:"Case-sensitive"`
}

// Groups of people, for routing and escalation.

// ListGroups lists the groups of the house.
var ListGroups = Endpoint[PageRequest, Page[Group]]{Platform, "GET", "/groups", "List groups", 200, Owner}

// Group is some people under one name.
type Group struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Members   []PersonBrief `json:"members"`
	CreatedAt time.Time     `json:"created_at"`
}

// PutGroup makes a group or replaces its members.
var PutGroup = Endpoint[PutGroupRequest, Group]{Platform, "PUT", "/groups/{group}", "Make or change a group", 200, Owner}

// PutGroupRequest names the group and everybody in it.
type PutGroupRequest struct {
	Group   string   `path:"group" json:"group" maxLength:"100" doc:"Its name"`
	Members []string `json:"members" maxItems:"200" doc:"People by id or name"`
}

// DeleteGroup deletes a group; its people stay.
var DeleteGroup = Endpoint[GroupRequest, Empty]{Platform, "DELETE", "/groups/{group}", "Delete a group", 200, Owner}

// GroupRequest names a group.
type GroupRequest struct {
	Group string `path:"group" json:"group" maxLength:"100" doc:"Its id or name"`
}

// GetAvailability tells when a person may be asked.
var GetAvailability = Endpoint[PersonRequest, Availability]{Platform, "GET", "/people/{person_id}/availability", "Working hours and absence", 200, Owner | Reviewer}

// PutAvailability changes it. People change their own; the owner everybody's.
var PutAvailability = Endpoint[PutAvailabilityRequest, Availability]{Platform, "PUT", "/people/{person_id}/availability", "Set working hours and absence", 200, Owner | Reviewer}

// PutAvailabilityRequest replaces everything.
type PutAvailabilityRequest struct {
	PersonID string `path:"person_id" json:"person_id" maxLength:"200" doc:"Id or name; me for oneself"`
	AvailabilityRules
}

// AvailabilityRules say when a person may be asked. Without hours they always may be.
type AvailabilityRules struct {
	TimeZone    string     `json:"time_zone,omitempty" maxLength:"64" doc:"IANA name; UTC when left out" example:"Europe/Vienna"`
	Hours       []Hours    `json:"hours,omitempty" maxItems:"21" doc:"Working hours; outside them only critical requests are announced"`
	AbsentFrom  *time.Time `json:"absent_from,omitempty"`
	AbsentUntil *time.Time `json:"absent_until,omitempty" doc:"Nothing is announced before this"`
}

// Hours are one stretch of working hours.
type Hours struct {
	Days  []string `json:"days" minItems:"1" maxItems:"7" doc:"mon, tue, wed, thu, fri, sat, sun"`
	From  string   `json:"from" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" example:"09:00"`
	Until string   `json:"until" pattern:"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$" doc:"Before from: ends the next day" example:"17:00"`
}

// Availability is a person's rules and what they mean now.
type Availability struct {
	PersonID     string     `json:"person_id"`
	AvailableNow bool       `json:"available_now"`
	NextAt       *time.Time `json:"next_at,omitempty" doc:"When they may be asked next, when not now"`
	AvailabilityRules
}

// Assertion is a WebAuthn assertion as the browser's navigator.credentials.get gives it
// (PublicKeyCredential.toJSON), for a ceremony that this server began.
type Assertion struct {
	Ceremony   string          `json:"ceremony" maxLength:"64" doc:"Id of the ceremony"`
	Credential json.RawMessage `json:"credential" doc:"PublicKeyCredential as JSON"`
}
