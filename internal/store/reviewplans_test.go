package store_test

import (
	"context"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/db"
)

// walked is how the databases say that they go through all of a table that grows.
var walked = regexp.MustCompile(`SCAN (r|a|b|t|e|n|p|s|v|l|w|d|reviews|review_\w+|subjects|uploads|webhooks|webhook_deliveries|loops|loop_members)\b|` +
	`Seq Scan on (reviews|review_\w+|subjects|uploads|webhooks|webhook_deliveries|loops|loop_members)\b|AUTOMATIC`)

// sorted is how they say that they put rows in order.
var sorted = regexp.MustCompile(`TEMP B-TREE FOR (RIGHT PART OF )?ORDER BY|\bSort\b`)

const (
	latest = 1 << 60
	fifty  = 51
)

// reviewLists looks at every way in that a list has: as it is, with what no index knows,
// and for the place at which looking ends.
func reviewLists(t *testing.T, s *store.Store) {
	ctx := t.Context()
	const over, open = "timeout", "pending"
	whose := map[string]string{over: "ag_quiet", open: "ag_busy"}
	for name, c := range map[string]struct {
		index string
		keys  func(q *db.Queries, status, text string, skip int64) (first string, n int, err error)
		first map[string]string
	}{
		"an agent's newest": {"reviews_by_agent", func(q *db.Queries, status, text string, skip int64) (string, int, error) {
			rows, err := q.NewestOfAgent(ctx, db.NewestOfAgentParams{AgentID: whose[status], Mode: "live", Status: status, Beyond: latest, TextLike: text, RowLimit: fifty, RowOffset: skip})
			return first(rows, func(r db.NewestOfAgentRow) string { return r.ID }), len(rows), err
		}, map[string]string{over: "r_9950", open: "r_9501"}},
		"an agent's oldest": {"reviews_by_agent", func(q *db.Queries, status, text string, skip int64) (string, int, error) {
			rows, err := q.OldestOfAgent(ctx, db.OldestOfAgentParams{AgentID: whose[status], Mode: "live", Status: status, Until: latest, TextLike: text, RowLimit: fifty, RowOffset: skip})
			return first(rows, func(r db.OldestOfAgentRow) string { return r.ID }), len(rows), err
		}, map[string]string{over: "r_0", open: "r_1"}},
		"an agent's newest in a loop": {"reviews_by_agent_loop", func(q *db.Queries, status, text string, skip int64) (string, int, error) {
			rows, err := q.NewestOfAgentIn(ctx, db.NewestOfAgentInParams{
				AgentID: whose[status], LoopID: "loop_0", Mode: "live", Status: status, Beyond: latest, TextLike: text, RowLimit: fifty, RowOffset: skip,
			})
			return first(rows, func(r db.NewestOfAgentInRow) string { return r.ID }), len(rows), err
		}, map[string]string{over: "r_9900"}},
		"an agent's oldest in a loop": {"reviews_by_agent_loop", func(q *db.Queries, status, text string, skip int64) (string, int, error) {
			rows, err := q.OldestOfAgentIn(ctx, db.OldestOfAgentInParams{
				AgentID: whose[status], LoopID: "loop_0", Mode: "live", Status: status, Until: latest, TextLike: text, RowLimit: fifty, RowOffset: skip,
			})
			return first(rows, func(r db.OldestOfAgentInRow) string { return r.ID }), len(rows), err
		}, map[string]string{over: "r_0"}},
		"the house's newest": {"reviews_by_status", func(q *db.Queries, status, text string, skip int64) (string, int, error) {
			rows, err := q.NewestOfHouse(ctx, db.NewestOfHouseParams{Mode: "live", Status: status, Beyond: latest, TextLike: text, RowLimit: fifty, RowOffset: skip})
			return first(rows, func(r db.NewestOfHouseRow) string { return r.ID }), len(rows), err
		}, map[string]string{over: "r_9999", open: "r_9501"}},
		"the house's oldest": {"reviews_by_status", func(q *db.Queries, status, text string, skip int64) (string, int, error) {
			rows, err := q.OldestOfHouse(ctx, db.OldestOfHouseParams{Mode: "live", Status: status, Until: latest, TextLike: text, RowLimit: fifty, RowOffset: skip})
			return first(rows, func(r db.OldestOfHouseRow) string { return r.ID }), len(rows), err
		}, map[string]string{over: "r_0", open: "r_1"}},
		"a loop's newest": {"reviews_by_loop", func(q *db.Queries, status, text string, skip int64) (string, int, error) {
			rows, err := q.NewestOfLoop(ctx, db.NewestOfLoopParams{LoopID: "loop_1", Mode: "live", Status: status, Beyond: latest, TextLike: text, RowLimit: fifty, RowOffset: skip})
			return first(rows, func(r db.NewestOfLoopRow) string { return r.ID }), len(rows), err
		}, map[string]string{over: "r_9981", open: "r_9501"}},
		"a loop's oldest": {"reviews_by_loop", func(q *db.Queries, status, text string, skip int64) (string, int, error) {
			rows, err := q.OldestOfLoop(ctx, db.OldestOfLoopParams{LoopID: "loop_1", Mode: "live", Status: status, Until: latest, TextLike: text, RowLimit: fifty, RowOffset: skip})
			return first(rows, func(r db.OldestOfLoopRow) string { return r.ID }), len(rows), err
		}, map[string]string{over: "r_21", open: "r_1"}},
		"what somebody was asked, the newest": {"review_recipients_person", func(q *db.Queries, status, text string, skip int64) (string, int, error) {
			rows, err := q.NewestAsked(ctx, db.NewestAskedParams{
				PersonID: "op_3", LoopID: "loop_8", Mode: "live", Open: status == open, Statuses: store.IDs([]string{status}), Beyond: latest, TextLike: text, RowLimit: fifty, RowOffset: skip,
			})
			return first(rows, func(r db.NewestAskedRow) string { return r.ID }), len(rows), err
		}, map[string]string{over: "r_9988"}},
		"what somebody was asked, the oldest": {"review_recipients_person", func(q *db.Queries, status, text string, skip int64) (string, int, error) {
			rows, err := q.OldestAsked(ctx, db.OldestAskedParams{
				PersonID: "op_3", LoopID: "loop_8", Mode: "live", Open: status == open, Statuses: store.IDs([]string{status}), Until: latest, TextLike: text, RowLimit: fifty, RowOffset: skip,
			})
			return first(rows, func(r db.OldestAskedRow) string { return r.ID }), len(rows), err
		}, map[string]string{over: "r_8"}},
	} {
		for status, want := range c.first {
			for _, way := range []struct {
				text string
				skip int64
			}{{"", 0}, {"%no such words%", 0}, {"", 20}} {
				plan := indexedPlanOf(t, s, func(q *db.Queries) error {
					id, n, err := c.keys(q, status, way.text, way.skip)
					if way.text == "" && way.skip == 0 {
						require.Equal(t, want, id, name)
						require.LessOrEqual(t, n, fifty, name)
					}
					return err
				})
				index := c.index
				if status == open && s.Kind() == "postgres" { // which it knows to be few, and of one agent
					index = "reviews_by_(agent|loop|status)"
				}
				require.Regexp(t, index, plan, "%s, %s", name, status)
				require.NotRegexp(t, walked, plan, "%s, %s", name, status)
				// What is looked for lies within bounds, and may be sorted; PostgreSQL sorts what one
				// person was asked where it knows that this is little.
				if way.text == "" && (s.Kind() == "sqlite" || c.index != "review_recipients_person") {
					require.NotRegexp(t, sorted, plan, "%s, %s", name, status)
				}
			}
		}
	}
}

// indexedPlanOf is planOf where PostgreSQL does not read the whole of a table that is still
// small, or of which it would be given as much as it asks for.
func indexedPlanOf(t *testing.T, s *store.Store, query func(*db.Queries) error) string {
	t.Helper()
	if s.Kind() == "postgres" {
		return planOf(t, s, query, "SET LOCAL enable_seqscan = off")
	}
	return planOf(t, s, query)
}

func first[R any](rows []R, id func(R) string) string {
	if len(rows) == 0 {
		return ""
	}
	return id(rows[0])
}

// aroundReviews looks at everything else that is asked of requests and of what hangs on them.
func aroundReviews(t *testing.T, s *store.Store) {
	ctx := t.Context()
	threeLoops, people := store.IDs([]string{"loop_1", "loop_2", "loop_3"}), store.IDs([]string{"op_1", "op_3", "op_501"})
	for name, c := range map[string]struct {
		index string
		ask   func(ctx context.Context, q *db.Queries) error
	}{
		"an agent's count": {"reviews_by_agent", func(ctx context.Context, q *db.Queries) error {
			_, err := q.CountOfAgent(ctx, db.CountOfAgentParams{AgentID: "ag_quiet", Mode: "live", Status: "timeout", Until: latest, CountTo: 10_001})
			return err
		}},
		"an agent's count of what is open": {"reviews_by_(agent|content|status)", func(ctx context.Context, q *db.Queries) error {
			_, err := q.CountOfAgent(ctx, db.CountOfAgentParams{AgentID: "ag_busy", Mode: "live", Status: "pending", Until: latest, CountTo: 10_001})
			return err
		}},
		"an agent's total": {"reviews_by_agent", func(ctx context.Context, q *db.Queries) error {
			_, err := q.TotalOfAgent(ctx, db.TotalOfAgentParams{AgentID: "ag_quiet", Mode: "live", Status: "timeout", CountTo: 10_001})
			return err
		}},
		"an agent's total in a loop": {"reviews_by_agent_loop", func(ctx context.Context, q *db.Queries) error {
			_, err := q.TotalOfAgentIn(ctx, db.TotalOfAgentInParams{AgentID: "ag_quiet", LoopID: "loop_0", Mode: "live", Status: "timeout", CountTo: 10_001})
			return err
		}},
		"the house's total": {"reviews_by_status", func(ctx context.Context, q *db.Queries) error {
			_, err := q.TotalOfHouse(ctx, db.TotalOfHouseParams{Mode: "live", Status: "timeout", CountTo: 10_001})
			return err
		}},
		"a total in loops": {"reviews_by_loop", func(ctx context.Context, q *db.Queries) error {
			_, err := q.TotalOfLoop(ctx, db.TotalOfLoopParams{LoopID: "loop_1", Mode: "live", Status: "timeout", CountTo: 10_001})
			return err
		}},
		"an agent's count in a loop": {"reviews_by_agent_loop", func(ctx context.Context, q *db.Queries) error {
			_, err := q.CountOfAgentIn(ctx, db.CountOfAgentInParams{AgentID: "ag_quiet", LoopID: "loop_0", Mode: "live", Status: "timeout", Until: latest, CountTo: 10_001})
			return err
		}},
		"the house's count": {"reviews_by_status", func(ctx context.Context, q *db.Queries) error {
			_, err := q.CountOfHouse(ctx, db.CountOfHouseParams{Mode: "live", Status: "timeout", Until: latest, CountTo: 10_001})
			return err
		}},
		"a count in loops": {"reviews_by_loop", func(ctx context.Context, q *db.Queries) error {
			_, err := q.CountOfLoop(ctx, db.CountOfLoopParams{LoopID: "loop_1", Mode: "live", Status: "timeout", Until: latest, CountTo: 10_001})
			return err
		}},
		"an agent's most urgent": {"reviews_by_agent", func(ctx context.Context, q *db.Queries) error {
			_, err := q.RankedOfAgent(ctx, db.RankedOfAgentParams{AgentID: "ag_quiet", Mode: "live", Status: "timeout", Since: 9_000, Until: latest, Sort: "priority_desc", RowLimit: fifty})
			return err
		}},
		"the house's most urgent": {"reviews_by_status", func(ctx context.Context, q *db.Queries) error {
			_, err := q.RankedOfHouse(ctx, db.RankedOfHouseParams{Mode: "live", Status: "pending", Until: latest, Sort: "priority_desc", RowLimit: fifty})
			return err
		}},
		"the most urgent in loops": {"reviews_by_loop", func(ctx context.Context, q *db.Queries) error {
			_, err := q.RankedOfLoop(ctx, db.RankedOfLoopParams{LoopID: "loop_1", Mode: "live", Status: "pending", Until: latest, Sort: "priority_desc", RowLimit: fifty})
			return err
		}},
		"the loops somebody was asked in": {"review_recipients_person", func(ctx context.Context, q *db.Queries) error {
			ids, err := q.LoopsAskedIn(ctx, db.LoopsAskedInParams{PersonID: "op_3"})
			require.Equal(t, []string{"loop_3", "loop_8"}, ids)
			return err
		}},
		"what ended lately": {"subjects_ended", func(ctx context.Context, q *db.Queries) error {
			_, err := q.OldestEndedSince(ctx, db.OldestEndedSinceParams{AgentID: "ag_busy", Mode: "live", Since: 9_990, CountTo: 10_001})
			return err
		}},
		"what somebody decided lately": {"reviews_by_decider", func(ctx context.Context, q *db.Queries) error {
			_, err := q.DecidedBy(ctx, db.DecidedByParams{PersonID: "op_3", Since: 9_000, Loops: threeLoops, RowLimit: 5})
			return err
		}},
		"precedents": {"reviews_by_(agent|status)", func(ctx context.Context, q *db.Queries) error {
			_, err := q.ListPrecedents(ctx, db.ListPrecedentsParams{AgentID: "ag_quiet", Mode: "live", LoopID: "loop_3", RowLimit: 2_000})
			return err
		}},
		"the same question": {"reviews_by_content", func(ctx context.Context, q *db.Queries) error {
			_, err := q.OpenDuplicateOf(ctx, db.OpenDuplicateOfParams{AgentID: "ag_busy", ContentHash: "h7"})
			return err
		}},
		"open reviews of tasks": {"reviews_of_task", func(ctx context.Context, q *db.Queries) error {
			_, err := q.OpenReviewsOfTasks(ctx, store.IDs([]string{"t_1", "t_2"}))
			return err
		}},
		"what some people have before them": {"review_recipients_person|reviews_by_content", func(ctx context.Context, q *db.Queries) error {
			_, err := q.OpenByPerson(ctx, people)
			return err
		}},
		"what is awaited from somebody": {"review_recipients_person", func(ctx context.Context, q *db.Queries) error {
			_, err := q.AwaitedFrom(ctx, db.AwaitedFromParams{PersonID: "op_3"})
			return err
		}},
		"dropping somebody's open answers": {"review_recipients_person", func(ctx context.Context, q *db.Queries) error {
			_, err := q.DropOpenAnswers(ctx, db.DropOpenAnswersParams{PersonID: "op_3"})
			return err
		}},
		"dropping what was escalated to somebody": {"review_recipients_escalated", func(ctx context.Context, q *db.Queries) error {
			return q.DropEscalated(ctx, db.DropEscalatedParams{PersonID: "op_10", LoopID: "loop_10"})
		}},
		"what is open in a loop": {"reviews_by_loop", func(ctx context.Context, q *db.Queries) error {
			_, err := q.CountOpenReviewsIn(ctx, "loop_1")
			return err
		}},
		"the answers that are open in a loop": {"reviews_by_loop", func(ctx context.Context, q *db.Queries) error {
			_, err := q.CountOpenAnswersIn(ctx, "loop_1")
			return err
		}},
		"a file that loops are shown": {"review_uploads_pkey|review_uploads_1", func(ctx context.Context, q *db.Queries) error {
			_, err := q.UploadShownIn(ctx, db.UploadShownInParams{UploadID: "u_7", Loops: threeLoops, AgentID: "ag_busy", Named: "%/uploads/u_7%"})
			return err
		}},
		"a file that a person is shown": {"review_uploads_pkey|review_uploads_1", func(ctx context.Context, q *db.Queries) error {
			_, err := q.UploadShownTo(ctx, db.UploadShownToParams{UploadID: "u_7", PersonID: "op_7", AgentID: "ag_busy", Named: "%/uploads/u_7%", Most: 10_000})
			return err
		}},
		"whether bytes are somebody's upload": {"uploads_sha", func(ctx context.Context, q *db.Queries) error {
			_, err := q.UploadInUse(ctx, "s_7")
			return err
		}},
		"links that expired": {"review_links_expiry", func(ctx context.Context, q *db.Queries) error { return q.DropReviewLinks(ctx, 5) }},
		"somebody's links":   {"review_links_person", func(ctx context.Context, q *db.Queries) error { return q.DeleteReviewLinksOf(ctx, "op_7") }},
		"a webhook's log": {"webhook_deliveries_log", func(ctx context.Context, q *db.Queries) error {
			_, err := q.ListDeliveries(ctx, db.ListDeliveriesParams{WebhookID: "wh_7", Before: latest, MaxRows: fifty})
			return err
		}},
		"deliveries that are old": {"webhook_deliveries_age", func(ctx context.Context, q *db.Queries) error {
			return q.DeleteOldDeliveries(ctx, db.DeleteOldDeliveriesParams{CreatedBefore: 5, RowLimit: 3})
		}},
		"a webhook by either id": {"webhooks_of_subject", func(ctx context.Context, q *db.Queries) error {
			_, err := q.FindWebhook(ctx, "wh_7")
			return err
		}},
		"a deleted loop's webhooks": {"webhooks_of_loop", func(ctx context.Context, q *db.Queries) error { return q.DeleteWebhooksIn(ctx, "loop_7") }},
		"the owner's loops": {"loops_by_time", func(ctx context.Context, q *db.Queries) error {
			_, err := q.ListOwnerLoops(ctx, db.ListOwnerLoopsParams{Before: latest, RowLimit: fifty})
			return err
		}},
		"somebody's loops": {"loop_members_person", func(ctx context.Context, q *db.Queries) error {
			_, err := q.ListPersonLoops(ctx, db.ListPersonLoopsParams{PersonID: "op_7", Before: latest, RowLimit: fifty})
			return err
		}},
		"the loops that somebody waits for": {"loop_members_person", func(ctx context.Context, q *db.Queries) error {
			_, err := q.LoopsWaitedFor(ctx, "op_7")
			return err
		}},
		"how many are in a loop": {"loop_members_pkey|loop_members_1", func(ctx context.Context, q *db.Queries) error {
			_, err := q.CountMembers(ctx, "loop_7")
			return err
		}},
		"a creator's loops": {"loops_by_creator", func(ctx context.Context, q *db.Queries) error {
			return q.SetCreator(ctx, db.SetCreatorParams{CreatorID: "op_1", FormerID: "op_7"})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			plan := indexedPlanOf(t, s, func(q *db.Queries) error { return c.ask(ctx, q) })
			require.Regexp(t, c.index, plan)
			require.NotRegexp(t, walked, plan)
		})
	}
}
