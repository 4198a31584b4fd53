package review_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/account"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

// kept is a request of which only what lists look at matters.
type kept struct {
	id, loop, agent, mode  string
	status, priority, text string
	tags                   []string
	created, ended         int64
	asked                  []string
}

var (
	lives      = []string{"pending", "claimed", "completed", "timeout", "cancelled"}
	priorities = []string{"critical", "high", "medium", "low"}
)

// keep writes it down as it is, with its line.
func (d *desk) keep(k kept) {
	d.t.Helper()
	source, claimed := "default", any(nil)
	if k.ended == 0 {
		source = ""
	}
	if k.status == "claimed" {
		claimed = personOf(d.ada)
	}
	storetest.Exec(d.t, d.store, `INSERT INTO reviews (id, loop_id, agent_id, mode, status, status_rank, processing_type, type, priority, priority_rank, request_text, search_text, tags,
		platform, response_type, response_config, on_timeout, timeout_seconds, content_hash, timeout_at, response_source, claimed_by, created_at, round_at, updated_at, ended_at)
		VALUES ($1, $2, $3, $4, $5, $6, 'deferred', 'markdown', $7, $8, $9, $9, $10, 'api', 'boolean', '{}', 'cancel', 60, $1, 1, $11, $12, $13, $13, $13, $14)`,
		k.id, k.loop, k.agent, k.mode, k.status, slices.Index(lives, k.status), k.priority, slices.Index(priorities, k.priority), k.text, store.JSON(append([]string{}, k.tags...)),
		source, claimed, k.created, k.ended)
	storetest.Exec(d.t, d.store, `INSERT INTO subjects (id, kind, agent_id, mode, state, finished, created_at, updated_at, ended_at) VALUES ($1, 'review', $2, $3, $4, $5, $6, $6, $7)`,
		k.id, k.agent, k.mode, k.status, k.ended > 0, k.created, k.ended)
	for step, person := range k.asked {
		storetest.Exec(d.t, d.store, `INSERT INTO review_recipients (review_id, person_id, step, reason, created_at, loop_id, requested_at, open) VALUES ($1, $2, $3, 'escalated', $4, $5, $4, $6)`,
			k.id, person, step, k.created, k.loop, k.ended == 0)
	}
}

func agentOf(ctx context.Context) string { return account.From(ctx).AgentID }

// Every list is compared with one that is made by looking at everything.
func TestHistory_EveryListIsWhatLookingAtEverythingGives(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		here := run(d, d.owner, d.GetLoop, schemas.LoopRequest{LoopID: "default"}).Loop.ID
		there := run(d, d.owner, d.CreateLoop, schemas.CreateLoopRequest{Name: "There"}).Loop.ID
		own := run(d, d.agent, d.CreateLoop, schemas.CreateLoopRequest{Name: "Own"}).Loop.ID
		storetest.Exec(t, d.store, "INSERT INTO agents (id, name, tier, created_at) VALUES ('ag_other', 'Other', 'HOUSE', 1)")
		all := someRequests(d, []string{here, there, own})
		for who, caller := range map[string]struct {
			ctx  context.Context
			sees func(k kept) bool
		}{
			"the agent":    {d.agent, func(k kept) bool { return k.mode == "live" && k.agent == agentOf(d.agent) }},
			"its test key": {d.sandbox, func(k kept) bool { return k.mode == "test" && k.agent == agentOf(d.agent) }},
			"the owner":    {d.owner, func(k kept) bool { return k.mode == "live" }},
			"a member": {d.ada, func(k kept) bool {
				return k.mode == "live" && (k.loop == here || slices.Contains(k.asked, personOf(d.ada)))
			}},
			"somebody in no loops": {d.cy, func(k kept) bool { return k.mode == "live" && slices.Contains(k.asked, personOf(d.cy)) }},
		} {
			for what, in := range map[string]schemas.ListReviewsRequest{
				"everything": {}, "what is open": {Status: "open"}, "what is over": {Status: "done"}, "two statuses": {Status: "timeout,claimed"}, "one": {Status: "cancelled"},
				"priorities": {Priority: "low,critical"}, "a priority of one status": {Status: "completed", Priority: "high"},
				"words": {Query: "NEEDLE"}, "words of one status": {Query: "needle", Status: "done"}, "a tag": {Tag: "x"}, "a loop": {LoopID: here}, "a loop's open": {LoopID: here, Status: "open"},
				"the agent's own loop": {LoopID: own}, "what ended since": {EndedSince: store.Time(70)}, "what ended long since": {EndedSince: store.Time(1 << 50)},
				"nothing": {Query: "nowhere"},
			} {
				if _, err := try(d, caller.ctx, d.ListReviews, in); schemas.ErrorCode(err) == schemas.CodeNotFound {
					continue // not a loop of theirs
				}
				for _, sort := range []string{"", "created_at_asc", "priority_desc", "status_asc"} {
					in.Sort, in.Limit = sort, 7
					want := expected(all, in, caller.sees)
					d.requirePages(caller.ctx, in, want, fmt.Sprintf("%s, %s, sorted by %q", who, what, sort))
				}
			}
		}
	})
}

// someRequests are at few moments, so that ids decide often.
func someRequests(d *desk, circles []string) (all []kept) {
	r := rand.New(rand.NewPCG(7, 11)) //nolint:gosec // the same every time
	of := func(list []string) string { return list[r.IntN(len(list))] }
	for i := range 120 {
		k := kept{
			id: fmt.Sprintf("%024x", r.Uint64()), loop: of(circles), agent: agentOf(d.agent), mode: "live", status: of(lives), priority: of(priorities),
			text: "number " + fmt.Sprint(i), created: int64(1 + r.IntN(60)),
		}
		if k.loop != circles[2] && r.IntN(4) == 0 {
			k.agent = "ag_other"
		}
		if r.IntN(10) == 0 {
			k.mode = "test"
		}
		if r.IntN(3) == 0 {
			k.text += " a needle"
		}
		if r.IntN(3) == 0 {
			k.tags = []string{"x", "y"}
		}
		if !slices.Contains(lives[:2], k.status) {
			k.ended = k.created + int64(1+r.IntN(60))
		}
		if k.mode == "live" {
			k.asked = [][]string{nil, {personOf(d.ada)}, {personOf(d.cy)}, {personOf(d.ada), personOf(d.cy), personOf(d.ada)}}[r.IntN(4)]
		}
		d.keep(k)
		all = append(all, k)
	}
	return all
}

// expected is a list as it is defined.
func expected(all []kept, in schemas.ListReviewsRequest, sees func(kept) bool) (ids []string) {
	wants := func(words, word string) bool { return words == "" || slices.Contains(strings.Split(words, ","), word) }
	group := map[bool]string{true: "open", false: "done"}
	list := slices.DeleteFunc(slices.Clone(all), func(k kept) bool {
		return !sees(k) || !wants(in.Status, k.status) && !wants(in.Status, group[k.ended == 0]) || !wants(in.Priority, k.priority) ||
			!strings.Contains(k.text, strings.ToLower(in.Query)) || in.Tag != "" && !slices.Contains(k.tags, in.Tag) || in.LoopID != "" && k.loop != in.LoopID ||
			k.ended > 0 && k.ended < store.Micros(in.EndedSince)
	})
	slices.SortFunc(list, func(a, b kept) int {
		inTime := cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.id, b.id))
		switch in.Sort {
		case "":
			return -inTime
		case "priority_desc":
			return cmp.Or(slices.Index(priorities, a.priority)-slices.Index(priorities, b.priority), inTime)
		case "status_asc":
			return cmp.Or(slices.Index(lives, a.status)-slices.Index(lives, b.status), inTime)
		}
		return inTime
	})
	for _, k := range list {
		ids = append(ids, k.id)
	}
	return ids
}

// requirePages goes through a list by offset, and by cursor where there is one.
func (d *desk) requirePages(ctx context.Context, in schemas.ListReviewsRequest, want []string, what string) {
	d.t.Helper()
	for _, byCursor := range []bool{false, true} {
		if byCursor && in.Sort != "" && in.Sort != "created_at_asc" {
			continue
		}
		var got []string
		for {
			page := run(d, ctx, d.ListReviews, in)
			require.Equal(d.t, len(want), page.Total, what)
			require.False(d.t, page.TotalMore, what)
			got = append(got, idsOf(page)...)
			if !page.HasMore {
				break
			}
			require.Less(d.t, len(got), len(want), what)
			if in.Offset = 0; byCursor {
				in.Cursor = page.Pagination.NextCursor
			} else {
				in.Offset = *page.Pagination.NextOffset
			}
		}
		require.Equal(d.t, want, got, what)
		in.Offset, in.Cursor = 0, ""
	}
}

const many = 10_030

// fillHistory makes many requests that are over, of which the fourth has what is looked for.
func (d *desk) fillHistory(loopID string) {
	d.t.Helper()
	const from = ` WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 10029) SELECT SUBSTR('000000000000000000000000' || i, LENGTH(CAST(i AS TEXT)) + 1), `
	storetest.Exec(d.t, d.store, `INSERT INTO reviews (id, loop_id, agent_id, mode, status, status_rank, processing_type, type, priority, priority_rank, request_text, search_text, tags,
		platform, response_type, response_config, on_timeout, timeout_seconds, content_hash, timeout_at, response_source, created_at, round_at, updated_at, ended_at)`+from+
		`CAST($1 AS TEXT), CAST($2 AS TEXT), 'live', 'timeout', 3, 'deferred', 'markdown', CASE i WHEN 3 THEN 'critical' ELSE 'low' END, CASE i WHEN 3 THEN 0 ELSE 3 END,
		'Q', CASE i WHEN 3 THEN 'a needle' ELSE 'hay' END, CASE i WHEN 3 THEN '["x"]' ELSE '[]' END,
		'api', 'boolean', '{}', 'cancel', 60, 'h', 1, 'default', i + 1, i + 1, i + 1, i + 2 FROM n`, loopID, agentOf(d.agent))
	storetest.Exec(d.t, d.store, `INSERT INTO subjects (id, kind, agent_id, mode, state, finished, created_at, updated_at, ended_at)
		SELECT id, 'review', agent_id, mode, status, TRUE, created_at, updated_at, ended_at FROM reviews`)
	storetest.Exec(d.t, d.store, `INSERT INTO review_recipients (review_id, person_id, reason, created_at, loop_id, requested_at, open)
		SELECT id, CAST($1 AS TEXT), 'escalated', created_at, loop_id, created_at, FALSE FROM reviews`, personOf(d.cy))
}

func TestHistory_AListGoesNoFurtherThanTenThousand(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		d.fillHistory(run(d, d.owner, d.GetLoop, schemas.LoopRequest{LoopID: "default"}).Loop.ID)
		fourth := fmt.Sprintf("%024d", 3)
		for who, ctx := range map[string]context.Context{"the agent": d.agent, "the owner": d.owner, "a member": d.ada, "somebody who was asked": d.cy} {
			list := func(in schemas.ListReviewsRequest) schemas.ReviewList {
				t.Helper()
				in.Limit = 2
				return run(d, ctx, d.ListReviews, in)
			}
			for _, in := range []schemas.ListReviewsRequest{{}, {Status: "done"}, {Sort: "created_at_asc"}, {Sort: "priority_desc"}, {Priority: "low"}} {
				page := list(in)
				require.Equal(t, []any{10_000, true, true, 2}, []any{page.Total, page.TotalMore, page.HasMore, page.Count}, "%s, %+v", who, in)
			}
			page := list(schemas.ListReviewsRequest{Status: "open"})
			require.Equal(t, []any{0, false, false}, []any{page.Total, page.TotalMore, page.HasMore}, who)

			for _, in := range []schemas.ListReviewsRequest{{Query: "needle"}, {Tag: "x"}, {Priority: "critical"}, {Query: "needle", Status: "timeout"}} {
				page := list(in)
				require.Empty(t, page.Requests, "%s, %+v", who, in)
				require.Equal(t, []any{0, true, true}, []any{page.Total, page.TotalMore, page.HasMore}, "it says that it has not looked at all: %s, %+v", who, in)
				require.Nil(t, page.Pagination.NextOffset, "an offset would lead nowhere")
				in.Cursor = page.Pagination.NextCursor
				page = list(in)
				require.Equal(t, []string{fourth}, idsOf(page), "%s, %+v", who, in)
				require.Equal(t, []any{false, true}, []any{page.HasMore, page.TotalMore}, "%s, %+v", who, in)
				in.Cursor, in.Sort = "", "created_at_asc"
				page = list(in)
				require.Equal(t, []string{fourth}, idsOf(page), "from the other end, %s, %+v", who, in)
			}

			page = list(schemas.ListReviewsRequest{EndedSince: store.Time(many - 2)})
			require.Equal(t, []string{fmt.Sprintf("%024d", many-1), fmt.Sprintf("%024d", many-2)}, idsOf(page), who)
			if who == "the agent" {
				require.Equal(t, []any{4, false}, []any{page.Total, page.TotalMore}, "what ended lately is found by when it ended")
			}
			page = list(schemas.ListReviewsRequest{Offset: 9_999})
			require.Equal(t, []string{fmt.Sprintf("%024d", many-10_000), fmt.Sprintf("%024d", many-10_001)}, idsOf(page), who)
		}
	})
}

func TestDecisionsAreListedByWhoMadeThem(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		first, second := d.ask(d.agent, "One?", nil), d.ask(d.agent, "Two?", nil)
		bobs := d.ask(d.agent, "Three?", nil)
		d.decide(d.ada, second, "true", nil)
		d.clock.Advance(time.Minute)
		d.decide(d.ada, first, "false", nil)
		d.decide(d.bob, bobs, "true", nil)
		decided := func(ctx context.Context, since time.Time, most int64) []string {
			t.Helper()
			return idsOf(schemas.ReviewList{Requests: run(d, ctx, func(ctx context.Context, tx *store.Tx, most int64) ([]schemas.Review, error) {
				return d.Decided(ctx, tx, account.From(ctx), since, most)
			}, most)})
		}
		require.Equal(t, []string{first, second}, decided(d.ada, time.Time{}, 5), "the last decision first")
		require.Equal(t, []string{first}, decided(d.ada, time.Time{}, 1))
		require.Equal(t, []string{first}, decided(d.ada, d.clock.Now(), 5))
		require.Equal(t, []string{bobs}, decided(d.bob, time.Time{}, 5))
		require.Empty(t, decided(d.cy, time.Time{}, 5))
	})
}
