package task_test

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
	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/internal/task"
	"humanops-mcp/schemas"
)

// fill writes tasks of the house's agent as they are kept, i from 0 on; what differs from a
// posted one is an expression of i.
func (h *house) fill(n int, differs map[string]string) {
	h.t.Helper()
	columns := map[string]string{
		"id": "'task_' || i", "mode": "'live'", "status": "'POSTED'", "title": "'T'", "description": "'D'", "task_type": "'PHOTO'", "reward": "1",
		"asset": "'house'", "deadline": "4000000000000000", "proof_requirements": "'[]'", "content_hash": "'h'", "operator_id": "NULL", "assign_to": "NULL",
		"agent_id": "'" + account.From(h.agent).AgentID + "'", "created_at": "i", "updated_at": "i",
	}
	for name, expression := range differs {
		columns[name] = expression
	}
	var names, values []string
	for name, expression := range columns {
		names, values = append(names, name), append(values, expression)
	}
	storetest.Exec(h.t, h.store, fmt.Sprintf("INSERT INTO tasks (%s) WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT %s FROM n",
		strings.Join(names, ", "), n-1, strings.Join(values, ", ")))
}

// cases is an expression that takes the values in turn, each as often as the number of times
// that it is named.
func cases(values ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CASE i %% %d", len(values))
	for i, v := range values {
		fmt.Fprintf(&b, " WHEN %d THEN '%s'", i, v)
	}
	return b.String() + " END"
}

// pages follows a list to its end; each answers for one page.
func pages[T any](h *house, ctx context.Context, in schemas.ListTasksRequest, each func(schemas.Page[schemas.TaskView]) []T) (all []T) {
	h.t.Helper()
	for range 1000 {
		page := must(h, ctx, h.ListTasks, in)
		all = append(all, each(page)...)
		if in.Cursor = page.Pagination.NextCursor; in.Cursor == "" {
			return all
		}
	}
	h.t.Fatal("the list has no end")
	return nil
}

func idsOf(page schemas.Page[schemas.TaskView]) (ids []string) {
	for _, v := range page.Data {
		ids = append(ids, v.TaskID)
	}
	return ids
}

// kept is a task as a list has to find it.
type kept struct {
	id, status, kind, title string
	created, updated        int64
}

func (k kept) matches(in schemas.ListTasksRequest) bool {
	final := schemas.TaskStatus(k.status).Final()
	wanted := in.Status == ""
	for word := range strings.SplitSeq(in.Status, ",") {
		wanted = wanted || word == k.status || word == "open" && !final || word == "done" && final
	}
	return wanted && (in.TaskType == "" || string(in.TaskType) == k.kind) && strings.Contains(strings.ToLower(k.title), strings.ToLower(in.Query)) &&
		(in.EndedSince.IsZero() || !final || k.updated >= store.Micros(in.EndedSince))
}

// Every combination of filters, page by page and by offset, gives what looking at each task
// would: for an agent and for the owner, on both databases.
func TestHistory_FiltersTogetherFindWhatEachTaskSays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := houseOn(t, s, clk, task.Config{})
		var words []string
		for _, status := range schemas.TaskStatuses {
			words = append(words, string(status))
		}
		const n, half = 400, 50 // several are of one moment
		ada := account.From(h.ada).PersonID
		h.fill(n, map[string]string{
			"status": cases(words...), "task_type": cases("PHOTO", "DELIVERY", "PHOTO"), "title": cases("Shop", "Roof", "shop window", "Sign", "Ort"),
			"created_at": fmt.Sprintf("1 + (i * 7919) %% %d", half), "updated_at": "1000 + (i * 31) % 97", "operator_id": "'" + ada + "'",
		})
		all := h.kept()
		require.Len(t, all, n)
		random := rand.New(rand.NewPCG(8, 1))
		pick := func(list ...string) string { return list[random.IntN(len(list))] }
		for range 120 {
			in := schemas.ListTasksRequest{
				Status:   pick("", "open", "done", "PAID", "POSTED,EXPIRED", "open,PAID", "MANUAL_REVIEW,DISPUTED,CANCELLED", "open,done"),
				TaskType: schemas.TaskType(pick("", "", "PHOTO", "DELIVERY", "INSPECTION")), Query: pick("", "", "SHOP", "roof", "%"),
			}
			if random.IntN(3) == 0 {
				in.EndedSince = store.Time(1000 + random.Int64N(120))
			}
			want := []string{}
			for _, k := range all {
				if k.matches(in) {
					want = append(want, k.id)
				}
			}
			in.Limit = 1 + random.IntN(40)
			for _, who := range []context.Context{h.agent, h.owner} {
				got := pages(h, who, in, func(p schemas.Page[schemas.TaskView]) []string {
					require.Equal(t, len(want), p.Pagination.Total, "%+v", in)
					require.False(t, p.Pagination.TotalMore)
					return idsOf(p)
				})
				require.Equal(t, want, append([]string{}, got...), "%+v", in)
				skipped := in
				skipped.Offset = random.IntN(len(want) + 5)
				page := must(h, who, h.ListTasks, skipped)
				require.Equal(t, len(want), page.Pagination.Total)
				from := min(skipped.Offset, len(want))
				require.Equal(t, want[from:min(from+in.Limit, len(want))], append([]string{}, idsOf(page)...), "%+v", skipped)
			}
		}
	})
}

// kept are all tasks, in the order of lists.
func (h *house) kept() (all []kept) {
	h.t.Helper()
	rows, err := storetest.Raw(h.t, h.store).QueryContext(h.t.Context(), "SELECT id, status, task_type, title, created_at, updated_at FROM tasks")
	require.NoError(h.t, err)
	defer rows.Close()
	for rows.Next() {
		var k kept
		require.NoError(h.t, rows.Scan(&k.id, &k.status, &k.kind, &k.title, &k.created, &k.updated))
		all = append(all, k)
	}
	require.NoError(h.t, rows.Err())
	slices.SortFunc(all, func(a, b kept) int { return cmp.Or(cmp.Compare(b.created, a.created), cmp.Compare(b.id, a.id)) })
	return all
}

func TestHistory_TotalsStopAtTenThousand(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := houseOn(t, s, clk, task.Config{})
		h.fill(10_000, map[string]string{"status": cases("POSTED", "PAID"), "operator_id": "'" + account.From(h.ada).PersonID + "'"})
		total := func(who context.Context, in schemas.ListTasksRequest) []any {
			in.Limit = 1
			p := must(h, who, h.ListTasks, in).Pagination
			return []any{p.Total, p.TotalMore}
		}
		mine := func() []any {
			p := must(h, h.ada, h.ListOpenTasks, schemas.ListOpenTasksRequest{Mine: true}).Pagination
			return []any{p.Total, p.TotalMore}
		}
		for _, who := range []context.Context{h.agent, h.owner} {
			require.Equal(t, []any{10_000, false}, total(who, schemas.ListTasksRequest{}))
			require.Equal(t, []any{5000, false}, total(who, schemas.ListTasksRequest{Status: "PAID"}))
			require.Equal(t, []any{10_000, false}, total(who, schemas.ListTasksRequest{Status: "PAID,POSTED"}))
			require.Equal(t, []any{10_000, false}, total(who, schemas.ListTasksRequest{TaskType: "PHOTO"}), "one look sees all of them")
		}
		require.Equal(t, []any{10_000, false}, mine())
		h.fill(2, map[string]string{"id": "'later_' || i", "created_at": "20000 + i", "operator_id": "'" + account.From(h.ada).PersonID + "'"})
		for _, who := range []context.Context{h.agent, h.owner} {
			require.Equal(t, []any{10_000, true}, total(who, schemas.ListTasksRequest{}))
			require.Equal(t, []any{10_000, true}, total(who, schemas.ListTasksRequest{Status: "PAID,POSTED"}))
			require.Equal(t, []any{5002, false}, total(who, schemas.ListTasksRequest{Status: "POSTED"}))
			require.Equal(t, []any{10_000, true}, total(who, schemas.ListTasksRequest{TaskType: "PHOTO"}))
		}
		require.Equal(t, []any{10_000, true}, mine())
		balance := must(h, h.agent, h.GetBalance, schemas.Empty{})
		require.Equal(t, 5002, balance.Limits.ActiveTasks)
	})
}

// A search looks at 10,000 tasks a page, says where it stopped, and finds everything in the end.
func TestHistory_ASearchSaysHowFarBackItLooked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := houseOn(t, s, clk, task.Config{})
		h.fill(25_000, map[string]string{
			"status": cases("PAID", "PAID", "EXPIRED", "PAID"), "operator_id": "'" + account.From(h.ada).PersonID + "'",
			"title": "CASE WHEN i % 12000 = 3 THEN 'Needle ' || i ELSE 'Hay' END", "task_type": "CASE WHEN i % 12000 = 3 THEN 'DELIVERY' ELSE 'PHOTO' END",
		})
		needles := []string{"task_24003", "task_12003", "task_3"}
		for _, who := range []context.Context{h.agent, h.owner} {
			for name, in := range map[string]schemas.ListTasksRequest{
				"of a title": {Query: "NEEDLE"}, "of a type": {TaskType: "DELIVERY"}, "of both, in some statuses": {Query: "needle", TaskType: "DELIVERY", Status: "done"},
				"of what ended since, where that is too much": {Query: "needle", EndedSince: store.Time(1)},
			} {
				first := must(h, who, h.ListTasks, in)
				require.Less(t, len(first.Data), 3, name)
				require.True(t, first.Pagination.TotalMore, name)
				require.Equal(t, len(first.Data), first.Pagination.Total, name)
				looks := 0
				require.Equal(t, needles, pages(h, who, in, func(p schemas.Page[schemas.TaskView]) []string {
					looks++
					require.True(t, p.Pagination.TotalMore, name)
					return idsOf(p)
				}), name)
				require.Greater(t, looks, 2, name)
			}
			page := must(h, who, h.ListTasks, schemas.ListTasksRequest{TaskType: "PHOTO"})
			require.Len(t, page.Data, 20)
			require.Equal(t, 9999, page.Pagination.Total, "of 10,000 that were looked at")
		}
	})
}

// So much ended that it cannot all be put in order: it is found in the order of the list all the same.
func TestHistory_WhatEndedSinceIsFoundHoweverMuchItIs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := houseOn(t, s, clk, task.Config{})
		h.fill(12_000, map[string]string{
			"status": cases("PAID", "CANCELLED", "PAID"), "operator_id": "'" + account.From(h.ada).PersonID + "'", "updated_at": "CASE WHEN i < 500 THEN 1 ELSE 50000 END",
		})
		h.fill(10, map[string]string{"id": "'open_' || i", "updated_at": "1"})
		in := schemas.ListTasksRequest{EndedSince: store.Time(2)}
		in.Limit = 100
		for _, who := range []context.Context{h.agent, h.owner} {
			first := must(h, who, h.ListTasks, in)
			require.Equal(t, "task_11999", first.Data[0].TaskID)
			require.Len(t, first.Data, 100)
			require.Equal(t, []any{10_000, true}, []any{first.Pagination.Total, first.Pagination.TotalMore})
			got := pages(h, who, in, idsOf)
			require.Len(t, got, 11_510)
			slices.Sort(got)
			require.Len(t, slices.Compact(got), 11_510)
			in := in
			in.EndedSince, in.Status = store.Time(50_001), "done"
			require.Zero(t, must(h, who, h.ListTasks, in).Pagination.Total)
		}
	})
}

func TestTheBoardShowsThePoolAndWhatIsTheirs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := houseOn(t, s, clk, task.Config{})
		ada, bob := account.From(h.ada).PersonID, account.From(h.bob).PersonID
		h.fill(90, map[string]string{"assign_to": "CASE i % 3 WHEN 0 THEN '" + ada + "' WHEN 1 THEN '" + bob + "' END", "task_type": cases("PHOTO", "DELIVERY")})
		h.fill(5, map[string]string{"id": "'late_' || i", "deadline": "1"})
		for _, who := range []context.Context{h.ada, h.bob} {
			var got []schemas.OperatorTask
			in := schemas.ListOpenTasksRequest{PageRequest: schemas.PageRequest{Limit: 7}}
			for {
				page := must(h, who, h.ListOpenTasks, in)
				require.Equal(t, 60, page.Pagination.Total)
				got = append(got, page.Data...)
				if in.Cursor = page.Pagination.NextCursor; in.Cursor == "" {
					break
				}
			}
			require.Len(t, got, 60)
			require.True(t, slices.IsSortedFunc(got, func(a, b schemas.OperatorTask) int { return b.CreatedAt.Compare(a.CreatedAt) }))
			mine := slices.DeleteFunc(got, func(v schemas.OperatorTask) bool { return !v.Assigned })
			require.Len(t, mine, 30)
			in = schemas.ListOpenTasksRequest{TaskType: "DELIVERY", PageRequest: schemas.PageRequest{Limit: 100, Offset: 10}}
			page := must(h, who, h.ListOpenTasks, in)
			require.Equal(t, 30, page.Pagination.Total)
			require.Len(t, page.Data, 20)
		}
	})
}

// What an operator has not done with stands on their page, however much they did since.
func TestWorkIsWhatIsInHandAndWhatIsPending(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		h := houseOn(t, s, clk, task.Config{})
		review, active := h.review(nil), h.begin(nil)
		clk.Advance(time.Hour)
		h.fill(150, map[string]string{
			"status": "'PAID'", "operator_id": "'" + account.From(h.ada).PersonID + "'", "paid_at": "i + 1", "created_at": fmt.Sprintf("%d + i", store.Micros(clk.Now())),
		})
		var work task.Work
		h.write(func(tx *store.Tx) (err error) { work, err = h.GetWork(h.ada, tx); return err })
		require.Len(t, work.InHand, 1)
		require.Len(t, work.Pending, 1)
		require.Equal(t, []string{active, review}, []string{work.InHand[0].TaskID, work.Pending[0].TaskID})
		require.True(t, work.InHand[0].Mine)
		earned := must(h, h.ada, h.GetEarnings, schemas.Empty{})
		require.Equal(t, 15*schemas.USD, earned.PendingBalance)
		require.Len(t, earned.RecentTasks, 20)
		require.Equal(t, "task_149", earned.RecentTasks[0].TaskID, "the last that was paid")
		must(h, h.ada, h.ReleaseTask, schemas.ReleaseTaskRequest{TaskID: active})
		h.write(func(tx *store.Tx) (err error) { work, err = h.GetWork(h.ada, tx); return err })
		require.Empty(t, work.InHand)
	})
}
