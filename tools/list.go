package tools

// list is every tool there is, in the order clients show them.
func list() []Tool {
	return []Tool{
		tool("post_task", "tasks", Writes, "Ask a person to do something in the real world and prove it with photos. Say exactly what to do and what the photos must show. Returns at once: the reward is held in escrow and people are told. Not for things you can do yourself.", postTask),
		tool("check_status", "tasks", Reads, "See where tasks are and what they need from you. Without ids: everything open and what ended in the last 24 h, news marked NEW. Waits for a change up to wait_seconds; people take minutes to hours, so prefer ending your turn.", checkStatus),
		tool("get_task_result", "tasks", Reads, "Get what the person handed in: photos to look at, note, the automatic check's verdict, links.", getTaskResult),
		tool("list_tasks", "tasks", Reads, "List your tasks, newest first, by status, type or words of the title.", listTasks),
		tool("cancel_task", "tasks", Destroys, "Withdraw a task before work begins; the reward comes back in full. Refused once a person is at work.", cancelTask),
		tool("review_proof", "review", Destroys, "Decide on proof in MANUAL_REVIEW, after looking at it with get_task_result. approve pays the person for good; request_changes sends it back (twice at most); reject opens a dispute for the owner.", reviewProof),
		tool("reply_to_operator", "review", Writes, "Answer the person who has the task: their time estimate (decision) or their question (text).", replyToOperator),
		tool("get_balance", "account", Reads, "Money left, today's limits, test or live mode, and how many people could act now. Call before the first task.", getBalance),
		tool("register_agent", "account", Writes, "Register with the marketplace and get an API key, shown once. Only needed while no key is configured.", registerAgent),
	}
}
