package review_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/store"
	"humanops-mcp/schemas"
)

func idsOf(l schemas.ReviewList) []string {
	ids := []string{}
	for _, r := range l.Requests {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestListsFilterAndSort(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		first := d.ask(d.agent, "One ÄPFEL 100%", func(q *schemas.NewReview) { q.Priority, q.Tags = "low", []string{"a", "x&y"} })
		d.clock.Advance(time.Second)
		second := d.ask(d.agent, "Two", func(q *schemas.NewReview) { q.Priority, q.Tags = "critical", []string{"A"} })
		d.clock.Advance(time.Second)
		third := d.ask(d.agent, "Three", nil)
		test := d.ask(d.sandbox, "Four", nil)
		d.decide(d.ada, third, "true", nil)
		list := func(ctx context.Context, in schemas.ListReviewsRequest) []string {
			t.Helper()
			return idsOf(run(d, ctx, d.ListReviews, in))
		}
		for name, c := range map[string]struct {
			in   schemas.ListReviewsRequest
			want []string
		}{
			"the newest first":        {schemas.ListReviewsRequest{}, []string{third, second, first}},
			"the oldest first":        {schemas.ListReviewsRequest{Sort: "created_at_asc"}, []string{first, second, third}},
			"the most urgent first":   {schemas.ListReviewsRequest{Sort: "priority_desc"}, []string{second, third, first}},
			"in the order of a life":  {schemas.ListReviewsRequest{Sort: "status_asc"}, []string{first, second, third}},
			"open":                    {schemas.ListReviewsRequest{Status: "open"}, []string{second, first}},
			"open, most urgent first": {schemas.ListReviewsRequest{Status: "open", Sort: "priority_desc"}, []string{second, first}},
			"open, oldest first":      {schemas.ListReviewsRequest{Status: "pending", Sort: "created_at_asc"}, []string{first, second}},
			"done":                    {schemas.ListReviewsRequest{Status: "done"}, []string{third}},
			"several statuses":        {schemas.ListReviewsRequest{Status: "pending, completed"}, []string{third, second, first}},
			"a priority":              {schemas.ListReviewsRequest{Priority: "critical,low"}, []string{second, first}},
			"words in any case":       {schemas.ListReviewsRequest{Query: "äpfel"}, []string{first}},
			"signs as they are":       {schemas.ListReviewsRequest{Query: "0%"}, []string{first}},
			"no pattern":              {schemas.ListReviewsRequest{Query: "o_e"}, []string{}},
			"a tag as it is spelt":    {schemas.ListReviewsRequest{Tag: "A"}, []string{second}},
			"a tag with signs":        {schemas.ListReviewsRequest{Tag: "x&y"}, []string{first}},
			"half a tag":              {schemas.ListReviewsRequest{Tag: "x"}, []string{}},
			"a loop by its slug":      {schemas.ListReviewsRequest{LoopID: "default"}, []string{third, second, first}},
			"what ended since":        {schemas.ListReviewsRequest{EndedSince: d.clock.Now().Add(time.Hour)}, []string{second, first}},
		} {
			require.Equal(t, c.want, list(d.agent, c.in), name)
			require.Equal(t, c.want, list(d.ada, c.in), "%s, for a member", name)
			require.Equal(t, c.want, list(d.owner, c.in), "%s, for the owner", name)
		}
		require.Equal(t, []string{test}, list(d.sandbox, schemas.ListReviewsRequest{}))
		require.Empty(t, list(d.stranger, schemas.ListReviewsRequest{}))
		require.Empty(t, list(d.cy, schemas.ListReviewsRequest{}))
		of := run(d, d.agent, d.ListLoopReviews, schemas.ListLoopReviewsRequest{LoopID: "default", Status: "open"})
		require.Equal(t, []string{second, first}, idsOf(of))
		require.Equal(t, of.Requests[0].LoopID, of.LoopID)
		require.True(t, run(d, d.sandbox, d.ListReviews, schemas.ListReviewsRequest{}).Sandbox)
	})
}

func TestListsRefuseInTheContractsWords(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		for message, in := range map[string]schemas.ListReviewsRequest{
			"Invalid status filter value":   {Status: "pending,gone"},
			"Invalid pagination parameters": {Limit: 101},
		} {
			require.Equal(t, message, fails(d, schemas.CodeInvalid, d.agent, d.ListReviews, in).Message)
		}
		for _, in := range []schemas.ListReviewsRequest{{Offset: -1}, {Limit: -1}, {Cursor: "!"}, {Cursor: "MXwn"}, {Cursor: "MXxh", Sort: "priority_desc"}, {Sort: "colour"}} {
			require.Equal(t, "Invalid pagination parameters", fails(d, schemas.CodeInvalid, d.agent, d.ListReviews, in).Message)
		}
		require.Contains(t, fails(d, schemas.CodeInvalid, d.agent, d.ListReviews, schemas.ListReviewsRequest{Priority: "urgent"}).Error(), "low, medium, high, critical")
		require.Equal(t, "Loop not found", fails(d, schemas.CodeNotFound, d.agent, d.ListLoopReviews, schemas.ListLoopReviewsRequest{LoopID: "nowhere"}).Message)
		require.Equal(t, "Loop not found", fails(d, schemas.CodeNotFound, d.agent, d.ListReviews, schemas.ListReviewsRequest{LoopID: "nowhere"}).Message)
	})
}

func TestPagesHoldEveryRequestOnce(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		all := map[string]bool{}
		for i := range 7 {
			all[d.ask(d.agent, fmt.Sprintf("Number %d", i), nil)] = true // all at the same moment: the id decides their order
		}
		for _, ctx := range []context.Context{d.agent, d.ada} {
			for _, in := range []schemas.ListReviewsRequest{{}, {Sort: "created_at_asc"}, {Status: "open"}, {Status: "open", Sort: "created_at_asc"}} {
				in.Limit = 3
				seen, pages := map[string]bool{}, 0
				for {
					page := run(d, ctx, d.ListReviews, in)
					require.Equal(t, 7, page.Total)
					require.Len(t, page.Requests, page.Count)
					for _, id := range idsOf(page) {
						require.False(t, seen[id], "twice")
						seen[id] = true
					}
					if pages++; !page.HasMore {
						break
					}
					in.Cursor = page.Pagination.NextCursor
				}
				require.Equal(t, all, seen)
				require.Equal(t, 3, pages)
			}
		}
		first := run(d, d.agent, d.ListReviews, schemas.ListReviewsRequest{Limit: 3, Sort: "priority_desc"})
		require.Equal(t, 3, *first.Pagination.NextOffset)
		require.Empty(t, first.Pagination.NextCursor, "only time is a place to go on from")
		last := run(d, d.agent, d.ListReviews, schemas.ListReviewsRequest{Limit: 3, Offset: 6})
		require.Equal(t, 1, last.Count)
		require.Nil(t, last.Pagination.NextOffset)
	})
}

func TestAPageTakesAFixedNumberOfQueries(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		large := json.RawMessage(`{"x":"` + fmt.Sprintf("%09000d", 1) + `"}`)
		for i := range 5 {
			id := d.ask(d.agent, fmt.Sprintf("Number %d", i), func(q *schemas.NewReview) { q.Context, q.Action = large, transfer("5") })
			d.decide(d.ada, id, "true", nil)
		}
		page := run(d, d.agent, d.ListReviews, schemas.ListReviewsRequest{})
		for _, r := range page.Requests {
			require.Equal(t, "Ada", r.ResponseByUser.Name)
			require.Len(t, r.BroadcastedTo, 3)
			require.True(t, r.ReceiptAvailable)
			require.Empty(t, r.Context, "a list leaves out what is large")
			require.NotNil(t, r.Action)
		}
		require.NotEmpty(t, d.get(d.agent, page.Requests[0].ID).Context)
	})
}

func TestPrecedentsAreOnesOwnDecisions(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		refund := d.ask(d.agent, "Refund the customer's broken headphones?", func(q *schemas.NewReview) { q.Action = transfer("50") })
		d.clock.Advance(time.Second)
		post := d.ask(d.agent, "Publish the post about spring flowers?", nil)
		open := d.ask(d.agent, "Refund another customer?", nil)
		test := d.ask(d.sandbox, "Refund a customer in a test?", nil)
		d.decide(d.ada, refund, "true", nil)
		d.decide(d.ada, post, "false", nil)
		find := func(ctx context.Context, in schemas.FindPrecedentsRequest) (ids []string) {
			t.Helper()
			for _, p := range run(d, ctx, d.FindPrecedents, in).Precedents {
				ids = append(ids, p.RequestID)
			}
			return ids
		}
		out := run(d, d.agent, d.FindPrecedents, schemas.FindPrecedentsRequest{Query: "refunding customers for headphone"})
		require.Equal(t, refund, out.Precedents[0].RequestID, "inflected words are alike")
		require.Equal(t, "approved", out.Precedents[0].Decision)
		require.Equal(t, "transfer_money", out.Precedents[0].Tool)
		require.Equal(t, "As agreed", out.Precedents[0].Comment)
		require.Equal(t, "true", string(out.Precedents[0].ResponseValue))
		require.Greater(t, out.Precedents[0].Similarity, 0.3)
		require.Equal(t, 2, out.Searched)
		require.NotContains(t, find(d.agent, schemas.FindPrecedentsRequest{}), open)
		require.NotContains(t, find(d.agent, schemas.FindPrecedentsRequest{}), test)
		require.Equal(t, []string{post, refund}, find(d.agent, schemas.FindPrecedentsRequest{}), "without words the newest first")
		require.Equal(t, []string{post}, find(d.agent, schemas.FindPrecedentsRequest{Decision: "rejected"}))
		require.Equal(t, []string{refund}, find(d.agent, schemas.FindPrecedentsRequest{Tool: "transfer_money"}))
		require.Empty(t, find(d.agent, schemas.FindPrecedentsRequest{Tool: "money"}))
		require.Empty(t, find(d.agent, schemas.FindPrecedentsRequest{Query: "quux"}))
		require.Equal(t, []string{post}, find(d.agent, schemas.FindPrecedentsRequest{Query: "publish the spring post"}), "the same small words make nothing alike")
		require.Empty(t, find(d.agent, schemas.FindPrecedentsRequest{Query: "delete the customer database tonight"}))
		require.Len(t, find(d.agent, schemas.FindPrecedentsRequest{LoopID: "default", Limit: 1}), 1)
		require.Empty(t, find(d.stranger, schemas.FindPrecedentsRequest{}))
		fails(d, schemas.CodeNotFound, d.agent, d.FindPrecedents, schemas.FindPrecedentsRequest{LoopID: "nowhere"})
	})
}

func TestFeedbackIsGivenOnce(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "Publish?", nil)
		give := func(body string) schemas.AddFeedbackRequest {
			return schemas.AddFeedbackRequest{RequestID: id, Feedback: json.RawMessage(body)}
		}
		require.Equal(t, "Feedback can only be added to completed requests", fails(d, schemas.CodeInvalid, d.agent, d.AddFeedback, give(`{"rating":5}`)).Message)
		d.decide(d.ada, id, "true", nil)
		for body, message := range map[string]string{
			`{"rating":6}`:     "Rating values must be between 1 and 5",
			`{"accuracy":2.5}`: "Rating values must be between 1 and 5",
			`{"rating":"5"}`:   "Rating values must be between 1 and 5",
			`{"comment":"` + fmt.Sprintf("%01001d", 1) + `"}`: "Comment exceeds maximum length of 1000 characters",
		} {
			require.Equal(t, message, fails(d, schemas.CodeInvalid, d.agent, d.AddFeedback, give(body)).Message)
		}
		for _, body := range []string{`{}`, `[]`, `null`, `{"other":1}`, `{"tags":"x"}`, `{"tags":[1]}`, `{"category":"good"}`, `{"would_recommend":1}`, `{"comment":7}`} {
			fails(d, schemas.CodeInvalid, d.agent, d.AddFeedback, give(body))
		}
		fails(d, schemas.CodeNotFound, d.stranger, d.AddFeedback, give(`{"rating":5}`))
		fails(d, schemas.CodeNotFound, d.agent, d.GetFeedback, schemas.ReviewRequest{RequestID: id})
		before := d.get(d.agent, id)
		out := run(d, d.agent, d.AddFeedback, give(`{"rating": 5, "tags": ["quick"], "category": "positive", "own": {"x": 1}}`))
		require.JSONEq(t, `{"rating":5,"tags":["quick"],"category":"positive","own":{"x":1}}`, string(out.Feedback))
		require.False(t, out.ReviewerNotified, "no mail is set up here")
		require.Contains(t, fails(d, schemas.CodeConflict, d.agent, d.AddFeedback, give(`{"rating":1}`)).Message, "once")
		require.Equal(t, out, run(d, d.ada, d.GetFeedback, schemas.ReviewRequest{RequestID: id}))
		after := d.get(d.agent, id)
		require.True(t, after.FeedbackGiven)
		require.NotEqual(t, before.AuditHead, after.AuditHead)
	})
}

func TestALinkIsForOnePersonAndOneRequest(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		id := d.ask(d.agent, "Publish?", nil)
		link := run(d, t.Context(), d.Link, [2]string{id, personOf(d.ada)})
		token, found := strings.CutPrefix(d.LinkURL(link), deskURL+"/r/")
		require.True(t, found)
		peek := func(token string) (review, person string, err error) {
			err = d.store.Read(t.Context(), func(tx *store.Tx) error {
				review, person, err = d.PeekLink(t.Context(), tx, token)
				return err
			})
			return review, person, err
		}
		for range 3 {
			r, p, err := peek(token)
			require.NoError(t, err, "scanners follow links, and use nothing up")
			require.Equal(t, []string{id, personOf(d.ada)}, []string{r, p})
		}
		for _, wrong := range []string{"", token + "x", link, fmt.Sprintf("%0200d", 1)} {
			_, _, err := peek(wrong)
			require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(err))
		}
		slow := d.ask(d.agent, "Slow?", func(q *schemas.NewReview) { q.ProcessingType, q.TimeoutSeconds = "deferred", 30*24*3600 })
		lasting, _ := strings.CutPrefix(d.LinkURL(run(d, t.Context(), d.Link, [2]string{slow, personOf(d.ada)})), deskURL+"/r/")
		d.clock.Advance(71 * time.Hour)
		_, _, err := peek(lasting)
		require.NoError(t, err)
		d.clock.Advance(time.Hour)
		_, _, err = peek(lasting)
		require.Equal(t, schemas.CodeGone, schemas.ErrorCode(err))
		d.decide(d.ada, slow, "true", nil)
		_, _, err = peek(lasting)
		require.NoError(t, err, "once it is over, the page says who decided")
	})
}
