package review

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/clock"
	"humanops-mcp/internal/notify"
	"humanops-mcp/internal/store"
	"humanops-mcp/internal/store/storetest"
	"humanops-mcp/schemas"
)

func (o *outpost) hook(t *testing.T, in schemas.CreateWebhookRequest) schemas.WebhookCreated {
	t.Helper()
	return mustAs(o, o.agent, o.CreateWebhook, in)
}

// ask posts a request that is answered with yes or no.
func (o *outpost) askYesNo(t *testing.T, change func(*schemas.CreateReviewRequest)) string {
	t.Helper()
	in := schemas.CreateReviewRequest{LoopID: "default", NewReview: schemas.NewReview{
		ProcessingType: "time-sensitive", TimeoutSeconds: 3600, Type: "markdown", Priority: "high", RequestText: "Publish this post?",
		ResponseType: "boolean", ResponseConfig: json.RawMessage(`{}`), DefaultResponse: json.RawMessage(`false`), Platform: "api", AllowDuplicate: true,
	}}
	if change != nil {
		change(&in)
	}
	return mustAs(o, o.agent, o.CreateReview, in).RequestID
}

// seedReceiver is what the Flask receiver of the seed does with a delivery, step by step.
func seedReceiver(secret string, d delivered) (status int, event, requestID, decision string) {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(d.body)
	if !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(d.header.Get("X-HITL-Signature"))) {
		return http.StatusUnauthorized, "", "", ""
	}
	var payload map[string]any
	if json.Unmarshal(d.body, &payload) != nil {
		return http.StatusBadRequest, "", "", ""
	}
	event = payload["event"].(string)
	if event == "request.completed" {
		data := payload["data"].(map[string]any)
		requestID, decision = data["request_id"].(string), data["decision"].(string)
	}
	return http.StatusOK, event, requestID, decision
}

func TestWebhookOfTheSeed(t *testing.T) {
	onEach(t, func(t *testing.T, o *outpost) {
		a := listen(t)
		loop := mustAs(o, o.agent, o.GetLoop, schemas.LoopRequest{LoopID: "default"}).Loop.ID
		made := o.hook(t, schemas.CreateWebhookRequest{URL: a.url, Events: []string{"request.completed", "request.escalated"}, LoopID: loop, Secret: "your_webhook_secret"})
		require.Equal(t, made.Webhook.ID, made.Flat()["id"])
		id := o.askYesNo(t, nil)
		mustAs(o, o.owner, o.DecideReview, schemas.DecideReviewRequest{RequestID: id, ResponseData: json.RawMessage(`true`)})
		o.run()
		require.Len(t, a.all(), 1)
		status, event, requestID, decision := seedReceiver("your_webhook_secret", a.all()[0])
		require.Equal(t, []any{200, "request.completed", id, "approved"}, []any{status, event, requestID, decision})
		status, _, _, _ = seedReceiver("another", a.all()[0])
		require.Equal(t, http.StatusUnauthorized, status)
	})
}

func TestOneBodyForAllSpellings(t *testing.T) {
	onEach(t, func(t *testing.T, o *outpost) {
		own, callback := listen(t), listen(t)
		o.hook(t, schemas.CreateWebhookRequest{URL: own.url})
		withCallback := func(in *schemas.CreateReviewRequest) { in.CallbackURL, in.CallbackSecret = callback.url, "mine" }
		read := func(t *testing.T, d delivered) (flat requestEvent) {
			t.Helper()
			require.NoError(t, json.Unmarshal(d.body, &flat))
			return flat
		}

		t.Run("of a decision", func(t *testing.T) {
			id := o.askYesNo(t, withCallback)
			o.run()
			o.clock.Advance(90 * time.Second)
			mustAs(o, o.owner, o.DecideReview, schemas.DecideReviewRequest{RequestID: id, ResponseData: json.RawMessage(`{"boolean":true}`)})
			o.run()
			require.Len(t, callback.all(), 1, "a callback hears of outcomes only")
			all := own.all()
			require.Len(t, all, 2)
			require.Equal(t, "request.created", read(t, all[0]).Event)
			require.Nil(t, read(t, all[0]).Data.Decision)
			require.Equal(t, string(all[1].body), string(callback.all()[0].body), "everybody is sent the same bytes")
			got := read(t, all[1])
			require.Equal(t, "request.completed", got.Event)
			require.Equal(t, []string{id, id, id}, []string{got.RequestID, got.Data.RequestID, got.Data.Request.ID})
			require.Equal(t, schemas.ReviewCompleted, got.Status)
			require.JSONEq(t, `{"boolean":true,"boolean_label":"True"}`, string(got.ResponseData))
			require.JSONEq(t, `true`, string(got.Data.EffectiveResponse))
			require.Equal(t, "human", *got.Data.ResponseSource)
			require.Equal(t, schemas.ReviewPending, *got.Data.PreviousStatus)
			require.Equal(t, o.ownerID, got.ResponseBy.UserID)
			require.Equal(t, o.ownerID, *got.Data.ReviewerID)
			require.Equal(t, "Owner", got.Data.Reviewer.Name)
			require.InDelta(t, 90, *got.ResponseTimeSeconds, 0)
			require.True(t, got.ResponseAt.Equal(o.clock.Now()))
			require.True(t, got.Data.CompletedAt.Equal(o.clock.Now()))
			require.Equal(t, "default", got.Data.Loop.Slug)
		})

		t.Run("of a time-out, whose default is nobody's answer", func(t *testing.T) {
			id := o.askYesNo(t, withCallback)
			o.clock.Advance(time.Hour)
			o.run()
			all := callback.all()
			var raw map[string]any
			require.NoError(t, json.Unmarshal(all[len(all)-1].body, &raw))
			require.Equal(t, []any{"request.timeout", id, "timeout"}, []any{raw["event"], raw["request_id"], raw["status"]})
			data := raw["data"].(map[string]any)
			for _, name := range []string{"response_data", "response_by", "response_at", "response_time_seconds"} {
				require.Contains(t, raw, name)
				require.Nil(t, raw[name], name)
			}
			require.Nil(t, data["reviewer_id"])
			require.Nil(t, data["reviewer"])
			require.Nil(t, data["response_data"])
			require.Equal(t, []any{false, "default"}, []any{data["effective_response"], data["response_source"]})
		})

		t.Run("of a withdrawal", func(t *testing.T) {
			id := o.askYesNo(t, withCallback)
			mustAs(o, o.agent, o.CancelReview, schemas.CancelReviewRequest{RequestID: id})
			o.run()
			all := callback.all()
			got := read(t, all[len(all)-1])
			require.Equal(t, []any{"request.cancelled", schemas.ReviewCancelled}, []any{got.Event, got.Status})
			require.Equal(t, "null", string(got.ResponseData))
			require.Nil(t, got.Data.Reviewer)
		})
	})
}

// A request may be asked again long after its first answer, and its agent reads where it
// calls back for as long as it is there.
func TestACallbackOutlivesTheLogOfItsDeliveries(t *testing.T) {
	onEach(t, func(t *testing.T, o *outpost) {
		callback := listen(t)
		id := o.askYesNo(t, func(in *schemas.CreateReviewRequest) {
			in.ResponseType, in.ResponseConfig, in.DefaultResponse = "single_select", json.RawMessage(`{"options":["approved","needs_changes"]}`), nil
			in.CallbackURL = callback.url
		})
		mustAs(o, o.owner, o.DecideReview, schemas.DecideReviewRequest{RequestID: id, ResponseData: json.RawMessage(`"needs_changes"`)})
		o.run()
		for range 40 {
			o.clock.Advance(24 * time.Hour)
			o.run()
		}
		require.Equal(t, callback.url, mustAs(o, o.agent, o.GetReview, schemas.ReviewRequest{RequestID: id}).Request.CallbackURL)
		mustAs(o, o.agent, o.OpenRound, schemas.OpenRoundRequest{RequestID: id})
		mustAs(o, o.owner, o.DecideReview, schemas.DecideReviewRequest{RequestID: id, Round: 2, ResponseData: json.RawMessage(`"approved"`)})
		o.run()
		require.Len(t, callback.all(), 2)
	})
}

func TestWhoHears(t *testing.T) {
	onEach(t, func(t *testing.T, o *outpost) {
		own, other, test, owners := listen(t), listen(t), listen(t), listen(t)
		o.hook(t, schemas.CreateWebhookRequest{URL: own.url})
		mustAs(o, o.stranger, o.CreateWebhook, schemas.CreateWebhookRequest{URL: other.url})
		mustAs(o, o.sandbox, o.CreateWebhook, schemas.CreateWebhookRequest{URL: test.url})
		mustAs(o, o.owner, o.CreateWebhook, schemas.CreateWebhookRequest{URL: owners.url})
		o.askYesNo(t, nil)
		o.run()
		require.Equal(t, []int{1, 0, 0, 1}, []int{len(own.all()), len(other.all()), len(test.all()), len(owners.all())})
		o.join("default", o.adaID)
		o.run()
		require.Equal(t, []int{1, 0, 0, 2}, []int{len(own.all()), len(other.all()), len(test.all()), len(owners.all())}, "the house's loops are the house's")
		var joined struct {
			Event string
			Data  struct{ Member schemas.ReviewPerson }
		}
		require.NoError(t, json.Unmarshal(owners.all()[1].body, &joined))
		require.Equal(t, "loop.member_joined", joined.Event)
		require.Equal(t, "Ada", joined.Data.Member.Name)
		mustAs(o, o.agent, o.CreateLoop, schemas.CreateLoopRequest{Name: "Mine"})
		o.run()
		require.Equal(t, []int{2, 0, 0, 3}, []int{len(own.all()), len(other.all()), len(test.all()), len(owners.all())})
	})
}

func TestWebhooks(t *testing.T) {
	onEach(t, func(t *testing.T, o *outpost) {
		a := listen(t, 200, 500, 404)
		made := o.hook(t, schemas.CreateWebhookRequest{URL: a.url, Name: " Mine ", Type: "global"})
		named := schemas.WebhookRequest{WebhookID: made.ID}

		t.Run("show their secret once", func(t *testing.T) {
			require.Regexp(t, `^whsec_\w{42}$`, made.Secret)
			require.Equal(t, "Mine", made.Webhook.Name)
			require.Equal(t, []string{"*"}, made.Webhook.Events)
			require.True(t, made.Webhook.Enabled)
			require.Empty(t, mustAs(o, o.agent, o.GetWebhook, named).Secret)
			require.Equal(t, made.Webhook, mustAs(o, o.agent, o.ListWebhooks, schemas.Empty{}).Webhooks[0])
			require.NotContains(t, o.column("SELECT secret FROM webhooks WHERE id = $1", made.ID), made.Secret)
		})

		t.Run("are their maker's alone", func(t *testing.T) {
			for name, ctx := range map[string]context.Context{"another agent": o.stranger, "the test key": o.sandbox, "the owner": o.owner} {
				_, err := callAs(o, ctx, o.GetWebhook, named)
				require.Equal(t, schemas.NewError(schemas.CodeNotFound, "Webhook not found"), err, name)
				require.Empty(t, mustAs(o, ctx, o.ListWebhooks, schemas.Empty{}).Webhooks, name)
				_, err = callAs(o, ctx, o.DeleteWebhook, named)
				require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(err))
			}
		})

		t.Run("are tested at once", func(t *testing.T) {
			good, err := o.TestWebhook(o.agent, named)
			require.NoError(t, err)
			require.True(t, good.Delivered)
			require.Equal(t, 200, good.StatusCode)
			status, event, _, _ := seedReceiver(made.Secret, a.all()[0])
			require.Equal(t, []any{200, "webhook.test"}, []any{status, event})
			bad, err := o.TestWebhook(o.agent, named)
			require.NoError(t, err)
			require.False(t, bad.Delivered)
			require.Contains(t, bad.Error, "it answered 500")
			_, err = o.TestWebhook(o.stranger, named)
			require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(err))
		})

		t.Run("keep a log, from which a delivery is sent again", func(t *testing.T) {
			id := o.askYesNo(t, nil)
			o.run()
			log := mustAs(o, o.agent, o.ListDeliveries, schemas.ListDeliveriesRequest{WebhookID: made.ID})
			require.Equal(t, 1, log.Count)
			d := log.Deliveries[0]
			require.Equal(t, []any{"failed", 1, 404, id, "request.created"}, []any{d.State, d.Attempts, d.StatusCode, d.RequestID, d.Event})
			require.Equal(t, 1, mustAs(o, o.agent, o.GetWebhook, named).Webhook.Failures)
			again := schemas.DeliveryRequest{WebhookID: made.ID, DeliveryID: d.ID}
			require.Equal(t, "waiting", mustAs(o, o.agent, o.Redeliver, again).Delivery.State)
			_, err := callAs(o, o.agent, o.Redeliver, again)
			require.Equal(t, schemas.CodeConflict, schemas.ErrorCode(err))
			o.run()
			sent := a.all()
			first, second := sent[len(sent)-2], sent[len(sent)-1]
			require.Equal(t, first.body, second.body)
			require.Equal(t, d.ID, first.header.Get("X-HITL-Delivery"))
			require.Equal(t, d.ID, second.header.Get("X-HITL-Delivery"))
			after := mustAs(o, o.agent, o.ListDeliveries, schemas.ListDeliveriesRequest{WebhookID: made.ID}).Deliveries[0]
			require.Equal(t, []any{"delivered", 2}, []any{after.State, after.Attempts})
			_, err = callAs(o, o.agent, o.Redeliver, schemas.DeliveryRequest{WebhookID: made.ID, DeliveryID: "whd_none"})
			require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(err))
		})

		t.Run("page their log", func(t *testing.T) {
			for range 4 {
				o.askYesNo(t, nil)
			}
			o.run()
			seen := map[string]bool{}
			cursor := ""
			for {
				page := mustAs(o, o.agent, o.ListDeliveries, schemas.ListDeliveriesRequest{WebhookID: made.ID, Limit: 2, Cursor: cursor})
				for _, d := range page.Deliveries {
					seen[d.ID] = true
				}
				if cursor = page.NextCursor; cursor == "" {
					break
				}
			}
			require.Len(t, seen, 5)
		})

		t.Run("rotate their secret, and the former one signs too for a day", func(t *testing.T) {
			rotated := mustAs(o, o.agent, o.UpdateWebhook, schemas.UpdateWebhookRequest{WebhookID: made.ID, RotateSecret: true})
			require.NotEmpty(t, rotated.Secret)
			require.NotEqual(t, made.Secret, rotated.Secret)
			for i, want := range []bool{true, false} {
				o.askYesNo(t, nil)
				o.run()
				sent := a.all()
				last := sent[len(sent)-1]
				status, _, _, _ := seedReceiver(rotated.Secret, last)
				require.Equal(t, 200, status)
				require.Equal(t, want, last.header.Get("X-HITL-Signature-Former") != "", i)
				o.clock.Advance(24 * time.Hour)
			}
		})

		t.Run("hear nothing while they are off", func(t *testing.T) {
			off, on := false, true
			before := len(a.all())
			require.False(t, mustAs(o, o.agent, o.UpdateWebhook, schemas.UpdateWebhookRequest{WebhookID: made.ID, Enabled: &off}).Webhook.Enabled)
			o.askYesNo(t, nil)
			o.run()
			require.Len(t, a.all(), before)
			d := mustAs(o, o.agent, o.ListDeliveries, schemas.ListDeliveriesRequest{WebhookID: made.ID}).Deliveries[0]
			_, err := callAs(o, o.agent, o.Redeliver, schemas.DeliveryRequest{WebhookID: made.ID, DeliveryID: d.ID})
			require.Equal(t, schemas.CodeConflict, schemas.ErrorCode(err))
			require.True(t, mustAs(o, o.agent, o.UpdateWebhook, schemas.UpdateWebhookRequest{WebhookID: made.ID, Enabled: &on}).Webhook.Enabled)
		})

		t.Run("go with their log", func(t *testing.T) {
			require.Equal(t, made.ID, mustAs(o, o.agent, o.DeleteWebhook, named).WebhookID)
			_, err := callAs(o, o.agent, o.GetWebhook, named)
			require.Equal(t, schemas.CodeNotFound, schemas.ErrorCode(err))
		})
	})
}

func TestWebhookRefusals(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, clk *clock.Fake) {
		o := newOutpost(t, s, clk, Config{}, notify.Config{})
		good := "https://example.com/hook"
		for _, c := range []struct {
			in   schemas.CreateWebhookRequest
			want string
		}{
			{schemas.CreateWebhookRequest{URL: "http://example.com/hook"}, "url must be a public https address"},
			{schemas.CreateWebhookRequest{URL: "https://127.0.0.1/"}, "allow_private_webhooks"},
			{schemas.CreateWebhookRequest{URL: good, Events: []string{"request.complete"}}, "did you mean request.completed?"},
			{schemas.CreateWebhookRequest{URL: good, Events: []string{"loop.nowhere.*"}}, "names no loop"},
			{schemas.CreateWebhookRequest{URL: good, LoopID: "nowhere"}, "Loop not found"},
			{schemas.CreateWebhookRequest{URL: good, Type: "world"}, "must be global"},
			{schemas.CreateWebhookRequest{URL: good, Type: "global", LoopID: "default"}, "does not go with type global"},
		} {
			_, err := callAs(o, o.agent, o.CreateWebhook, c.in)
			require.ErrorContains(t, err, c.want)
		}
		const most = 50
		for i := range most {
			in := schemas.CreateWebhookRequest{URL: good, Name: fmt.Sprint(i)}
			if i == 0 {
				in.LoopID, in.Events = "default", []string{"loop.default.*"}
			}
			o.hook(t, in)
		}
		_, err := callAs(o, o.agent, o.CreateWebhook, schemas.CreateWebhookRequest{URL: good})
		require.Equal(t, schemas.CodeUnprocessable, schemas.ErrorCode(err))
		mustAs(o, o.sandbox, o.CreateWebhook, schemas.CreateWebhookRequest{URL: good})
		list := mustAs(o, o.agent, o.ListWebhooks, schemas.Empty{}).Webhooks
		require.Len(t, list, most)
		_, err = callAs(o, o.agent, o.UpdateWebhook, schemas.UpdateWebhookRequest{WebhookID: list[0].ID})
		require.ErrorContains(t, err, "At least one field must be provided for update")
		bad := "https://10.0.0.1/"
		_, err = callAs(o, o.agent, o.UpdateWebhook, schemas.UpdateWebhookRequest{WebhookID: list[0].ID, URL: &bad})
		require.ErrorContains(t, err, "url must be a public address")
	})
}

func TestDeadWebhook(t *testing.T) {
	t.Run("is switched off after twenty deliveries, and the owner is told", func(t *testing.T) {
		onEach(t, func(t *testing.T, o *outpost) {
			statuses := make([]int, 20)
			for i := range statuses {
				statuses[i] = http.StatusGone
			}
			a := listen(t, statuses...)
			made := o.hook(t, schemas.CreateWebhookRequest{URL: a.url})
			o.runner.Limit("held back", 0, string(notify.Kind))
			for range 20 {
				o.askYesNo(t, nil)
			}
			o.run()
			got := mustAs(o, o.agent, o.GetWebhook, schemas.WebhookRequest{WebhookID: made.ID}).Webhook
			require.False(t, got.Enabled)
			require.Equal(t, 20, got.Failures)
			told := o.column("SELECT args FROM jobs WHERE kind = 'notify' AND args LIKE '%webhook.off%'")
			require.Contains(t, told, `"to_owner":true`)
			require.Contains(t, told, made.ID)
			require.NotContains(t, told, "/hook")
			on := true
			require.Zero(t, mustAs(o, o.agent, o.UpdateWebhook, schemas.UpdateWebhookRequest{WebhookID: made.ID, Enabled: &on}).Webhook.Failures)
		})
	})
}
