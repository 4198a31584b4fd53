package tools

import "humanops-mcp/client"

// Groups of tools. A tool may stand in several, with commas between them.
const (
	setTasks   = "tasks"
	setReviews = "reviews"
	setReview  = "review"
	setAccount = "account"
	setAudit   = "audit"
	setHITL    = "hitl"
	forBoth    = setTasks + "," + setReviews
)

// defaults are the groups on offer where none is chosen. Every tool in them is sent to
// every model on every request, so a test holds them to a size.
var defaults = []string{setTasks, setReviews, setReview, setAudit, setAccount}

// list is every tool there is, in the order clients show them.
func list() []Tool {
	return append([]Tool{
		tool("post_task", setTasks, Writes, "Ask a person to do something in the real world and prove it with photos. Say exactly what to do and what the photos must show. Returns at once: the reward is held in escrow and people are told. Not for things you can do yourself.", postTask),
		connectsLate(tool("request_human_review", setReviews, Writes, "Ask people to approve, choose or answer before you act: anything costly, public or not to be undone. Returns at once. Nothing is approved until check_status says APPROVED.", requestHumanReview)),
		connectsLate(tool("check_status", forBoth, Reads, "See where tasks and reviews are and what they need from you. Without ids: everything open and what ended in the last 24 h, news marked NEW. Waits for a change up to wait_seconds; people take minutes to hours, so prefer ending your turn.", checkStatus)),
		connectsLate(tool("get_task_result", forBoth, Reads, "Get what the person handed in: photos to look at, note, the automatic check's verdict, links. Of a review: answer, comment, edits, receipt.", getTaskResult)),
		connectsLate(tool("list_tasks", forBoth, Reads, "List your tasks and reviews, newest first, by status, type or words of the title.", listTasks)),
		connectsLate(tool("cancel_task", forBoth, Destroys, "Withdraw a task before work begins, for a full refund, or a review that nobody has decided.", cancelTask)),
		tool("review_proof", setReview, Destroys, "Decide on proof in MANUAL_REVIEW, after looking at it with get_task_result. approve pays the person for good; request_changes sends it back (twice at most); reject opens a dispute for the owner.", reviewProof),
		tool("reply_to_operator", setReview, Writes, "Answer the person who has the task: their time estimate (decision) or their question (text).", replyToOperator),
		connectsLate(tool("find_precedents", setAudit, Reads, "Search your decided reviews for similar ones, before you ask again.", findPrecedents)),
		tool("get_balance", setAccount, Reads, "Money left, today's limits, test or live mode, and how many people could act now. Call before the first task.", getBalance),
		tool("register_agent", setAccount, Writes, "Register with the marketplace and get an API key, shown once. Only needed while no key is configured.", worded(calls((*client.Client).RegisterAgent), registered)),
	}, officialTools()...)
}
