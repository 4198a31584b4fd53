package schemas

import (
	"fmt"
	"strconv"
)

// PageRequest asks for part of a list: either by offset, as the contract has it, or by
// the cursor of the page before, which stays exact while rows are added.
type PageRequest struct {
	Limit  int    `query:"limit" json:"limit,omitempty" required:"false" minimum:"1" maximum:"100" default:"20" doc:"How many rows, 1 to 100"`
	Offset int    `query:"offset" json:"offset,omitempty" required:"false" minimum:"0" maximum:"10000" default:"0" doc:"Rows to skip; use cursor for long lists"`
	Cursor string `query:"cursor" json:"cursor,omitempty" required:"false" maxLength:"200" doc:"pagination.next_cursor of the page before"`
}

// Pagination tells where a page stands.
type Pagination struct {
	Limit      int    `json:"limit"`
	Offset     int    `json:"offset"`
	Total      int    `json:"total" doc:"Rows that match, over all pages: exact up to 10,000"`
	TotalMore  bool   `json:"total_more,omitempty" doc:"True when more than 10,000 match; total is 10,000 then"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Empty on the last page"`
}

// Count is a total for people: the number, or "10,000+".
func Count(total int, more bool) string {
	if more {
		return fmt.Sprintf("%d,%03d+", total/1000, total%1000)
	}
	return strconv.Itoa(total)
}

// Count is how many rows match, for people.
func (p Pagination) Count() string { return Count(p.Total, p.TotalMore) }

// Page is one page of a list.
type Page[T any] struct {
	Data       []T        `json:"data"`
	Pagination Pagination `json:"pagination"`
	Sandboxed
}

// Sandboxed marks an answer that concerns test mode: simulated people, no real money.
type Sandboxed struct {
	Sandbox       bool   `json:"sandbox,omitempty" doc:"True in test mode: simulated people, no real money"`
	SandboxNotice string `json:"sandbox_notice,omitempty"`
}

// SandboxNotice is what every test-mode answer says.
const SandboxNotice = "Test mode: people are simulated and no real money moves. A live key reaches people; the owner makes one with: humanops-mcp keys create --audience all --name NAME"

// MarkSandbox marks the answer as one of test mode.
func (s *Sandboxed) MarkSandbox() { s.Sandbox, s.SandboxNotice = true, SandboxNotice }

// InTestMode tells whether the answer is marked so.
func (s Sandboxed) InTestMode() bool { return s.Sandbox }

// Empty is an answer or a request without fields.
type Empty struct{}

// WrongPage is the reviews contract's refusal of a page request.
func WrongPage() error { return NewError(CodeInvalid, "Invalid pagination parameters") }
